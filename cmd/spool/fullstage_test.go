//go:build soak && linux

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A disk of 20 MB that gets full at whatever stage a run has come to: it says
// so, waits, goes on by itself when there is room, and what it publishes is
// whole. With ever more room the run gets ever farther: of the destination, up
// to what is put last.
func TestSoakFullAtEveryStage(t *testing.T) {
	control := newHome(t)
	control.do(t, exitReady, "run", "film.mp4", "--keys", "keys")
	total := size(t, control.path("bucket"))
	const steps = 12
	for _, disk := range []string{"bucket", "work"} {
		reached := map[string]int{}
		for i := 1; i <= steps; i++ {
			t.Run(fmt.Sprintf("%s, step %d", disk, i), func(t *testing.T) {
				h := newHome(t)
				mount(t, h.path(disk), "size=20m")
				makeRoom := fill(t, h.path(disk), total*int64(i)/steps)
				c := h.start(t, "run", "film.mp4", "--keys", "keys")
				c.await(t, `no space is left in the destination \S+|the scratch disk is full|1 ready`)
				if !strings.Contains(c.said(), "1 ready") {
					reached[h.farthest(t)]++
				}
				makeRoom()
				c.end(t, exitReady)
				h.good(t, 1)
			})
		}
		t.Logf("%s, of %d bytes: full when there was %v", disk, total, reached)
		if len(reached) < 2 {
			t.Errorf("%s: it was full in one stage only: %v", disk, reached)
		}
	}
}

// farthest is the last kind of object that there is of the only video.
func (h *home) farthest(t *testing.T) string {
	t.Helper()
	last := "nothing"
	for _, kind := range []string{"v*/*.m4s", "a*/*.m4s", "*/*.m3u8", "manifest.json"} {
		found, err := filepath.Glob(h.path("bucket", "film-*", "r*", kind))
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > 0 {
			last = kind
		}
	}
	return last
}

// size is that of all files in a folder.
func size(t *testing.T, dir string) (total int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := os.Stat(path)
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return total
}
