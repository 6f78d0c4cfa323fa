//go:build soak

package main

import (
	"math"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/torturetest"
)

// Every hostile file that is refused is refused soon: what it may cost is the
// start of a few programs. Each is tried alone, and the better of two tries
// counts, for the machine may have been busy.
func TestSoakHostileIsRefusedSoon(t *testing.T) {
	needTools(t, "ffmpeg", "ffprobe")
	s := newStudio(t)
	workshop := torturetest.NewWorkshop(t, s.dir, 9)
	refused, slowest, name := 0, time.Duration(0), ""
	for _, input := range torturetest.Inputs() {
		if input.Kind != torturetest.Hostile || input.Want.Code == "" {
			continue
		}
		path := workshop.Path(t, input.Name)
		best := time.Duration(math.MaxInt64)
		for _, to := range []string{"a", "b"} {
			began := time.Now()
			if _, said, code := s.spool(t, "run", path, "--to", s.path(to)); code != exitSomeFailed {
				t.Errorf("%s: it ends with %d:\n%s", input.Name, code, said)
			}
			if best = min(best, time.Since(began)); best < time.Second {
				break
			}
		}
		if refused++; best > slowest {
			slowest, name = best, input.Name
		}
		if best > 2*time.Second {
			t.Errorf("%s: it took %v to refuse it", input.Name, best)
		}
	}
	if refused < 20 {
		t.Errorf("only %d files were refused", refused)
	}
	t.Logf("%d hostile files, the slowest of them, %s, refused after %v", refused, name, slowest.Round(time.Millisecond))
}
