package main

import (
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// halfway is a run whose source has come for two thirds and stands still, and
// can be watched.
type halfway struct {
	*home
	site *link
	body []byte
	gate chan struct{}
	lost int64 // bytes that may have to come again
	run  []string
	view *viewer
	c    *child
}

// newHalfway prepares such a run.
func newHalfway(t *testing.T, flags ...string) *halfway {
	t.Helper()
	h := &halfway{home: newHome(t), site: newLink(t), body: reel(t, "head"), gate: make(chan struct{})}
	source := h.site.put("/film.mp4", offer{body: h.body, tag: "1", rate: len(h.body), holt: int64(len(h.body) * 2 / 3), gate: h.gate})
	h.run = append([]string{"run", h.publishAs(t, "film", source), "--early", "soon"}, flags...)
	h.view = look(h.path("bucket"), "")
	return h
}

// begin starts it, and waits until it can be watched.
func (h *halfway) begin(t *testing.T) {
	t.Helper()
	h.c = h.start(t, h.run...)
	h.c.await(t, `can be watched while it is made: \S+early\.m3u8`)
}

// whole holds that the video is ready as if nothing had happened, and that
// hardly a byte came twice.
func (h *halfway) whole(t *testing.T) {
	t.Helper()
	h.view.stop()
	for _, err := range h.view.errs {
		t.Error(err)
	}
	for name, g := range h.view.lists {
		if !g.Ended || len(g.Segments) != 6 {
			t.Errorf("%s: ended %v with %d segments", name, g.Ended, len(g.Segments))
		}
	}
	if len(h.view.lists) != 2 || len(h.view.ready) != 1 {
		t.Errorf("lists %v, ready %v", h.view.lists, h.view.ready)
	}
	h.good(t, 1)
	if n := h.site.served("/film.mp4"); n > int64(len(h.body))*101/100+h.lost+socketSlack {
		t.Errorf("%d bytes were sent of %d", n, len(h.body))
	}
	calm := newHome(t)
	local := calm.path("local.mp4")
	if err := os.WriteFile(local, h.body, 0o600); err != nil {
		t.Fatal(err)
	}
	calm.do(t, exitReady, "run", calm.publishAs(t, "film", local))
	if got, want := plain(t, h.path("bucket", "film")), plain(t, calm.path("bucket", "film")); !maps.Equal(got, want) {
		t.Errorf("published %v\nwant %v", got, want)
	}
}

// A signal while the source stands still: nobody waits for bytes that may
// never come, nobody is blamed, and the next run fetches what is missing.
func TestSignalWhileArriving(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			h := newHalfway(t, "--grace", "10m")
			h.begin(t)
			began := time.Now()
			h.c.signal(t, s)
			h.c.end(t, exitInterrupted)
			t.Logf("it ended after %s", time.Since(began).Round(time.Millisecond))
			h.blameless(t)
			if left := marked(h.path("state")); len(left) > 0 {
				t.Errorf("left running: %v", left)
			}
			close(h.gate)
			h.do(t, exitReady, "run", "--early", "soon")
			h.whole(t)
		})
	}
}

// The destination goes away while the source arrives.
func TestDestinationMovedWhileArriving(t *testing.T) {
	t.Parallel()
	h := newHalfway(t)
	h.begin(t)
	if err := os.Rename(h.path("bucket"), h.path("away")); err != nil {
		t.Fatal(err)
	}
	close(h.gate)
	h.c.await(t, `the destination \S+ is away`)
	if err := os.Rename(h.path("away"), h.path("bucket")); err != nil {
		t.Fatal(err)
	}
	h.c.end(t, exitReady)
	h.whole(t)
}

// A disk is full while the source arrives: that of scratch or that of the
// destination.
func TestFullDisksWhileArriving(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]string{
		"bucket": `no space is left in the destination \S+`,
		"work":   `(?i)the scratch disk is full|no space left|are still to come`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHalfway(t)
			mount(t, h.path(name), "size=40m")
			if name == "work" {
				h.lost = int64(len(h.body)) / 4 // it comes in a second, and what is there is noted every 250 ms if there is room
			}
			h.begin(t)
			makeRoom := fill(t, h.path(name), 0)
			close(h.gate)
			h.c.await(t, said)
			makeRoom()
			h.c.end(t, exitReady)
			h.whole(t)
			if found, _ := filepath.Glob(h.path(name, "filler")); len(found) > 0 {
				t.Error("the disk was not full")
			}
		})
	}
}
