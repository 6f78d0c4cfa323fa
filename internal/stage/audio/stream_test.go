package audio_test

import (
	"os"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/ladder"
	"github.com/spool-video/spool/internal/mediatest"
	planning "github.com/spool-video/spool/internal/stage/plan"
	"github.com/spool-video/spool/internal/tap"
)

// streamed lets the plan stage lay out the sound of a file as if it were
// arriving: each piece is read through a pipe, behind the head.
func streamed(t *testing.T, path string) *source {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	desk := &tap.Desk{}
	desk.Taps.Open(path, file, info.Size()).Arrived(spool.Spans{{From: 0, To: info.Size()}})
	stage := planning.Stage{Tools: ffmpeg.Tools{FFmpeg: "ffmpeg", FFprobe: "ffprobe"}, Ladders: map[string]ladder.Spec{}, Sources: desk}
	r, err := stage.Run(t.Context(), spool.Job{
		JobKey: spool.JobKey{Video: "vid", Revision: "r1", Kind: spool.Draft}, Fetched: &spool.Fetched{Path: path, Arriving: true},
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

func TestSoundOfStreams(t *testing.T) {
	from := func(first float64, n int) []float64 {
		all := make([]float64, n)
		for i := range all {
			all[i] = first + float64(i)
		}
		return all
	}
	tests := map[string]struct {
		source mediatest.FlashBeep
		want   []float64
	}{
		"mpegts":         {mediatest.FlashBeep{Name: "s.ts", Seconds: 30}, from(0.52, 30)},
		"mpegts, early":  {mediatest.FlashBeep{Name: "s.ts", Seconds: 30, Delay: -0.3}, from(0.2, 30)},
		"mpegts, hole":   {mediatest.FlashBeep{Name: "s.ts", Seconds: 30, Hole: [2]float64{3.8, 4.2}}, from(0.52, 30)},
		"mpegts, broken": {mediatest.FlashBeep{Name: "s.ts", Seconds: 30, Hole: [2]float64{14.8, 15.2}}, from(0.52, 30)},
		"matroska":       {mediatest.FlashBeep{Name: "s.mkv", Seconds: 30, Delay: 0.45}, from(0.52, 30)},
		// Its pictures come 7 ms late: the muxer moves them by the codec's delay.
		"opus":           {mediatest.FlashBeep{Name: "s.mkv", Seconds: 30, Args: []string{"-c:a", "libopus"}}, from(0.513, 30)},
		"vorbis":         {mediatest.FlashBeep{Name: "s.mkv", Seconds: 30, Args: []string{"-c:a", "libvorbis"}}, from(0.52, 30)},
		"fragmented mp4": {mediatest.FlashBeep{Seconds: 30, Args: []string{"-movflags", "frag_keyframe+empty_moov"}}, from(0.52, 30)},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			s := streamed(t, c.source.Make(t))
			if len(s.plan.Head) == 0 {
				t.Error("it was not planned as a stream")
			}
			beeps(t, s, c.want)
		})
	}
}
