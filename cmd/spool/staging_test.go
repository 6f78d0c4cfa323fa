package main

import (
	"bytes"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/hosttest"
)

// film is what the clip's file holds.
func (h *home) film(t *testing.T) []byte {
	t.Helper()
	film, err := os.ReadFile(h.clip)
	if err != nil {
		t.Fatal(err)
	}
	return film
}

// farSite serves one film by ranges, and none of it behind an offset while it is
// shut.
type farSite struct {
	*httptest.Server
	film  []byte
	until int64
	shut  atomic.Bool
	open  chan struct{}

	mu    sync.Mutex
	bytes int // that were sent; guarded by mu
}

var rangeFrom = regexp.MustCompile(`bytes=(\d+)-`)

func newFarSite(t *testing.T, film []byte, until int64) *farSite {
	t.Helper()
	s := &farSite{film: film, until: until, open: make(chan struct{})}
	s.shut.Store(true)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"one"`)
		from := int64(0)
		if m := rangeFrom.FindStringSubmatch(r.Header.Get("Range")); m != nil {
			from, _ = strconv.ParseInt(m[1], 10, 64)
		}
		if s.shut.Load() && from >= s.until {
			select {
			case <-s.open:
			case <-r.Context().Done():
				return
			}
		}
		http.ServeContent(&metered{w, s}, r, "film.mp4", time.Time{}, bytes.NewReader(s.film))
	}))
	t.Cleanup(s.Close)
	return s
}

type metered struct {
	http.ResponseWriter
	site *farSite
}

func (c *metered) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.site.mu.Lock()
	defer c.site.mu.Unlock()
	c.site.bytes += n
	return n, err
}

// sent is how many bytes were sent since it was asked last.
func (s *farSite) sent() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.bytes
	s.bytes = 0
	return n
}

// parts are the parts below a folder.
func parts(t *testing.T, dir string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(e.Name(), "000") {
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A link is staged part by part while it is encoded from there; a run that was
// killed puts no part twice; nothing is copied to scratch, and all parts go.
func TestStaging(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	site := newFarSite(t, padded(h.film(t), 24<<20), 16<<20)
	h.stub(t, `find $home/work -path '*/source/*' -type f -size +9k >> $home/copies
case $PWD in */encode-00001) : > $home/held; while [ ! -e $home/open ]; do sleep 0.02; done;; esac`)
	list := h.publishAs(t, "film", site.URL+"/film.mp4")
	c := h.start(t, "run", list, "--staging", "shared")
	h.held(t, c)
	h.until(t, c, "two parts", func() bool { return len(parts(t, h.path("shared"))) == 2 })
	c.signal(t, syscall.SIGKILL)
	<-c.ended
	site.sent()
	site.shut.Store(false)
	close(site.open)
	h.open(t)
	h.do(t, exitReady, "run", "--staging", "shared")
	if n := site.sent(); n > 12<<20 {
		t.Errorf("%d bytes were fetched of the last 8 MB", n)
	}
	h.good(t, 1)
	if left := parts(t, h.path("shared")); len(left) > 0 {
		t.Errorf("left in staging: %v", left)
	}
	if copies, err := os.ReadFile(h.path("copies")); err != nil || len(copies) > 0 {
		t.Errorf("copies of the source: %q, %v", copies, err)
	}
}

// The same in a bucket; and links that are read where they lie.
func TestStagingInABucketAndDirect(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	site := newFarSite(t, padded(h.film(t), 9<<20), 0)
	site.shut.Store(false)
	s := h.publishTo(t, hosttest.S3(t), hosttest.Bucket+"/site")
	h.stub(t, `find $home/work -path '*/source/*' -type f -size +9k >> $home/copies`)
	h.do(t, exitReady, "run", h.publishAs(t, "staged", site.URL+"/film.mp4"), "--staging", "far:films/parts")
	site.sent()
	h.do(t, exitReady, "run", h.publishAs(t, "direct", site.URL+"/film.mp4?2"), "--direct")
	if n := site.sent(); n > 4<<20 {
		t.Errorf("%d bytes were read of a film of %d", n, len(site.film)-9<<20)
	}
	h.good(t, 2)
	for name := range objects(t, s) {
		if strings.Contains(name, "parts") {
			t.Errorf("left in the bucket: %s", name)
		}
	}
	if copies, err := os.ReadFile(h.path("copies")); err != nil || len(copies) > 0 {
		t.Errorf("copies of the source: %q, %v", copies, err)
	}
}
