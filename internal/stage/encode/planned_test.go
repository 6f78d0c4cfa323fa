package encode_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/ladder"
	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/stage/plan"
)

// The same proof over the plan stage's own plans: whole segments of 6 s.
func TestPlannedFrames(t *testing.T) {
	for _, c := range []identity{
		{name: "mp4 29.97", source: mediatest.Barcode{Rate: "30000/1001", Frames: 400, Codec: x264("-g", "48")}},
		{name: "mpegts open gop", source: mediatest.Barcode{Name: "s.ts", Frames: 400, Codec: x264("-g", "40", "-x264-params", "open-gop=1:bframes=3:b-adapt=0")}},
		{name: "avi", sequential: true, source: mediatest.Barcode{Name: "s.avi", Frames: 200, Codec: []string{"-c:v", "mpeg4", "-q:v", "3", "-bf", "2"}}},
	} {
		t.Run(c.name, c.provePlanned)
	}
}

// provePlanned encodes the source over the plan stage's plan.
func (c identity) provePlanned(t *testing.T) {
	path := c.source.Make(t)
	job := spool.Job{
		JobKey: spool.JobKey{Video: "vid", Revision: "r1", Kind: spool.Draft}, Fetched: &spool.Fetched{Path: path},
		Settings: spool.Settings{Ladder: "default", Preset: "superfast"},
	}
	r, err := plan.Stage{Tools: tools(t), Ladders: map[string]ladder.Spec{}}.Run(t.Context(), job, func(spool.Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	s := probe(t, path, r.Plan.Timeline.Rate)
	s.plan = *r.Plan
	if s.plan.Sequential != c.sequential {
		t.Errorf("sequential: %v", s.plan.Sequential)
	}
	want := s.want()
	if c.sequential {
		// Its packets have no presentation times: every frame once.
		for n := range want {
			want[n] = n
		}
	}
	h := newHouse(t)
	made := h.encodeAll(t, s)
	for _, r := range ffmpeg.EncodedRungs(&s.plan) {
		got := mediatest.ReadBarcodes(t, h.rendition(t, made, r.Name))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", r.Name, diff)
		}
	}
	t.Logf("%d chunks, %d frames at %v, %d rungs", len(s.plan.Chunks), s.plan.Timeline.Frames, s.plan.Timeline.Rate, len(s.plan.Rungs))
}
