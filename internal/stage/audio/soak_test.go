//go:build soak

package audio_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/spool-video/spool/internal/mediatest"
)

// Eleven minutes are three pieces.
func TestSoakPlannedPieces(t *testing.T) {
	for name, codec := range map[string][]string{
		"s.mka": {"-ar", "44100", "-c:a", "aac"}, "s.m4a": {"-c:a", "aac"}, "s.mp3": {"-c:a", "libmp3lame"}, "s.ogg": {"-c:a", "libopus"},
	} {
		t.Run(name, func(t *testing.T) {
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
