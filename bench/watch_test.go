package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestViewerSeesTheFirstFrame: a list that comes while the browser waits for
// it is played.
func TestViewerSeesTheFirstFrame(t *testing.T) {
	b := small(t, "good")
	b.dir, b.chromium, b.player = t.TempDir(), "chromium", "../internal/web/static/vendor/hls-*.min.js"
	if _, err := exec.LookPath(b.chromium); err != nil {
		t.Skip("no browser: " + b.chromium + " is not installed")
	}
	folder := filepath.Join(b.dir, "video")
	v, err := b.openViewer(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if _, err := v.hear(t.Context(), "waiting"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ffmpeg(t.Context(), "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=10", "-t", "1", "-c:v", "libx264", "-preset", "ultrafast",
		"-pix_fmt", "yuv420p", "-f", "hls", "-hls_segment_type", "fmp4", "-hls_flags", "temp_file", filepath.Join(folder, "early.m3u8")); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"listed", "frame"} {
		if _, err := v.hear(t.Context(), what); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

func TestViewerNeedsAPlayer(t *testing.T) {
	b := small(t, "good")
	b.dir, b.player = t.TempDir(), "no-such-player*.js"
	if _, err := b.openViewer(t.Context(), b.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without hls.js: %v", err)
	}
}

func TestViewerTellsWhatItHeard(t *testing.T) {
	v := &viewer{words: make(chan word, 2), gone: make(chan struct{})}
	routes := v.routes(t.TempDir(), "player.js")
	for body, status := range map[string]int{`{"what": "error", "text": "no picture"}`: http.StatusOK, `?`: http.StatusBadRequest} {
		answer := httptest.NewRecorder()
		routes.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/told", strings.NewReader(body)))
		if answer.Code != status {
			t.Errorf("%s: %d, want %d", body, answer.Code, status)
		}
	}
	if _, err := v.hear(t.Context(), "frame"); err == nil || !strings.Contains(err.Error(), "no picture") {
		t.Errorf("the player's error was not heard: %v", err)
	}
	close(v.gone)
	if _, err := v.hear(t.Context(), "frame"); !errors.Is(err, errBrowser) {
		t.Errorf("the browser's end was not heard: %v", err)
	}
}

// TestFirstFrameFails: a run that fails is no reason to wait for a frame.
func TestFirstFrameFails(t *testing.T) {
	b := small(t, "lazy")
	b.dir, b.chromium, b.player = t.TempDir(), "chromium", "../internal/web/static/vendor/hls-*.min.js"
	if _, err := exec.LookPath(b.chromium); err != nil {
		t.Skip("no browser: " + b.chromium + " is not installed")
	}
	b.link, b.patience, b.spool = 20, time.Minute, filepath.Join(b.dir, "no-such-spool")
	clip := filepath.Join(b.dir, "clip.mp4")
	if err := os.WriteFile(clip, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.firstFrame(t.Context(), clip, firstCases[0]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a program that is not there: %v", err)
	}
}
