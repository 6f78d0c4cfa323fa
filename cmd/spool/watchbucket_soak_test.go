//go:build soak

package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// A bucket is watched as a folder is: what comes is published, what is replaced
// is made anew, and nothing is made twice, also after a restart.
func TestSoakWatchBucket(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	put := h.anyBucket(t)
	var clips [2][]byte
	for i, length := range []string{"2", "3"} {
		short := h.path("short" + length + ".mp4")
		h.remux(t, h.clip, short, "-t", length)
		clip, err := os.ReadFile(short)
		if err != nil {
			t.Fatal(err)
		}
		clips[i] = clip
	}
	put("in/one.mp4", clips[0])
	args := []string{"watch", "far:films/in", "--settle", "1s", "--poll", "1s"}
	c := h.start(t, args...)
	c.await(t, `one-\w+: ready`)
	put("in/below/two.mp4", clips[0])
	c.await(t, `two-\w+: ready`)
	put("in/one.mp4", clips[1])
	c.await(t, `(?s)one-\w+: made anew.*one-\w+: ready`)
	c.signal(t, syscall.SIGTERM)
	if n := strings.Count(c.end(t, exitReady), "/master.m3u8\n"); n != 3 {
		t.Errorf("%d videos were given out, want 3", n)
	}
	again := h.start(t, args...)
	put("in/three.mp4", clips[1])
	again.await(t, `three-\w+: ready`)
	again.signal(t, syscall.SIGTERM)
	if said := again.end(t, exitReady); strings.Count(said, ": ready, ") != 1 {
		t.Errorf("after a restart:\n%s", said)
	}
	h.good(t, 3)
}
