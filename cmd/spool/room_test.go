package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/scratch"
	"github.com/spool-video/spool/internal/stage/fetch"
)

// A source that alone is more than scratch may hold is refused before it has
// filled it, whether or not the server says how long it is.
func TestSourceLargerThanScratch(t *testing.T) {
	t.Parallel()
	const limit = 1_000_000
	media := append([]byte("\x00\x00\x00\x18ftypisom"), make([]byte, 3*limit)...)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/untold.mp4" {
			_, _ = w.Write(media) // more than is buffered: sent in chunks
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(media))
	}))
	t.Cleanup(site.Close)
	for path, want := range map[string]struct{ reason, hint string }{
		"/told.mp4":   {"scratch may hold 1.0 MB, and the source has 3.0 MB", "--scratch-limit 4MB"},
		"/untold.mp4": {"scratch may hold 1.0 MB, and the source has more than that", "--scratch-limit SIZE"},
	} {
		dir := t.TempDir()
		s, err := scratch.Open(dir, limit, 0)
		if err != nil {
			t.Fatal(err)
		}
		h := &house{cfg: config.Config{ScratchLimit: config.Limit{Bytes: limit}, AllowPrivate: true}, scratch: s}
		client := h.downloader()
		t.Cleanup(client.Close)
		stage := bounded{&fetch.Stage{Client: client, Slots: flow.NewSlots(1), Work: s.Source}, limit, client.Ask}
		job := spool.Job{JobKey: spool.JobKey{Video: "v", Revision: "r1", Kind: spool.Fetch}, Source: site.URL + path, Canonical: site.URL + path}
		_, err = stage.Run(t.Context(), job, nil)
		e := spool.AsError(err)
		if err == nil || e.Code != "scratch-limit" || e.Reason != want.reason || !strings.Contains(e.Hint, want.hint) {
			t.Errorf("%s: %+v", path, e)
		}
		if part, err := os.Stat(filepath.Join(s.Source(job.JobKey), "source.part")); err == nil && part.Size() > limit {
			t.Errorf("%s: %d bytes were fetched", path, part.Size())
		}
	}
}

func TestEnough(t *testing.T) {
	for size, want := range map[int64]string{1: "1MB", 3_000_000: "4MB", 8e9: "8801MB", 30e9: "34GB"} {
		if got := enough(size); got != want {
			t.Errorf("enough(%d) is %s, want %s", size, got, want)
		}
	}
}

// By default no encoder has two threads: those do not write the same bytes
// again.
func TestEncodersFromCores(t *testing.T) {
	for _, c := range [][4]int{{0, 1, 1, 1}, {0, 2, 2, 1}, {0, 16, 16, 1}, {2, 8, 2, 4}, {3, 8, 3, 3}, {4, 2, 4, 1}} {
		if n, threads := encoders(c[0], c[1]); n != c[2] || threads != c[3] {
			t.Errorf("%d wanted on %d cores: %d encoders of %d threads", c[0], c[1], n, threads)
		}
	}
}
