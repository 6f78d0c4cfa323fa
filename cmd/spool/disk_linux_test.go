package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mount gives dir a small disk of its own.
func mount(t *testing.T, dir, options string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root may mount a small disk")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		if errors.Is(err, syscall.EPERM) {
			t.Skip("a small disk may not be mounted here")
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

// fill leaves no more than free bytes on a disk; the function that it returns
// makes room again.
func fill(t *testing.T, dir string, free int64) (makeRoom func()) {
	t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "filler")
	rest := int64(s.Bavail)*s.Bsize - free //nolint:gosec // never that large
	if err := os.WriteFile(name, make([]byte, max(rest, 0)), 0o600); err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Error(err)
		}
	}
}

// A destination or a scratch disk that is full: the run says so, waits, and
// goes on by itself.
func TestFullDisks(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]string{
		"bucket": `no space is left in the destination \S+`,
		"work":   `the scratch disk is full`,
	} {
		for when, free := range map[string]int64{"from the start": 0, "in mid-run": 200 << 10} {
			t.Run(name+" "+when, func(t *testing.T) {
				t.Parallel()
				h := newHome(t)
				mount(t, h.path(name), "size=20m")
				makeRoom := fill(t, h.path(name), free)
				c := h.start(t, "run", "film.mp4")
				if name == "bucket" && free == 0 {
					// Nothing has begun: it is better not to begin.
					c.await(t, said)
					c.end(t, exitTryAgain)
					makeRoom()
					c = h.start(t, "run", "film.mp4")
				} else {
					c.await(t, said)
					makeRoom()
				}
				c.end(t, exitReady)
				h.good(t, 1)
			})
		}
	}
}

// A destination that turns read-only in mid-run, and back.
func TestReadOnlyDestination(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	mount(t, h.path("bucket"), "size=20m")
	h.gate(t)
	c := h.start(t, "run", "film.mp4")
	h.held(t, c)
	// A file that is being written keeps a disk from turning read-only.
	remount := func(flags uintptr) {
		t.Helper()
		h.until(t, c, "a moment in which nothing is written", func() bool {
			return syscall.Mount("", h.path("bucket"), "", flags|syscall.MS_REMOUNT, "") == nil
		})
	}
	remount(syscall.MS_RDONLY)
	h.open(t)
	c.await(t, `the destination \S+ cannot be written`)
	remount(0)
	c.end(t, exitReady)
	h.good(t, 1)
}

// A destination that goes away in mid-run is waited for. It is not made anew:
// what is there under its name is not it.
func TestDestinationMoved(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.gate(t)
	c := h.start(t, "run", "film.mp4")
	h.held(t, c)
	if err := os.Rename(h.path("bucket"), h.path("away")); err != nil {
		t.Fatal(err)
	}
	h.open(t)
	c.await(t, `the destination \S+ is away`)
	if _, err := os.Stat(h.path("bucket")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was made anew: %v", files(t, h.path("bucket")))
	}
	if err := os.Rename(h.path("away"), h.path("bucket")); err != nil {
		t.Fatal(err)
	}
	c.end(t, exitReady)
	h.good(t, 1)
}

func TestDestinationUnmounted(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	if os.Getuid() != 0 {
		t.Skip("only root may mount a folder")
	}
	for _, dir := range []string{"behind", "bucket"} {
		if err := os.Mkdir(h.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	bind := func() {
		t.Helper()
		if err := syscall.Mount(h.path("behind"), h.path("bucket"), "", syscall.MS_BIND, ""); err != nil {
			t.Skipf("a folder may not be mounted here: %v", err)
		}
	}
	bind()
	t.Cleanup(func() { _ = syscall.Unmount(h.path("bucket"), syscall.MNT_DETACH) })
	h.gate(t)
	c := h.start(t, "run", "film.mp4")
	h.held(t, c)
	if err := syscall.Unmount(h.path("bucket"), syscall.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	h.open(t)
	c.await(t, `the destination \S+ is away`)
	if left := files(t, h.path("bucket")); len(left) > 0 {
		t.Errorf("written below the mount point: %v", left)
	}
	bind()
	c.end(t, exitReady)
	h.good(t, 1)
}

// A run that begins while its destination is not mounted does not begin, and
// writes nothing below the mount point.
func TestDestinationAwayBetweenRuns(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	mount(t, h.path("bucket"), "size=20m")
	h.do(t, exitReady, "run", "film.mp4")
	if err := syscall.Unmount(h.path("bucket"), syscall.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	if said := h.do(t, exitTryAgain, "run", "film.mp4"); !strings.Contains(said, "is away") || !strings.Contains(said, "deleted on purpose") {
		t.Error(said)
	}
	if left := files(t, h.path("bucket")); len(left) > 0 {
		t.Errorf("written below the mount point: %v", left)
	}
}

// A destination that was deleted, or emptied, between two runs is made anew,
// and what was in it is published again.
func TestDestinationDeleted(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.do(t, exitReady, "run", "film.mp4")
	for _, emptied := range []bool{false, true} {
		if err := os.RemoveAll(h.path("bucket")); err != nil {
			t.Fatal(err)
		}
		if emptied {
			if err := os.Mkdir(h.path("bucket"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if said := h.do(t, exitReady, "run", "film.mp4"); !strings.Contains(said, "made anew") {
			t.Error(said)
		}
		h.good(t, 1)
	}
}

// Downloads meet a full scratch disk, too, and go on from where they were.
func TestFullScratchWhileDownloading(t *testing.T) {
	t.Parallel()
	needTools(t, "yt-dlp")
	for _, page := range []string{"/direct.mp4", "/page.html"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			media, err := os.ReadFile(h.clip)
			if err != nil {
				t.Fatal(err)
			}
			site := newSite(t, media)
			mount(t, h.path("work"), "size=20m")
			makeRoom := fill(t, h.path("work"), 200<<10)
			c := h.start(t, "run", site.url+page)
			c.await(t, `(?i)no space left|are still to come`)
			makeRoom()
			c.end(t, exitReady)
			h.good(t, 1)
		})
	}
}

// The ledger's disk is full: the run ends and says so, because nothing that it
// did could be kept; the next one goes on.
func TestFullState(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	mount(t, h.path("state"), "size=20m")
	h.gate(t)
	c := h.start(t, "run", "film.mp4")
	h.held(t, c)
	makeRoom := fill(t, h.path("state"), 0)
	h.open(t)
	if said := c.end(t, exitTryAgain); !strings.Contains(said, "no space is left for the ledger") {
		t.Errorf("it does not say why:\n%s", said)
	}
	makeRoom()
	h.do(t, exitReady, "run")
	h.good(t, 1)
}
