package grid

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spool-video/spool"
)

// Whatever follows, what an open grid says stays: segments, chunks and pieces
// are the first ones of the whole grid's.
func TestOpenGridStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom([]spool.Ratio{{Num: 25, Den: 1}, {Num: 30000, Den: 1001}, {Num: 24000, Den: 1001}, {Num: 1, Den: 1}, {Num: 60, Den: 1}}).Draw(t, "rate")
		segment := lengths.Draw(t, "segment")
		known := rapid.IntRange(1, 20000).Draw(t, "known")
		all := known + rapid.IntRange(0, 3000).Draw(t, "more")
		line := func(frames int) spool.Timeline {
			return spool.Timeline{Rate: rate, Frames: frames, Samples: rate.Invert().RescaleNearest(int64(frames), spool.Ratio{Num: 1, Den: SampleRate})}
		}
		open, whole := LayOpen(line(known), segment), Lay(line(all), segment)
		if open.Target != whole.Target {
			t.Fatalf("the target is %d, then %d", open.Target, whole.Target)
		}
		n := len(open.Frames)
		if n > len(whole.Frames) {
			t.Fatalf("%d segments of %d", n, len(whole.Frames))
		}
		if diff := cmp.Diff(append([]int{}, whole.Frames[:n]...), append([]int{}, open.Frames...)); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(append([]int{}, whole.Packets[:n]...), append([]int{}, open.Packets...)); diff != "" {
			t.Fatal(diff)
		}
		if want := Settled(n, rate, segment); known < want && n > 0 || known >= Settled(n+1, rate, segment) {
			t.Fatalf("%d segments of %d frames, Settled says %d", n, known, want)
		}
		chunks, later := OpenChunks(open), Chunks(whole)
		if diff := cmp.Diff(later[:len(chunks)], chunks); len(chunks) > 0 && diff != "" {
			t.Fatal(diff)
		}
		if next := later[len(chunks)]; n >= Certain(next.Number, next.FirstSegment, segment) {
			t.Fatalf("%d segments are known, and chunk %d is not certain", n, next.Number)
		}
		for _, long := range []bool{false, true} {
			pieces, later := OpenPieces(open, long), ClosedPieces(whole, long)
			if len(pieces) > 0 && cmp.Diff(later[:len(pieces)], pieces) != "" {
				t.Fatal(cmp.Diff(later, pieces))
			}
			packets := 0
			for _, p := range later {
				packets += p.Packets
			}
			total := 0
			for _, p := range whole.Packets {
				total += p
			}
			if packets != total {
				t.Fatalf("%d packets in pieces, %d on the grid", packets, total)
			}
		}
	})
}
