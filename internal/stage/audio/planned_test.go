package audio_test

import (
	"math"
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
	return plannedOf(t, &spool.Fetched{Path: path})
}

func plannedOf(t *testing.T, fetched *spool.Fetched) *source {
	t.Helper()
	stage := planning.Stage{Tools: ffmpeg.Tools{FFmpeg: "ffmpeg", FFprobe: "ffprobe"}, Ladders: map[string]ladder.Spec{}}
	r, err := stage.Run(t.Context(), spool.Job{
		JobKey: spool.JobKey{Video: "vid", Revision: "r1", Kind: spool.Draft}, Fetched: fetched,
		Settings: spool.Settings{Ladder: "default", Preset: "superfast"},
	}, func(spool.Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	s := &source{path: fetched.Path, plan: *r.Plan}
	for _, piece := range r.Plan.Pieces {
		s.job = append(s.job, spool.Job{
			JobKey:  spool.JobKey{Video: "vid", Revision: "r1", Kind: spool.Audio, Number: piece.Number},
			Fetched: fetched, Plan: &s.plan, Piece: &piece,
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

// Sound in a file of its own is heard when its own clock says, and the pictures
// when theirs does: both clocks begin at one time. Where no times are wanted
// the files were made so that they lost some, and what a decoder shows counts.
func TestPlannedSoundApart(t *testing.T) {
	for name, c := range map[string]struct {
		source          mediatest.FlashBeep
		pictures, sound string // file names
		args            []string
		want            []float64
	}{
		"copied":     {mediatest.FlashBeep{Seconds: 8}, "v.mp4", "a.m4a", nil, []float64{0.52, 1.52, 2.52, 3.52, 4.52, 5.52, 6.52, 7.52}},
		"fragmented": {mediatest.FlashBeep{Seconds: 3}, "v.mp4", "a.m4a", []string{"-movflags", "+frag_keyframe+empty_moov+default_base_moof"}, nil},
		"late":       {mediatest.FlashBeep{Seconds: 3, Delay: 0.45}, "v.mp4", "a.m4a", nil, []float64{0.52, 1.52, 2.52}},
		"early":      {mediatest.FlashBeep{Seconds: 3, Delay: -0.3}, "v.mp4", "a.m4a", nil, []float64{0.2, 1.2, 2.2}},
		"two kinds":  {mediatest.FlashBeep{Seconds: 3, Delay: 0.45}, "v.mp4", "a.webm", []string{"-c:a", "libopus"}, nil},
		"both WebM":  {mediatest.FlashBeep{Seconds: 3, Delay: -0.3}, "v.mkv", "a.webm", []string{"-c:a", "libopus"}, []float64{0.2, 1.2, 2.2}},
		"lossless":   {mediatest.FlashBeep{Seconds: 3}, "v.mp4", "a.mka", []string{"-c:a", "flac"}, []float64{0.52, 1.52, 2.52}},
	} {
		t.Run(name, func(t *testing.T) {
			whole, dir := c.source.Make(t), t.TempDir()
			f := &spool.Fetched{Path: filepath.Join(dir, c.pictures), Sound: &spool.Fetched{Path: filepath.Join(dir, c.sound)}}
			for path, stream := range map[string]string{f.Path: "0:v", f.Sound.Path: "0:a"} {
				args := []string{"-i", "file:" + whole, "-map", stream, "-c", "copy"}
				mediatest.FFmpeg(t, append(append(args, c.args...), "file:"+path)...)
			}
			s := plannedOf(t, f)
			if c.want == nil {
				for _, at := range mediatest.Beeps(t, f.Sound.Path) {
					c.want = append(c.want, at-float64(s.plan.Timeline.Origin)*s.plan.Timeline.TimeBase.Float())
				}
			}
			beeps(t, s, c.want)
			if name == "copied" && !s.plan.Sounds[0].Copied {
				t.Errorf("the sound was not copied: %s", s.plan.Sounds[0].Why)
			}
		})
	}
}
