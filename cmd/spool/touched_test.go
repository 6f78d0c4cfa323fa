package main

import (
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/hosttest"
)

// A file that was touched, here or at a server, is not made anew; one that
// changed is, and so is one whose time alone stayed. A film that is called a
// text is taken, a text that is called a film is told of.
func TestTouchedFiles(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	options, there := hosttest.SSH(t)
	h.publishTo(t, options, path.Join(there, "site"))
	film := h.film(t)
	for _, dir := range []string{h.path("in"), path.Join(there, "in")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		source := dir
		if dir != h.path("in") {
			source = "far:" + dir
		}
		write(t, path.Join(dir, "film.txt"), film)
		write(t, path.Join(dir, "text.mp4"), []byte("a text, and no film"))
		if said := h.do(t, exitSomeFailed, "run", source); !strings.Contains(said, "holds 2 videos") || !strings.Contains(said, "1 ready · 1 failed") {
			t.Errorf("the first run:\n%s", said)
		}
		later := time.Now().Add(time.Minute)
		if err := os.Chtimes(path.Join(dir, "film.txt"), later, later); err != nil {
			t.Fatal(err)
		}
		if said := h.do(t, exitSomeFailed, "run", source); strings.Contains(said, "made anew") {
			t.Errorf("made anew though it was only touched:\n%s", said)
		}
		if source != dir {
			continue // what a change does is the same
		}
		changed := append([]byte(nil), film...)
		copy(changed[len(changed)-20:], "other bytes")
		write(t, path.Join(dir, "film.txt"), changed)
		if said := h.do(t, exitSomeFailed, "run", source); !strings.Contains(said, "made anew: its source has changed") {
			t.Errorf("not made anew though it changed:\n%s", said)
		}
	}
}

func write(t *testing.T, name string, body []byte) {
	t.Helper()
	if err := os.WriteFile(name, body, 0o600); err != nil {
		t.Fatal(err)
	}
}
