package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spool-video/spool/internal/hls"
)

// studio is a home in which the real program publishes for a test, as users
// have it.
type studio struct {
	dir     string
	program string
}

func newStudio(t *testing.T) studio {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
	return studio{dir: t.TempDir(), program: built(t)}
}

// path is a file of the studio.
func (s studio) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

func (s studio) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.program, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(),
		"HOME="+s.dir, "XDG_STATE_HOME="+s.path("state"), "XDG_CACHE_HOME="+s.path("cache"), "XDG_CONFIG_HOME="+s.path("config"),
		"SPOOL_PRESET=ultrafast", "SPOOL_PROGRESS=plain",
	)
	return cmd
}

// spool runs the program to its end.
func (s studio) spool(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := s.command(t.Context(), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("spool %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// publish runs spool with IDs for sources, and fails the test unless all of
// them are ready. to is the destination's name in the studio.
func (s studio) publish(t *testing.T, to string, sources map[string]string, flags ...string) {
	t.Helper()
	var list strings.Builder
	for id, source := range sources {
		list.WriteString(source + " id=" + id + "\n")
	}
	name := s.path(to + ".txt")
	if err := os.WriteFile(name, []byte(list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, code := s.spool(t, append([]string{"run", name, "--to", s.path(to)}, flags...)...)
	if code != exitReady || strings.Count(out, "\n") != len(sources) {
		t.Fatalf("spool run ends with %d:\n%s%s", code, out, errs)
	}
}

// preview serves a destination until the test ends, and gives its address.
func (s studio) preview(t *testing.T, to string, flags ...string) string {
	t.Helper()
	// The test's own context ends before its cleanup, which ends the preview.
	cmd := s.command(context.WithoutCancel(t.Context()), append([]string{"preview", "--to", s.path(to)}, flags...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // when it has ended already, Wait says so
		if err := cmd.Wait(); err != nil {
			t.Errorf("spool preview: %v\n%s", err, errs.String())
		}
	})
	if err != nil {
		t.Fatalf("spool preview: %v\n%s", err, errs.String())
	}
	return strings.TrimRight(strings.TrimSpace(line), "/")
}

// master reads a published master playlist.
func (s studio) master(t *testing.T, to, video string) hls.Master {
	t.Helper()
	m, err := hls.ParseMaster(s.read(t, to, video, "master.m3u8"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// media gives the names, below the video's folder, of the init section and the
// segments of a clear rendition whose playlist is list.
func (s studio) media(t *testing.T, to, video, list string) []string {
	t.Helper()
	m, err := hls.ParseMedia(s.read(t, to, video, list))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{filepath.Join(filepath.Dir(list), m.Map)}
	for _, segment := range m.Segments {
		names = append(names, filepath.Join(filepath.Dir(list), segment.URI))
	}
	return names
}

// join writes a clear rendition as one file, as a player's buffer gets it.
func (s studio) join(t *testing.T, to, video, list string) string {
	t.Helper()
	var whole []byte
	for _, name := range s.media(t, to, video, list) {
		whole = append(whole, s.read(t, to, video, name)...)
	}
	path := filepath.Join(t.TempDir(), "joined.mp4")
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s studio) read(t *testing.T, elem ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(s.path(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// find gives the files that match a pattern; there must be some.
func (s studio) find(t *testing.T, elem ...string) []string {
	t.Helper()
	found, err := filepath.Glob(s.path(elem...))
	if err != nil || len(found) == 0 {
		t.Fatalf("nothing matches %s: %v", s.path(elem...), err)
	}
	return found
}
