package audio_test

import (
	"math"
	"os"
	"path/filepath"
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

// Eleven minutes are three pieces.
func TestPlannedPieces(t *testing.T) {
	for name, codec := range map[string][]string{
		"s.mka": {"-ar", "44100", "-c:a", "aac"}, "s.m4a": {"-c:a", "aac"}, "s.mp3": {"-c:a", "libmp3lame"}, "s.ogg": {"-c:a", "libopus"},
	} {
		t.Run(name, func(t *testing.T) {
			if os.Getenv("SPOOL_SOAK") != "1" {
				t.Log("left for SPOOL_SOAK=1")
				return
			}
			path := filepath.Join(t.TempDir(), name)
			args := []string{"-f", "lavfi", "-i", "aevalsrc='if(between(mod(t\\,10)\\,5\\,5.1)\\,0.5*sin(2*PI*1000*(mod(t\\,10)-5))\\,0)':s=48000:d=660"}
			mediatest.FFmpeg(t, append(append(args, codec...), path)...)
			var want []float64
			for at := 5.0; at < 660; at += 10 {
				want = append(want, at)
			}
			s := planned(t, path)
			if len(s.job) < 2 {
				t.Errorf("%d pieces", len(s.job))
			}
			// Without pictures it may begin with the priming of the source's
			// codec; the joints must not move anything.
			file, _ := s.encode(t)
			got := mediatest.Beeps(t, file)
			if len(got) != len(want) || math.Abs(got[0]-want[0]) > 0.05 {
				t.Fatalf("%d beeps, want %d: %.3f", len(got), len(want), got)
			}
			for i := range got {
				if moved := got[i] - want[i] - (got[0] - want[0]); math.Abs(moved) > 0.001 {
					t.Errorf("beep at %.4f s moved by %.2f ms", got[i], 1000*moved)
				}
			}
			t.Logf("%d pieces; the first beep is %.1f ms late", len(s.job), 1000*(got[0]-want[0]))
		})
	}
}
