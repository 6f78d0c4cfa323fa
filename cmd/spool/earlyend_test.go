package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/spool-video/spool/internal/hls"
)

// TestEarlyListsEndAfterAKill: a run that is killed between the moment at which
// a video is ready and the end of its early lists leaves one that grows for
// ever. The next run ends it, though it has nothing to do.
func TestEarlyListsEndAfterAKill(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.do(t, exitReady, "run", h.publishAs(t, "film", h.clip), "--early", "soon", "--sizes", "90", "--copy", "never")
	found, err := filepath.Glob(h.path("bucket", "film", "live-*", "v*.m3u8"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	whole, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	first := regexp.MustCompile(`(?s)^.*?\.m4s\n`).Find(whole)
	for _, killed := range []bool{false, true} {
		if err := os.WriteFile(found[0], first, 0o600); err != nil {
			t.Fatal(err)
		}
		if killed { // its mark is what a killed process leaves
			if err := os.WriteFile(h.path("state", "lock.json"), []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		h.do(t, exitReady, "run")
		now, err := os.ReadFile(found[0])
		if err != nil {
			t.Fatal(err)
		}
		list, err := hls.ParseMedia(now)
		if err != nil || list.Ended != killed {
			t.Errorf("killed %t: ended %t, %v\n%s", killed, list.Ended, err, now)
		}
		if killed && string(now) != string(whole) {
			t.Errorf("it is\n%s\nand was\n%s", now, whole)
		}
	}
}
