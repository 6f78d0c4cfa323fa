package grid

import (
	"slices"
	"testing"

	"github.com/spool-video/spool"
	"pgregory.net/rapid"
)

var (
	film = spool.Ratio{Num: 24000, Den: 1001}
	ntsc = spool.Ratio{Num: 30000, Den: 1001}
	pal  = spool.Ratio{Num: 25, Den: 1}
)

func TestLayFrames(t *testing.T) {
	for _, c := range []struct {
		name   string
		rate   spool.Ratio
		frames int
		gop    int
		want   []int
	}{
		{"one frame", pal, 1, 50, []int{1}},
		{"shorter than half a segment", pal, 60, 50, []int{60}},
		{"exactly one", pal, 150, 50, []int{150}},
		{"a long rest stays", pal, 225, 50, []int{150, 75}},
		{"a short rest gets a GOP", pal, 224, 50, []int{100, 124}},
		{"one frame over", pal, 301, 50, []int{150, 100, 51}},
		{"29.97", ntsc, 361, 60, []int{180, 120, 61}},
		{"23.976", film, 288, 48, []int{144, 144}},
		{"12.5", spool.Ratio{Num: 25, Den: 2}, 76, 25, []int{50, 26}},
		{"one a second", spool.Ratio{Num: 1, Den: 1}, 13, 2, []int{6, 4, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := Lay(spool.Timeline{Rate: c.rate, Frames: c.frames}, 0)
			if g.GOP != c.gop || !slices.Equal(g.Frames, c.want) || g.Target != 6 || g.Packets != nil {
				t.Errorf("got %+v", g)
			}
		})
	}
}

func TestLayPackets(t *testing.T) {
	// 14 s at 25: segments end at 6, 10 and 14 s; 6 s are 281.25 packets, 10 s
	// are 468.75, 14 s are 656.25.
	g := Lay(spool.Timeline{Rate: pal, Frames: 350, Samples: 14 * 48000}, 0)
	if want := []int{282, 188, 188}; !slices.Equal(g.Packets, want) || g.PrimingSamples != 1024 {
		t.Errorf("got %+v", g)
	}
	only := Lay(spool.Timeline{Samples: 13 * 48000}, 0)
	if want := []int{283, 188, 140}; !slices.Equal(only.Packets, want) || only.Frames != nil || only.GOP != 0 {
		t.Errorf("audio only: got %+v", only)
	}
	if g := Lay(spool.Timeline{Samples: 1}, 0); !slices.Equal(g.Packets, []int{2}) {
		t.Errorf("one sample: got %+v", g)
	}
}

func TestChunks(t *testing.T) {
	for _, c := range []struct {
		seconds, segment int
		want             []int // segments
	}{
		{30, 6, []int{1, 1, 1, 1, 1}},
		{90, 6, []int{1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1}},
		{60, 2, []int{1, 1, 4, 4, 4, 4, 6, 3, 1, 1, 1}},
		{60, 10, []int{1, 1, 1, 1, 1, 1}},
	} {
		g := Lay(spool.Timeline{Rate: pal, Frames: 25 * c.seconds}, c.segment)
		var got []int
		segment, frame := 0, 0
		for i, chunk := range Chunks(g) {
			if chunk.Number != i || chunk.FirstSegment != segment || chunk.FirstFrame != frame {
				t.Errorf("%d s in %d s: chunk %+v", c.seconds, c.segment, chunk)
			}
			got = append(got, chunk.Segments)
			segment, frame = segment+chunk.Segments, frame+chunk.Frames
		}
		if !slices.Equal(got, c.want) || frame != sum(g.Frames) {
			t.Errorf("%d s in %d s: got %v", c.seconds, c.segment, got)
		}
	}
	if got := Chunks(spool.Grid{}); got != nil {
		t.Errorf("no frames: got %+v", got)
	}
	g := spool.Grid{Frames: []int{9, 9, 9, 9, 9, 9, 9, 6, 5}}
	if got := Whole(g); !slices.Equal(got, []spool.Chunk{{Segments: 9, Frames: 74}}) {
		t.Errorf("whole: got %+v", got)
	}
}

func TestPieces(t *testing.T) {
	for _, c := range []struct{ seconds, pieces, long int }{
		{1, 1, 1}, {12, 1, 1}, {23, 1, 1}, {24, 2, 1}, {84, 3, 1}, {299, 7, 2}, {301, 7, 2}, {440, 9, 2}, {460, 9, 2}, {3600, 62, 13},
	} {
		g := Lay(spool.Timeline{Rate: pal, Frames: 25 * c.seconds, Samples: int64(c.seconds) * 48000}, 0)
		if got := Pieces(g); len(got) != c.pieces {
			t.Errorf("%d s: got %d pieces: %+v", c.seconds, len(got), got)
		}
		if got := LongPieces(g); len(got) != c.long {
			t.Errorf("%d s: got %d long pieces", c.seconds, len(got))
		}
	}
}

var rates = []spool.Ratio{
	{Num: 1, Den: 1},
	{Num: 10, Den: 1},
	{Num: 12, Den: 1},
	{Num: 25, Den: 2},
	{Num: 15, Den: 1},
	film,
	{Num: 24, Den: 1},
	pal, ntsc,
	{Num: 30, Den: 1},
	{Num: 48, Den: 1},
	{Num: 50, Den: 1},
	{Num: 60000, Den: 1001},
	{Num: 60, Den: 1},
}

func sum(n []int) int {
	total := 0
	for _, v := range n {
		total += v
	}
	return total
}

func TestGridProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom(rates).Draw(t, "rate")
		frames := rapid.IntRange(1, 400_000).Draw(t, "frames")
		samples := spool.Ratio{Num: rate.Den, Den: rate.Num}.RescaleNearest(int64(frames), spool.Ratio{Num: 1, Den: SampleRate})
		segment := lengths.Draw(t, "segment")
		g := Lay(spool.Timeline{Rate: rate, Frames: frames, Samples: samples}, segment)
		checkFrames(t, g, rate, frames)
		checkPackets(t, g, rate, samples)
		checkParts(t, g)
	})
}

// lengths are those of segments; 0 is the usual one.
var lengths = rapid.SampledFrom([]int{0, 2, 3, 4, 5, 7, 8, 9, 10})

func checkFrames(t *rapid.T, g spool.Grid, rate spool.Ratio, frames int) {
	if sum(g.Frames) != frames {
		t.Fatalf("%d frames in segments", sum(g.Frames))
	}
	frame := rate.Invert().Float()
	if gop := float64(g.GOP) * frame; gop > 2+frame/2 {
		t.Fatalf("key frames are %f s apart", gop)
	}
	full := gops(g.Segment) * g.GOP
	if off := float64(full)*frame - float64(seconds(g.Segment)); off > frame*float64(gops(g.Segment))/2+1e-9 || -off > frame*float64(gops(g.Segment))/2+1e-9 {
		t.Fatalf("segments are %f s longer than asked for", off)
	}
	if longest := slices.Max(g.Frames); rate.Invert().RescaleNearest(int64(longest), spool.Ratio{Num: 1, Den: 1}) > int64(g.Target) {
		t.Fatalf("a segment of %d frames with target %d", longest, g.Target)
	}
	for k, n := range g.Frames {
		last := k == len(g.Frames)-1
		halved := full == g.GOP && k == len(g.Frames)-2
		if n <= 0 || n > full || !last && !halved && n%g.GOP != 0 {
			t.Fatalf("segment %d has %d frames", k, n)
		}
		if last && n < g.GOP && 2*n < full && len(g.Frames) > 1 {
			t.Fatalf("the last segment has %d frames", n)
		}
	}
}

func checkPackets(t *rapid.T, g spool.Grid, rate spool.Ratio, samples int64) {
	if len(g.Packets) != len(g.Frames) {
		t.Fatalf("%d audio segments", len(g.Packets))
	}
	held := int64(sum(g.Packets)-1) * PacketSamples
	if held < samples || held >= samples+PacketSamples {
		t.Fatalf("%d samples in packets for %d", held, samples)
	}
	shown, done := 0, 0
	for k := range g.Packets {
		shown, done = shown+g.Frames[k], done+g.Packets[k]
		if g.Packets[k] <= 0 {
			t.Fatalf("audio segment %d has %d packets", k, g.Packets[k])
		}
		if k == len(g.Packets)-1 {
			break
		}
		off := float64(done-1)*PacketSamples/SampleRate - float64(shown)/rate.Float()
		if off > 0.0107 || off < -0.0107 {
			t.Fatalf("audio segment %d ends %f s off", k, off)
		}
	}
}

func checkParts(t *rapid.T, g spool.Grid) {
	segment, frame := 0, 0
	for i, c := range Chunks(g) {
		if c.Number != i || c.FirstSegment != segment || c.FirstFrame != frame || c.Segments < 1 || i > 2 && c.Segments > 20/seconds(g.Segment) {
			t.Fatalf("chunk %+v", c)
		}
		segment, frame = segment+c.Segments, frame+c.Frames
	}
	if segment != len(g.Frames) || frame != sum(g.Frames) {
		t.Fatalf("chunks end at segment %d, frame %d", segment, frame)
	}
	segment, packet := 0, 0
	for i, p := range Pieces(g) {
		if p.Number != i || p.FirstSegment != segment || p.FirstPacket != packet || p.Packets > 25_000 {
			t.Fatalf("piece %+v", p)
		}
		segment, packet = segment+p.Segments, packet+p.Packets
	}
	if segment != len(g.Packets) || packet != sum(g.Packets) {
		t.Fatalf("pieces end at segment %d, packet %d", segment, packet)
	}
}
