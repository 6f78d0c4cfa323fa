package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	// A program with the race detector in it sleeps for a second when it ends,
	// unless told otherwise; these tests run some hundred.
	if os.Getenv("GORACE") == "" {
		if err := os.Setenv("GORACE", "atexit_sleep_ms=10"); err != nil {
			panic(err)
		}
	}
	// Most tests wait for other processes most of the time, for the retry of a
	// dead link or the beat of a clock: more of them fit beside one another.
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	testscript.Main(tidied{m}, map[string]func(){
		"spool": func() { os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestStories runs what users do, each story in a home of its own.
func TestStories(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
	clips := &clips{dir: t.TempDir()}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			for _, dir := range []string{"home", "www"} {
				if err := os.MkdirAll(filepath.Join(e.WorkDir, dir), 0o755); err != nil {
					return err
				}
			}
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("GORACE", os.Getenv("GORACE"))
			e.Setenv("SPOOL_PRESET", "ultrafast")
			e.Setenv("SPOOL_PROGRESS", "plain")
			site := httptest.NewServer(website(filepath.Join(e.WorkDir, "www")))
			e.Defer(site.Close)
			e.Setenv("SITE", site.URL)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"clip": clips.command,
			"flip": flip,
			"glob": glob,
			"take": take,
		},
	})
}

// clips makes sources, each kind once for all stories.
type clips struct {
	dir string
	mu  sync.Mutex
}

// kinds are ffmpeg's arguments for the sources that stories use. Those that are
// compared byte by byte stay below the cap of their rungs: under it, x264 with
// several threads gives other bytes each time.
var clipKinds = map[string]string{
	"plain":  "-f lavfi -i testsrc2=s=160x90:r=25:d=2 -f lavfi -i sine=f=440:d=2 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac",
	"five":   "-f lavfi -i testsrc=s=160x90:r=25:d=5 -f lavfi -i sine=f=440:d=5 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 50 -c:a aac",
	"other":  "-f lavfi -i mandelbrot=s=160x90:r=25 -t 2 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
	"two":    "-f lavfi -i testsrc2=s=160x90:r=25:d=2 -f lavfi -i sine=f=440:d=2 -f lavfi -i sine=f=880:d=2 -map 0 -map 1 -map 2 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac -metadata:s:a:1 language=fra",
	"sound":  "-f lavfi -i sine=f=440:d=2 -c:a aac",
	"long":   "-f lavfi -i testsrc2=s=320x180:r=25:d=40 -f lavfi -i sine=f=440:d=40 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 50 -c:a aac",
	"heard":  "-f lavfi -i testsrc=s=160x90:r=25:d=14 -f lavfi -i sine=f=440:d=14 -c:v libx264 -preset ultrafast -crf 8 -pix_fmt yuv420p -g 50 -c:a aac",
	"silent": "-f lavfi -i testsrc=s=320x180:r=25 -t 14 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 50",
	"big":    "-f lavfi -i nullsrc=s=160x90:r=25:d=4,geq=random(1)*255:128:128 -c:v libx264 -preset ultrafast -qp 1 -pix_fmt yuv420p",
	"vga480": "-f lavfi -i testsrc2=s=854x480:r=25:d=1 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
}

// command is "clip KIND FILE".
func (c *clips) command(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 || clipKinds[args[0]] == "" {
		ts.Fatalf("usage: clip KIND FILE")
	}
	made, err := c.make(args[0], filepath.Ext(args[1]))
	ts.Check(err)
	b, err := os.ReadFile(made)
	ts.Check(err)
	path := ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	ts.Check(os.WriteFile(path, b, 0o644))
}

func (c *clips) make(kind, ext string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	path := filepath.Join(c.dir, kind+ext)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	args := append([]string{"-v", "error", "-y", "-nostdin"}, strings.Fields(clipKinds[kind])...)
	if out, err := exec.Command("ffmpeg", append(args, path)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("make clip %s: %w: %s", kind, err, out)
	}
	return path, nil
}

// flip is "flip FILE": it changes one byte in the middle.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range expand(ts, args[0]) {
		b, err := os.ReadFile(name)
		ts.Check(err)
		b[len(b)/2] ^= 1
		ts.Check(os.WriteFile(name, b, 0o644))
	}
}

// glob is "glob PATTERN": at least one file matches it, or with "!" none.
func glob(ts *testscript.TestScript, neg bool, args []string) {
	found, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if neg != (len(found) == 0) {
		ts.Fatalf("glob %s: %d files", args[0], len(found))
	}
}

// take is "take PATTERN NAME": the first file that matches is copied to NAME,
// for commands that want a name and not a pattern.
func take(ts *testscript.TestScript, _ bool, args []string) {
	b, err := os.ReadFile(expand(ts, args[0])[0])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o644))
}

func expand(ts *testscript.TestScript, pattern string) []string {
	found, err := filepath.Glob(ts.MkAbs(pattern))
	ts.Check(err)
	if len(found) == 0 {
		ts.Fatalf("no file matches %s", pattern)
	}
	return found
}

// website serves a folder, and misbehaves under names that say how.
func website(dir string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(dir)))
	for path, status := range map[string]int{"/403.mp4": 403, "/429.mp4": 429, "/500.mp4": 500} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	}
	mux.HandleFunc("/loop.mp4", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop.mp4", http.StatusFound) })
	mux.HandleFunc("/html.mp4", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "video/mp4")
		_, _ = w.Write([]byte("<!DOCTYPE html><html><body>Please log in</body></html>"))
	})
	mux.HandleFunc("/json.mp4", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"error": "not today"}`)) })
	mux.HandleFunc("/empty.mp4", func(http.ResponseWriter, *http.Request) {})
	return mux
}
