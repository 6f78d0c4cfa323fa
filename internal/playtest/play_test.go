package playtest

import (
	"bytes"
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spool-video/spool/internal/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pack makes a package in a folder of its own.
func pack(t *testing.T, p Package) string {
	t.Helper()
	dir := t.TempDir()
	p.Make(t, dir)
	return dir
}

// site serves a package and, at /key, a key.
func site(t *testing.T, dir string, key []byte) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(dir)))
	mux.HandleFunc("/key", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(key) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// whole fails the test unless everything was buffered as one range and played.
func whole(t *testing.T, r Result, width, height, frames int) {
	t.Helper()
	if !r.Ended || len(r.Errors) > 0 {
		t.Fatalf("ended %v at %.2f of %.2f, errors %q", r.Ended, r.Position, r.Duration, r.Errors)
	}
	if len(r.Buffered) != 1 || math.Abs(r.Buffered[0][0]) > 0.05 || math.Abs(r.Buffered[0][1]-4) > 0.1 {
		t.Errorf("buffered %v, want one range [0, 4]", r.Buffered)
	}
	if r.Width != width || r.Height != height {
		t.Errorf("picture %dx%d, want %dx%d", r.Width, r.Height, width, height)
	}
	if frames > 0 && r.Frames != frames {
		t.Errorf("%d frames, want %d", r.Frames, frames)
	}
	for _, track := range r.Tracks {
		if math.Abs(track.Start()) > 0.05 {
			t.Errorf("track %s starts at %.4f", track.Type, track.Start())
		}
	}
}

func TestPlayClearAndEncrypted(t *testing.T) {
	browser := Start(t)
	for _, kind := range []string{"fmp4", "mpegts"} {
		t.Run(kind, func(t *testing.T) {
			base := site(t, pack(t, Package{Type: kind}), nil)
			r := browser.Play(t, base, "master.m3u8", Options{Level: 1, Rate: 4})
			if kind == "fmp4" {
				whole(t, r, 320, 180, 100)
			} else if !r.Ended || len(r.Errors) > 0 {
				t.Errorf("%+v", r)
			}
			if len(r.Levels) != 2 || r.Levels[0].Width != 160 {
				t.Errorf("levels %+v", r.Levels)
			}
			if r := browser.Play(t, base, "master.m3u8", Options{Native: true, Rate: 4}); !r.Ended || len(r.Errors) > 0 || r.Width == 0 {
				t.Errorf("by the browser's own HLS: %+v", r)
			}
			if !slices.Equal(r.Shown, []int{1}) {
				t.Errorf("levels %v were loaded, want 1 alone", r.Shown)
			}
		})
	}
	t.Run("aes-128", func(t *testing.T) {
		key := []byte("0123456789abcdef")
		dir := pack(t, Package{Key: key, KeyURI: "/key"})
		r := browser.Play(t, site(t, dir, key), "/master.m3u8", Options{SeekTo: 2.5, Rate: 2})
		whole(t, r, 160, 90, 0)
		wrong := browser.Play(t, site(t, dir, []byte("fedcba9876543210")), "/master.m3u8", Options{Limit: 20 * time.Second})
		if wrong.Ended || len(wrong.Errors) == 0 {
			t.Errorf("a wrong key plays: %+v", wrong)
		}
	})
}

// TestPlayTellsFaults: hls.js helps itself with another size, and the test
// must hear of it all the same.
func TestPlayTellsFaults(t *testing.T) {
	dir := pack(t, Package{})
	if err := os.Remove(filepath.Join(dir, "r1", "v0", "index1.m4s")); err != nil {
		t.Fatal(err)
	}
	r := Play(t, site(t, dir, nil), "master.m3u8", Options{Limit: 20 * time.Second, Rate: 4})
	if !strings.Contains(strings.Join(r.Errors, "\n"), "404") {
		t.Errorf("a missing segment is not told: %+v", r)
	}
}

func TestBrowserLeavesNothingBehind(t *testing.T) {
	var profile string
	t.Run("browse", func(t *testing.T) {
		tab := Start(t).Tab(t, time.Minute)
		tab.Do(t)
		profile = filepath.Dir(t.TempDir())
	})
	running, err := process.Run(context.Background(), process.Command{Path: "ps", Args: []string{"-ewwo", "args"}})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(running, []byte(profile)) {
		t.Errorf("a process of the browser still runs with profile %s", profile)
	}
}
