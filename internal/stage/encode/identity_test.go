package encode_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool/internal/mediatest"
)

// identity is one source whose every output frame must show the number that
// the plan says.
type identity struct {
	name       string
	source     mediatest.Barcode
	rate       string // of the output; that of the source when ""
	sequential bool
}

func x264(more ...string) []string { return mediatest.X264(append([]string{"-g", "10"}, more...)...) }

var identities = []identity{
	{name: "mp4", source: mediatest.Barcode{Frames: 130, Codec: x264()}},
	{name: "fragmented mp4", source: mediatest.Barcode{Frames: 100, Codec: x264(), Args: []string{"-movflags", "frag_keyframe+empty_moov"}}},
	{name: "matroska", source: mediatest.Barcode{Name: "s.mkv", Rate: "30000/1001", Frames: 130, Codec: x264()}},
	{name: "mpegts h264", source: mediatest.Barcode{Name: "s.ts", Frames: 130, Codec: x264()}},
	{name: "mpegts h264 open gop", source: mediatest.Barcode{Name: "s.ts", Frames: 130, Codec: x264("-x264-params", "open-gop=1:bframes=3:b-adapt=0")}},
	{name: "mpegts hevc", source: mediatest.Barcode{Name: "s.ts", Frames: 100, Codec: []string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "keyint=10:bframes=3:open-gop=1:log-level=error"}}},
	{name: "mpegts mpeg2", source: mediatest.Barcode{Name: "s.ts", Frames: 130, Codec: []string{"-c:v", "mpeg2video", "-q:v", "3", "-bf", "2", "-g", "10"}}},
	{name: "mp4 interlaced", source: mediatest.Barcode{Frames: 100, Width: 160, Height: 96, Filter: "setfield=tff", Codec: x264("-flags", "+ilme+ildct", "-x264-params", "tff=1:open-gop=0")}},
	{name: "avi", sequential: true, source: mediatest.Barcode{Name: "s.avi", Frames: 100, Codec: []string{"-c:v", "mpeg4", "-q:v", "3", "-g", "10"}}},
	{name: "variable rate with a freeze of 20 s", source: mediatest.Barcode{
		Name: "s.mkv", Frames: 60, Rate: "25", Filter: "setpts='PTS+if(gte(N\\,30)\\,20/TB\\,0)+if(eq(mod(N\\,7)\\,3)\\,0.013/TB\\,0)'", Codec: x264(),
	}, rate: "25"},
	{name: "mp4 59.94", source: mediatest.Barcode{Rate: "60000/1001", Frames: 110, Codec: x264()}},
}

func TestEveryFrameIsTheOneThePlanSays(t *testing.T) {
	for _, c := range identities {
		t.Run(c.name, c.prove)
	}
}

// prove encodes the source over a plan made by hand, with many joints.
func (c identity) prove(t *testing.T) {
	if c.rate == "" {
		c.rate = c.source.Rate
	}
	if c.rate == "" {
		c.rate = "25"
	}
	s := probe(t, c.source.Make(t), ratio(t, c.rate))
	if c.sequential {
		s.sequential()
	}
	h := newHouse(t)
	made := h.encodeAll(t, s)
	for _, r := range s.plan.Rungs {
		got := mediatest.ReadBarcodes(t, h.rendition(t, made, r.Name))
		if diff := cmp.Diff(s.want(), got); diff != "" {
			t.Errorf("%s:\n%s", r.Name, diff)
		}
	}
}
