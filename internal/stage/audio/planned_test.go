package audio_test

import (
	"math"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/ladder"
	"github.com/spool-video/spool/internal/mediatest"
	planning "github.com/spool-video/spool/internal/stage/plan"
)

// planned lets the plan stage lay out the sound of a file.
func planned(t *testing.T, path string) *source {
	t.Helper()
	stage := planning.Stage{Tools: ffmpeg.Tools{FFmpeg: "ffmpeg", FFprobe: "ffprobe"}, Ladders: map[string]ladder.Spec{}}
	r, err := stage.Run(t.Context(), spool.Job{
		JobKey: spool.JobKey{Video: "vid", Revision: "r1", Kind: spool.Draft}, Fetched: &spool.Fetched{Path: path},
		Settings: spool.Settings{Ladder: "default", Preset: "superfast"},
	}, func(spool.Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	s := &source{path: path, plan: *r.Plan}
	for _, piece := range r.Plan.Pieces {
		s.job = append(s.job, spool.Job{
			JobKey:  spool.JobKey{Video: "vid", Revision: "r1", Kind: spool.Audio, Number: piece.Number},
			Fetched: &spool.Fetched{Path: path}, Plan: &s.plan, Piece: &piece,
		})
	}
	return s
}

// beeps holds what is heard in the published sound against what must be.
func beeps(t *testing.T, s *source, want []float64) {
	t.Helper()
	file, _ := s.encode(t)
	got, worst := mediatest.Beeps(t, file), 0.0
	if len(got) != len(want) {
		t.Fatalf("%d beeps, want %d: %.3f", len(got), len(want), got)
	}
	for i := range got {
		worst = max(worst, math.Abs(got[i]-want[i]))
		if math.Abs(got[i]-want[i]) > 0.005 {
			t.Errorf("beep %d at %.4f s, want %.4f", i, got[i], want[i])
		}
	}
	t.Logf("%d pieces, %d beeps, off by %.2f ms at most", len(s.job), len(got), 1000*worst)
}

func TestPlannedSound(t *testing.T) {
	for _, c := range []struct {
		source mediatest.FlashBeep
		want   []float64
	}{
		{mediatest.FlashBeep{Seconds: 3}, []float64{0.52, 1.52, 2.52}},
		{mediatest.FlashBeep{Name: "s.mkv", Seconds: 3, Delay: 0.45}, []float64{0.52, 1.52, 2.52}},
		{mediatest.FlashBeep{Name: "s.ts", Seconds: 3, Delay: -0.3}, []float64{0.2, 1.2, 2.2}},
		{mediatest.FlashBeep{Name: "s.avi", Seconds: 3, Args: []string{"-c:v", "mpeg4", "-bf", "0", "-c:a", "pcm_s16le"}}, []float64{0.52, 1.52, 2.52}},
	} {
		t.Run(c.source.Name, func(t *testing.T) { beeps(t, planned(t, c.source.Make(t)), c.want) })
	}
}
