package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/mediatest"
)

// apartPage is a page whose pictures and sound are files of their own. The last
// quarter of either waits until something of the video is published.
type apartPage struct {
	files   map[string][]byte // by path
	results string            // pattern of published segments
	waited  atomic.Bool       // they were there before the files were
}

func (p *apartPage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := p.files[r.URL.Path]
	if !ok {
		_, _ = io.WriteString(w, "<!DOCTYPE html><html><body>a player</body></html>")
		return
	}
	w.Header().Set("ETag", `"1"`)
	http.ServeContent(w, r, "", time.Time{}, &holding{ReadSeeker: bytes.NewReader(file), page: p, r: r, left: int64(len(file)) / 4})
}

// holding gives the last bytes of a file when something is published.
type holding struct {
	io.ReadSeeker
	page *apartPage
	r    *http.Request
	left int64
}

func (h *holding) Read(b []byte) (int, error) {
	at, _ := h.Seek(0, io.SeekCurrent)
	end, _ := h.Seek(0, io.SeekEnd)
	_, _ = h.Seek(at, io.SeekStart)
	if free := end - h.left - at; free > 0 {
		return h.ReadSeeker.Read(b[:min(int64(len(b)), free)])
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !h.page.waited.Load() {
		select {
		case <-h.r.Context().Done():
			return 0, h.r.Context().Err()
		case <-tick.C:
		}
		if found, _ := filepath.Glob(h.page.results); len(found) > 0 {
			h.page.waited.Store(true)
		}
	}
	return h.ReadSeeker.Read(b)
}

// TestPageApart: a page's pictures and sound that are apart are encoded while
// both arrive, and flash and beep meet within 5 ms.
func TestPageApart(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	const seconds, rate = 26, 25
	page := &apartPage{files: map[string][]byte{}, results: s.path("bucket", "film", "*", "v*", "*.m4s")}
	whole := mediatest.FlashBeep{Seconds: seconds, Delay: 0.45}.Make(t)
	for path, stream := range map[string]string{"/v.mp4": "0:v", "/a.m4a": "0:a"} {
		file := filepath.Join(t.TempDir(), "one.mp4")
		mediatest.FFmpeg(t, "-i", "file:"+whole, "-map", stream, "-c", "copy", "-movflags", "+faststart", "file:"+file)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		page.files[path] = b
	}
	server := httptest.NewServer(page)
	t.Cleanup(server.Close)
	info := fmt.Sprintf(`{"id":"7","title":"Apart","extractor":"site","webpage_url":"%[1]s/watch","requested_formats":[`+
		`{"format_id":"137","url":"%[1]s/v.mp4","ext":"mp4","protocol":"http","vcodec":"avc1","acodec":"none"},`+
		`{"format_id":"140","url":"%[1]s/a.m4a","ext":"m4a","protocol":"http","vcodec":"none","acodec":"mp4a"}]}`, server.URL)
	tool := s.path("yt-dlp")
	script := "#!/bin/sh\ncase \"$*\" in\n*--version) echo 2026.01.01 ;;\n" +
		"*--help) echo --ignore-config --no-cache-dir --no-playlist --socket-timeout --retries --flat-playlist --playlist-items --dump-json --dump-single-json ;;\n" +
		"*) echo '" + info + "' ;;\nesac\n"
	if err := os.WriteFile(tool, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	s.publish(t, "bucket", map[string]string{"film": server.URL + "/watch"}, "--ytdlp", tool)
	if !page.waited.Load() {
		t.Error("nothing was published before the files were here")
	}
	master := s.master(t, "bucket", "film")
	flashes := mediatest.Flashes(t, s.join(t, "bucket", "film", master.Variants[0].URI))
	beeps := mediatest.Beeps(t, s.join(t, "bucket", "film", master.Audio[0].URI))
	if len(flashes) != seconds || len(beeps) != seconds {
		t.Fatalf("%d flashes, %d beeps, want %d", len(flashes), len(beeps), seconds)
	}
	worst := 0.0
	for i, beep := range beeps {
		worst = max(worst, math.Abs(beep-float64(flashes[i])/rate))
	}
	if worst > 0.005 {
		t.Errorf("a beep is %.1f ms from its flash", 1000*worst)
	}
	t.Logf("at most %.2f ms apart", 1000*worst)
}
