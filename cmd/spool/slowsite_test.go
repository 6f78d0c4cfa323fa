package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// site serves a clip slowly, as itself and within a page, and counts.
type site struct {
	url   string
	size  int64
	media []byte

	mu   sync.Mutex
	sent map[string]int64 // bytes by path
}

func newSite(t *testing.T, media []byte) *site {
	t.Helper()
	s := &site{size: int64(len(media)), media: media, sent: map[string]int64{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/direct.mp4", "/inside.mp4":
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Type", "video/mp4")
		media := &slowly{ReadSeeker: bytes.NewReader(s.media), r: r}
		http.ServeContent(&counted{w, s, r.URL.Path}, r, "", time.Time{}, media)
	case "/page.html":
		_, _ = io.WriteString(w, `<!DOCTYPE html><html><head><title>A page</title></head><body><video src="inside.mp4"></video></body></html>`)
	default:
		http.NotFound(w, r)
	}
}

func (s *site) served(path string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent[path]
}

func (s *site) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sent)
}

// counted adds up what is written.
type counted struct {
	http.ResponseWriter
	site *site
	path string
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.site.mu.Lock()
	defer c.site.mu.Unlock()
	c.site.sent[c.path] += int64(n)
	return n, err
}

// slow is how fast it is served, in bytes a second.
const slow = 160 << 10

// slowly gives a twentieth of a second's bytes at a time.
type slowly struct {
	io.ReadSeeker
	r *http.Request
}

func (s *slowly) Read(p []byte) (int, error) {
	select {
	case <-s.r.Context().Done():
		return 0, s.r.Context().Err()
	case <-time.After(50 * time.Millisecond):
	}
	return s.ReadSeeker.Read(p[:min(len(p), slow/20)])
}
