package download

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/spool-video/spool"
)

// No request is for more bytes than a site is known to serve at full speed.
func TestChunkSize(t *testing.T) {
	const chunk = 100 << 10
	good := func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
		if at, to := asked(r, size); to-at > chunk {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		h.good(w, r)
	}
	for name, with := range map[string]struct {
		trick    func(h *hostile, w http.ResponseWriter, r *http.Request, n int)
		requests int64
	}{
		"good": {good, size / chunk},
		"one request fails": {func(h *hostile, w http.ResponseWriter, r *http.Request, n int) {
			if n == 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			good(h, w, r, n)
		}, size/chunk + 1},
		"no total": {func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
			at, to := asked(r, size)
			if at >= size {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", size))
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return
			}
			w.Header().Set("ETag", `"one"`)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/*", at, to-1))
			w.Header().Set("Content-Length", strconv.Itoa(to-at))
			w.WriteHeader(http.StatusPartialContent)
			h.send(w, at, to)
		}, size/chunk + 1},
		"no ranges": {func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
			r.Header.Del("Range")
			h.good(w, r)
		}, 1},
		"ranges that lie": {func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
			if at, to := asked(r, size); at > 0 {
				sendPart(w, h.body[at-1:to-1], fmt.Sprintf("bytes %d-%d/%d", at-1, to-2, size))
				return
			}
			h.good(w, r)
		}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			h := &hostile{trick: with.trick}
			c := quick()
			defer c.Close()
			a := arrive(t, c, Request{URL: start(t, h), ChunkSize: chunk})
			a.whole(t, h.body)
			if n := h.requests.Load(); n != with.requests {
				t.Errorf("%d requests (%v), want %d", n, h.ranges, with.requests)
			}
		})
	}
}

// An empty file has no range that could be sent.
func TestChunkOfNothing(t *testing.T) {
	c := quick()
	defer c.Close()
	url := start(t, &hostile{trick: func(_ *hostile, w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Content-Range", "bytes */0")
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
	}})
	_, err := c.Get(t.Context(), Request{URL: url, Path: filepath.Join(t.TempDir(), "v"), ChunkSize: 1 << 20}, nil)
	wantFault(t, err, "empty-file")
}

// What is wanted before its turn comes in chunks, too.
func TestChunkSizeAside(t *testing.T) {
	const chunk = 40 << 10
	var most int
	l := &stage{hostile: &hostile{}, enough: make(chan struct{})}
	l.hostile.trick = func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
		at, to := asked(r, size)
		l.mu.Lock()
		most = max(most, to-at)
		l.mu.Unlock()
		if at > 0 && at < size/2 {
			<-l.enough
		}
		h.good(w, r)
	}
	c := quick()
	c.Stall = time.Minute
	defer c.Close()
	a := arrive(t, c, Request{URL: start(t, l.hostile), ChunkSize: chunk})
	a.wantBytes(t, l.body, size-3*chunk, size)
	close(l.enough)
	a.whole(t, l.body)
	if most != chunk {
		t.Errorf("%d bytes were asked for at once, want %d", most, chunk)
	}
}

// undialled is a network in which nobody can be called.
type undialled struct {
	err   error
	tries int
}

func (r *undialled) RoundTrip(*http.Request) (*http.Response, error) {
	r.tries++
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: r.err}
}

// A name that does not exist is asked for twice. One that cannot be looked up
// is a matter of the network, which the caller waits for.
func TestNamesThatCannotBeResolved(t *testing.T) {
	for _, tc := range []struct {
		err   net.DNSError
		held  bool
		code  string
		class spool.Class
		tries int
	}{
		{net.DNSError{IsNotFound: true}, false, "no-such-host", spool.Permanent, 2},
		{net.DNSError{IsNotFound: true}, true, "dns", spool.Environment, 3},
		{net.DNSError{IsTemporary: true}, false, "dns", spool.Environment, 3},
		{net.DNSError{}, false, "dns", spool.Environment, 3}, // REFUSED
		{net.DNSError{IsTimeout: true}, false, "dns", spool.Environment, 1},
		{net.DNSError{IsNotFound: true, IsTemporary: true}, false, "dns", spool.Environment, 3},
	} {
		r := &undialled{err: &tc.err}
		var waited time.Duration
		c := &Client{Transport: r, Wait: func(_ context.Context, d time.Duration) error { waited += d; return nil }}
		path := filepath.Join(t.TempDir(), "source")
		if tc.held {
			leave(t, path, "http://nowhere/v")
		}
		_, err := c.Get(t.Context(), Request{URL: "http://nowhere/v", Path: path}, nil)
		wantFault(t, err, tc.code)
		if e := spool.AsError(err); e.Class != tc.class || r.tries != tc.tries || waited > 2*time.Second {
			t.Errorf("%+v: %v after %d tries and %v", tc.err, e.Class, r.tries, waited)
		}
	}
}

// leave makes a part that an earlier Get may have left.
func leave(t *testing.T, path, url string) {
	t.Helper()
	u, err := quick().parse(url)
	if err != nil {
		t.Fatal(err)
	}
	p, err := openNamed(path, identity(u), u)
	if err != nil {
		t.Fatal(err)
	}
	p.Length = 100
	if _, err := p.put(source(50), 0); err != nil {
		t.Fatal(err)
	}
	if err := p.checkpoint(); err != nil {
		t.Fatal(err)
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
}
