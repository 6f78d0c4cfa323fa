package grid

import (
	"slices"
	"testing"

	"github.com/spool-video/spool"
	"pgregory.net/rapid"
)

func every(n, frames int) []int {
	var keys []int
	for k := 0; k < frames; k += n {
		keys = append(keys, k)
	}
	return keys
}

func TestLayCopied(t *testing.T) {
	for _, c := range []struct {
		name   string
		frames int
		keys   []int
		target int
		want   []int
	}{
		{"one GOP", 50, []int{0}, 2, []int{50}},
		{"GOPs of 2 s", 600, every(50, 600), 6, []int{100, 100, 150, 150, 100}},
		{"GOPs of 4 s", 350, every(100, 350), 6, []int{100, 100, 150}},
		{"GOPs of 5 s", 625, every(125, 625), 5, []int{125, 125, 125, 125, 125}},
		{"GOPs of 3 s and a cut", 280, []int{0, 75, 150, 155, 230}, 6, []int{150, 130}},
		{"GOPs of 4 s that come out even", 400, every(100, 400), 4, []int{100, 100, 100, 100}},
		{"GOPs of 10 s", 600, every(250, 600), 10, []int{250, 250, 100}},
		{"a cut soon after a key frame", 512, []int{0, 250, 262}, 10, []int{250, 262}},
		{"a short GOP stands alone when it must", 552, []int{0, 262, 290}, 10, []int{262, 28, 262}},
		{"a step back saves a short segment", 513, []int{0, 150, 250, 325}, 8, []int{150, 175, 188}},
		{"a short rest", 260, every(100, 260), 6, []int{100, 160}},
		{"a short rest that stands alone", 500, every(48, 500), 6, []int{144, 144, 144, 68}},
		{"every frame", 400, every(1, 400), 4, []int{100, 100, 100, 100}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, ok := LayCopied(spool.Timeline{Rate: pal, Frames: c.frames, Samples: int64(c.frames) * 1920}, c.keys, 0)
			if !ok || g.Target != c.target || g.GOP != 50 || !slices.Equal(g.Frames, c.want) || len(g.Packets) != len(g.Frames) {
				t.Errorf("got %+v, %v", g, ok)
			}
		})
	}
	for _, c := range []struct{ segment, gop, target, first int }{
		{2, 100, 4, 100}, {2, 25, 2, 50}, {3, 50, 2, 50}, {4, 50, 4, 100}, {4, 150, 6, 150}, {8, 225, 9, 225}, {10, 50, 10, 200}, {10, 150, 6, 150},
	} {
		g, ok := LayCopied(spool.Timeline{Rate: pal, Frames: 3000}, every(c.gop, 3000), c.segment)
		if !ok || g.Target != c.target || g.Frames[0] != c.first {
			t.Errorf("%d s of GOPs of %d frames: got %+v", c.segment, c.gop, g)
		}
	}
	for _, keys := range [][]int{{0, 263}, {0, 200}} {
		if g, ok := LayCopied(spool.Timeline{Rate: pal, Frames: 463}, keys, 0); ok {
			t.Errorf("keys %v: got %+v", keys, g)
		}
	}
}

func TestCopiedChunks(t *testing.T) {
	for _, c := range []struct {
		frames []int
		want   []int // segments
	}{
		{[]int{250, 250, 250, 250, 250, 250, 250}, []int{1, 1, 1, 1, 1, 1, 1}},
		{[]int{260, 260, 260, 260, 260}, []int{1, 1, 1, 1, 1}},
		{[]int{100, 100, 100, 150, 150, 150, 150, 150, 50, 150}, []int{1, 1, 1, 1, 1, 1, 2, 1, 1}},
		{[]int{100, 100, 100, 150, 20, 20, 20, 20, 20, 20, 20}, []int{1, 1, 1, 3, 2, 1, 1, 1}},
		{[]int{100, 100, 100, 100, 100, 100, 100, 100, 100, 100}, []int{1, 1, 2, 2, 2, 1, 1}},
	} {
		var got []int
		segment, frame := 0, 0
		for i, chunk := range CopiedChunks(spool.Grid{Frames: c.frames}, pal) {
			if chunk.Number != i || chunk.FirstSegment != segment || chunk.FirstFrame != frame {
				t.Errorf("%v: chunk %+v", c.frames, chunk)
			}
			got = append(got, chunk.Segments)
			segment, frame = segment+chunk.Segments, frame+chunk.Frames
		}
		if !slices.Equal(got, c.want) || frame != sum(c.frames) {
			t.Errorf("%v: got %v", c.frames, got)
		}
	}
}

// leastShort is the least number of segments below 4 s, by trying all.
func leastShort(ends []int, from, least, longest int, known map[int]int) int {
	if from == len(ends)-1 {
		return 0
	}
	if n, ok := known[from]; ok {
		return n
	}
	best := 1 << 30
	for to := from + 1; to < len(ends) && ends[to]-ends[from] <= longest; to++ {
		n := leastShort(ends, to, least, longest, known)
		if ends[to]-ends[from] < least {
			n++
		}
		best = min(best, n)
	}
	known[from] = best
	return best
}

func TestCopiedGridProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom(rates).Draw(t, "rate")
		second := max(int(rate.Float()), 1)
		gops := rapid.SliceOfN(rapid.IntRange(1, 11*second), 1, 40).Draw(t, "gops")
		var keys []int
		frames := 0
		for _, n := range gops {
			keys = append(keys, frames)
			frames += n
		}
		line := spool.Timeline{Rate: rate, Frames: frames, Samples: 1}
		line.Samples = rate.Invert().RescaleNearest(int64(frames), spool.Ratio{Num: 1, Den: SampleRate})
		longest := int(spool.Ratio{Num: 1, Den: 100}.Rescale(1049, rate.Invert()))
		g, ok := LayCopied(line, keys, lengths.Draw(t, "segment"))
		if ok != (slices.Max(gops) <= longest) {
			t.Fatalf("laid: %v, with GOPs of %v, of at most %d", ok, gops, longest)
		}
		if ok {
			checkCopied(t, g, line, keys, longest)
			checkPackets(t, g, rate, line.Samples)
		}
	})
}

func checkCopied(t *rapid.T, g spool.Grid, line spool.Timeline, keys []int, longest int) {
	least := -int(spool.Ratio{Num: 1, Den: 1}.Rescale(-2*int64(seconds(g.Segment)), spool.Ratio{Num: 3 * line.Rate.Den, Den: line.Rate.Num}))
	at, short := 0, 0
	for _, n := range g.Frames {
		if _, found := slices.BinarySearch(keys, at); !found {
			t.Fatalf("a segment begins at frame %d, keys are %v", at, keys)
		}
		at += n
		if n < least {
			short++
		}
	}
	if at != line.Frames {
		t.Fatalf("%d frames of %d", at, line.Frames)
	}
	limit := spool.Ratio{Num: 1, Den: 100}.Rescale(int64(g.Target)*100+49, line.Rate.Invert())
	if n := slices.Max(g.Frames); n > int(limit) {
		t.Fatalf("a segment of %d frames with target %d", n, g.Target)
	}
	want := leastShort(append(slices.Clone(keys), line.Frames), 0, least, longest, map[int]int{})
	if short < want || short > want && (g.Target == longTarget || short > want+1) {
		t.Fatalf("%d short segments, %d are possible: %v of %v", short, want, g.Frames, keys)
	}
}
