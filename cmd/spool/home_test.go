package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// home is where one test's user publishes: a home, a destination "bucket", a
// scratch folder "work" and a state folder "state".
type home struct {
	dir    string
	clip   string
	ffmpeg string   // what is run in the place of ffmpeg
	env    []string // more of it
}

// heard makes the clip of these tests, once: 14 s, three chunks, with sound.
var heard = sync.OnceValues(func() (media []byte, err error) {
	dir, err := os.MkdirTemp("", "spool-clips-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	name, err := (&clips{dir: dir}).make("heard", ".mp4")
	if err != nil {
		return nil, err
	}
	return os.ReadFile(name)
})

func newHome(t *testing.T) *home {
	t.Helper()
	needTools(t, "ffmpeg", "ffprobe")
	clip, err := heard()
	if err != nil {
		t.Fatal(err)
	}
	h := &home{dir: t.TempDir(), ffmpeg: program(t, "ffmpeg")}
	h.clip = filepath.Join(h.dir, "film.mp4")
	if err := os.WriteFile(h.clip, clip, 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *home) path(names ...string) string {
	return filepath.Join(append([]string{h.dir}, names...)...)
}

// start runs a command of spool.
func (h *home) start(t *testing.T, args ...string) *child {
	t.Helper()
	return launch(t, h.command(t, args...))
}

func (h *home) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), built(t), args...)
	cmd.Dir = h.dir
	cmd.Env = append(os.Environ(), "HOME="+h.dir, "SPOOL_TO=bucket", "SPOOL_STATE=state", "SPOOL_WORK=work")
	switch args[0] {
	case "run", "watch", "serve", "worker":
		cmd.Env = append(cmd.Env, "SPOOL_PRESET=ultrafast", "SPOOL_PROGRESS=plain", "SPOOL_FFMPEG="+h.ffmpeg)
	case "doctor":
		cmd.Env = append(cmd.Env, "SPOOL_FFMPEG="+h.ffmpeg)
	}
	cmd.Env = append(cmd.Env, h.env...)
	return cmd
}

// do runs a command of spool to its end.
func (h *home) do(t *testing.T, code int, args ...string) string {
	t.Helper()
	return h.start(t, args...).end(t, code)
}

// good holds that n videos are ready and whole, and that scratch is clean.
func (h *home) good(t *testing.T, n int) {
	t.Helper()
	if said := h.do(t, exitReady, "verify", "--all"); strings.Count(said, "good") != n {
		t.Errorf("verify:\n%s", said)
	}
	if said := h.do(t, exitReady, "ls", "--status", "ready"); strings.Count(said, "\n") != n {
		t.Errorf("ls:\n%s", said)
	}
	if left := files(t, h.path("work")); len(left) > 0 && left[0] != "filler" {
		t.Errorf("left in scratch: %v", left)
	}
}

// stub puts a script in the place of ffmpeg. body is shell: it may decide by
// $PWD, which names the job, and falls through to the real ffmpeg.
func (h *home) stub(t *testing.T, body string) {
	t.Helper()
	h.ffmpeg = h.path("ffmpeg")
	h.env = append(h.env, "SPOOL_SANDBOX=off") // it leaves notes for the test
	text := fmt.Sprintf("#!/bin/sh\nreal=%s\nhome=%s\n%s\nexec $real \"$@\"\n", program(t, "ffmpeg"), h.dir, body)
	if err := os.WriteFile(h.ffmpeg, []byte(text), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
}

// gate makes the encoder of the second chunk wait for open, and say that it
// waits by the file "held".
func (h *home) gate(t *testing.T) {
	t.Helper()
	h.stub(t, `case $PWD in */encode-00001) : > $home/held; while [ ! -e $home/open ]; do sleep 0.02; done;; esac`)
}

func (h *home) open(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(h.path("open"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// held waits until the encoder waits at the gate.
func (h *home) held(t *testing.T, c *child) {
	t.Helper()
	h.until(t, c, "the encoder to be held", func() bool {
		_, err := os.Stat(h.path("held"))
		return err == nil
	})
}

// heldEncoder is the process that waits at the gate; 0 when there is none.
func (h *home) heldEncoder() int {
	for _, pid := range marked(h.path("state")) {
		if cwd, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); strings.HasSuffix(cwd, "encode-00001") && strings.Contains(commandLine(pid), h.path("ffmpeg")) {
			return pid
		}
	}
	return 0
}

// until waits for something that only looking shows.
func (h *home) until(t *testing.T, c *child, what string, is func() bool) {
	t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	late := time.After(patient)
	for !is() {
		select {
		case <-look.C:
		case <-c.ended:
			t.Fatalf("it ended, and did not wait for %s:\n%s", what, c.said())
		case <-late:
			t.Fatalf("no sign of %s:\n%s", what, c.said())
		}
	}
}

// blameless holds that no job has an attempt or a death to its name.
func (h *home) blameless(t *testing.T) {
	t.Helper()
	said := h.do(t, exitReady, "show", h.id(t), "--json")
	if bad := regexp.MustCompile(`"(attempts|deaths)": [1-9].*`).FindString(said); bad != "" {
		t.Errorf("somebody is blamed: %s\n%s", bad, said)
	}
}

// id is the ID of the only video.
func (h *home) id(t *testing.T) string {
	t.Helper()
	id, _, _ := strings.Cut(h.do(t, exitReady, "ls"), " ")
	return id
}

// one gives the only file that matches a pattern.
func (h *home) one(t *testing.T, pattern ...string) string {
	t.Helper()
	found, err := filepath.Glob(h.path(pattern...))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v: %v, %v", pattern, found, err)
	}
	return found[0]
}
