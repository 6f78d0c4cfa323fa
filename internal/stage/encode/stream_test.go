package encode_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/ladder"
	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/stage/plan"
	"github.com/spool-video/spool/internal/tap"
)

// Streams of 20 s: three segments, one in each chunk.
var streams = []identity{
	{name: "mpegts h264", source: mediatest.Barcode{Name: "s.ts", Codec: x264("-g", "40")}},
	{name: "mpegts h264 open gop", source: mediatest.Barcode{Name: "s.ts", Rate: "30000/1001", Codec: x264("-g", "40", "-x264-params", "open-gop=1:bframes=3:b-adapt=0")}},
	{name: "mpegts hevc open gop", source: mediatest.Barcode{Name: "s.ts", Codec: []string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "keyint=30:bframes=3:open-gop=1:log-level=error"}}},
	{name: "mpegts mpeg2", source: mediatest.Barcode{Name: "s.ts", Codec: []string{"-c:v", "mpeg2video", "-q:v", "3", "-bf", "2", "-g", "12"}}},
	{name: "mpegts interlaced", source: mediatest.Barcode{Name: "s.ts", Width: 160, Height: 96, Filter: "setfield=tff", Codec: []string{"-c:v", "mpeg2video", "-q:v", "3", "-bf", "2", "-g", "12", "-flags", "+ilme+ildct"}}},
	{name: "mpegts with time codes", source: mediatest.Barcode{Name: "s.m2ts", Codec: x264("-g", "40"), Args: []string{"-mpegts_m2ts_mode", "1"}}},
	{name: "matroska", source: mediatest.Barcode{Name: "s.mkv", Rate: "30000/1001", Codec: x264("-g", "40", "-x264-params", "open-gop=1:bframes=3:b-adapt=0")}},
	{name: "matroska live", source: mediatest.Barcode{Name: "s.mkv", Codec: x264("-g", "40"), Args: []string{"-live", "1"}}},
	{name: "webm", source: mediatest.Barcode{Name: "s.webm", Codec: []string{"-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "40", "-b:v", "300k"}, Args: []string{"-c:a", "libopus"}}},
	{name: "fragmented mp4", source: mediatest.Barcode{Codec: x264("-g", "40"), Args: []string{"-movflags", "frag_keyframe+empty_moov"}}},
	{name: "cmaf", source: mediatest.Barcode{Codec: x264("-g", "40"), Args: []string{"-movflags", "frag_keyframe+empty_moov+default_base_moof+global_sidx"}}},
}

func TestFramesOfStreams(t *testing.T) {
	for _, c := range streams {
		c.source.Frames, c.source.Audio = 20*25, true
		t.Run(c.name, c.proveArriving)
	}
}

// proveArriving encodes the first chunk of a source when only a part of it has
// come, and the others when all of it has.
func (c identity) proveArriving(t *testing.T) {
	path := c.source.Make(t)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // read only
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	desk := &tap.Desk{}
	arriving := desk.Taps.Open(path, file, info.Size())
	part := spool.Spans{{From: 0, To: info.Size() * 7 / 10}}
	arriving.Arrived(part)
	s, h := &source{path: path}, newHouse(t)
	h.stage.Sources = desk
	job := spool.Job{
		JobKey: spool.JobKey{Video: "vid", Revision: "r1", Kind: spool.Draft}, Fetched: &spool.Fetched{Path: path, Arriving: true},
		Settings: spool.Settings{Ladder: "default", Preset: "superfast"},
	}
	early := false
	r, err := plan.Stage{Tools: tools(t), Ladders: map[string]ladder.Spec{}, Sources: desk}.Run(t.Context(), job, func(p spool.Progress) {
		if p.Result == nil || early {
			return
		}
		early, s.plan = true, *p.Result.Plan
		if first := s.plan.Chunks[0]; !part.Has(first.Bytes) {
			t.Errorf("the first chunk needs %+v", first.Bytes)
		} else if _, err := h.stage.Run(t.Context(), s.job(0), nil); err != nil {
			t.Error(err)
		}
		arriving.Arrived(spool.Spans{{From: 0, To: info.Size()}})
		arriving.End(nil)
	})
	if err != nil || !early {
		t.Fatal(early, err)
	}
	puts := h.store.puts
	s.plan = *r.Plan
	made := h.encodeAll(t, s)
	if again := len(made.Segments) + len(made.Inits); h.store.puts-puts >= again {
		t.Errorf("%d puts after the first %d, for %d objects: the first chunk was made again", h.store.puts-puts, puts, again)
	}
	want := make([]int, s.plan.Timeline.Frames)
	for n := range want {
		want[n] = n
	}
	for _, r := range ffmpeg.EncodedRungs(&s.plan) {
		if diff := cmp.Diff(want, mediatest.ReadBarcodes(t, h.rendition(t, made, r.Name))); diff != "" {
			t.Errorf("%s:\n%s", r.Name, diff)
		}
	}
}
