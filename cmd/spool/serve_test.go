package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spool-video/spool/internal/config"
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

// What is handed in over the API is one video, however often and by how many
// at a time; it outlives the serve, is looked at, stopped, retried and removed
// by the commands, and its keys are for those who may have them.
func TestServeDesk(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.gate(t)
	args := []string{"serve", "--http", "127.0.0.1:0", "--keys", "keys", "--key-rotation", "1", "--allow-source", h.dir}
	if said := h.do(t, exitTryAgain, "add", h.clip); !strings.Contains(said, "no spool serve") {
		t.Errorf("without a serve:\n%s", said)
	}
	c := h.start(t, args...)
	h.until(t, c, "the API", func() bool { return h.serves() != "" })
	both := []*child{h.start(t, "add", "film.mp4"), h.start(t, "add", h.clip), h.start(t, "add", "file:///etc/passwd", "/etc/passwd")}
	said := both[0].end(t, exitReady) + both[1].end(t, exitReady)
	if strings.Count(said, "\taccepted") != 1 || strings.Count(said, "\tknown") != 1 {
		t.Errorf("handed in twice:\n%s", said)
	}
	if said := both[2].end(t, exitSomeFailed); strings.Count(said, "refused") != 2 {
		t.Errorf("what is not allowed:\n%s", said)
	}
	h.held(t, c)
	c.signal(t, syscall.SIGKILL)
	<-c.ended

	c = h.start(t, args...)
	h.until(t, c, "the API", func() bool { return h.serves() != "" })
	id := h.id(t)
	if said := h.do(t, exitReady, "cancel", id); !strings.Contains(said, id+" is cancelled") {
		t.Errorf("cancel:\n%s", said)
	}
	h.open(t)
	h.do(t, exitReady, "retry", id)
	if said := h.do(t, exitReady, "add", h.clip, "--wait"); !strings.Contains(said, "/master.m3u8") {
		t.Errorf("waited for:\n%s", said)
	}
	h.good(t, 1)
	links := strings.Fields(h.do(t, exitReady, "keys", "link", id))
	if len(links) != 3 {
		t.Fatalf("three chunks, a key each, have the links %q", links)
	}
	wanted := map[string]int{links[0][:len(links[0])-1]: http.StatusUnauthorized}
	for _, link := range links {
		wanted[link] = http.StatusOK
	}
	for path, status := range wanted {
		res, err := http.Get(h.serves() + path)
		if err != nil {
			t.Fatal(err)
		}
		key, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != status || status == http.StatusOK && len(key) != 16 {
			t.Errorf("%s: %d, %d bytes (%v)", path, res.StatusCode, len(key), err)
		}
	}
	h.do(t, exitReady, "rm", id)
	if said := h.do(t, exitReady, "ls"); said != "" {
		t.Errorf("after rm:\n%s", said)
	}
	c.signal(t, syscall.SIGTERM)
	c.end(t, exitReady)
	if said := h.do(t, exitReady, "ls"); said != "" {
		t.Errorf("without the serve:\n%s", said)
	}
}

// serves is where the API of the serve is, "" when there is none.
func (h *home) serves() string {
	client, err := serving(context.Background(), config.Config{State: h.path("state")})
	if err != nil || client == nil {
		return ""
	}
	return client.URL
}
