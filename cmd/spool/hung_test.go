//go:build soak

package main

import (
	"os"
	"strings"
	"testing"
)

// An encoder that hangs, and one of sound, are found out, ended and replaced;
// the run says so and ends as any other.
func TestSoakHungEncoders(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.stub(t, `case $PWD in */encode-00001) mkdir $home/pictures 2>/dev/null && exec sleep 3600;; */audio-00000) mkdir $home/sound 2>/dev/null && exec sleep 3600;; esac`)
	said := h.do(t, exitReady, "run", "film.mp4")
	h.good(t, 1)
	for _, name := range []string{"pictures", "sound"} {
		if _, err := os.Stat(h.path(name)); err != nil {
			t.Errorf("the stub of %s was not asked", name)
		}
	}
	if strings.Contains(said, "sleep") {
		t.Errorf("it speaks of what it does not know:\n%s", said)
	}
}
