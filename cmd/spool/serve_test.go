package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// manager is a service manager, as far as a service speaks to it.
type manager struct {
	path string
	said *lines
}

func newManager(t *testing.T) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "spool-notify-") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	m := &manager{path: filepath.Join(dir, "notify"), said: newLines()}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for b := make([]byte, 4096); ; {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			_, _ = m.said.Write(append(b[:n:n], '\n'))
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-ended
		_ = os.RemoveAll(dir)
	})
	return m
}

// heard waits until the service has said something to its manager.
func (m *manager) heard(t *testing.T, c *child, what string) {
	t.Helper()
	(&child{cmd: c.cmd, out: m.said, ended: c.ended}).await(t, what)
}

// A service waits for what it cannot do without, says so to its manager and to
// people, goes on with what is unfinished, publishes what comes, keeps the
// watchdog quiet, and ends well.
func TestServe(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	m := newManager(t)
	real := w.ffmpeg
	w.ffmpeg = w.path("ffmpeg")
	w.env = []string{"NOTIFY_SOCKET=" + m.path, "WATCHDOG_USEC=3000000", "SPOOL_WATCH=" + w.in, "SPOOL_SETTLE=1s", "SPOOL_POLL=1s"}
	c := w.start(t, "serve")
	c.await(t, `waits: .*ffmpeg`)
	m.heard(t, c, `STATUS=waits: .*ffmpeg`)
	if err := os.Symlink(real, w.ffmpeg); err != nil {
		t.Fatal(err)
	}
	m.heard(t, c, `READY=1`)
	m.heard(t, c, `WATCHDOG=1`)
	w.put(t, "one.mp4", reel(t, "head"), 1)
	c.await(t, `one-\w+: ready`)
	if said := w.do(t, exitTryAgain, "serve"); !strings.Contains(said, "spool serve, since") {
		t.Errorf("a second one said:\n%s", said)
	}
	c.signal(t, syscall.SIGTERM)
	c.end(t, exitReady)
	m.heard(t, c, `STOPPING=1`)
	w.good(t, 1)
}
