package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// link is a website at the end of a slow line. What lies under a path may be
// exchanged, and says itself how it misbehaves.
type link struct {
	url string

	mu     sync.Mutex // guards the rest
	offers map[string]offer
	sent   map[string]int64 // bytes by path
	asked  map[string]int   // requests by path
}

// offer is a file of a link.
type offer struct {
	body []byte
	tag  string        // ETag, without quotes; "" = none
	rate int           // bytes per second of one answer; 0 = no limit
	holt int64         // the byte before which answers stand still
	gate chan struct{} // until this is closed; nil = they do not
	// instead answers the n-th request for the file, from 1; false: it is
	// answered as usual.
	instead func(w http.ResponseWriter, r *http.Request, n int) bool
}

func newLink(t *testing.T) *link {
	t.Helper()
	l := &link{offers: map[string]offer{}, sent: map[string]int64{}, asked: map[string]int{}}
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	l.url = server.URL
	return l
}

// put gives a path what it serves from now on, and its address.
func (l *link) put(path string, o offer) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.offers[path] = o
	return l.url + path
}

func (l *link) served(path string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent[path]
}

func (l *link) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	o, ok := l.offers[r.URL.Path]
	l.asked[r.URL.Path]++
	n := l.asked[r.URL.Path]
	l.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	w = &weighed{w, l, r.URL.Path}
	if o.instead != nil && o.instead(w, r, n) {
		return
	}
	o.serve(w, r)
}

func (o offer) serve(w http.ResponseWriter, r *http.Request) {
	if o.tag != "" {
		w.Header().Set("ETag", `"`+o.tag+`"`)
	}
	w.Header().Set("Content-Type", "video/mp4")
	http.ServeContent(w, r, "", time.Time{}, &dripping{Reader: bytes.NewReader(o.body), offer: o, r: r})
}

// weighed adds up what is written.
type weighed struct {
	http.ResponseWriter
	link *link
	path string
}

func (w *weighed) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	if err == nil {
		err = http.NewResponseController(w.ResponseWriter).Flush()
	}
	w.link.mu.Lock()
	defer w.link.mu.Unlock()
	w.link.sent[w.path] += int64(n)
	return n, err
}

// dripping reads at the rate of an offer, and stands still where it does.
type dripping struct {
	*bytes.Reader
	offer offer
	r     *http.Request
}

// drip is how often some bytes of a slow answer come.
const drip = 20 * time.Millisecond

func (d *dripping) Read(p []byte) (int, error) {
	at, err := d.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	if d.offer.gate != nil {
		if at >= d.offer.holt {
			select {
			case <-d.offer.gate:
			case <-d.r.Context().Done():
				return 0, errors.New("the client has gone")
			}
		} else {
			p = p[:min(int64(len(p)), d.offer.holt-at)]
		}
	}
	if d.offer.rate > 0 {
		select {
		case <-time.After(drip):
		case <-d.r.Context().Done():
			return 0, errors.New("the client has gone")
		}
		p = p[:min(len(p), max(d.offer.rate*int(drip)/int(time.Second), 1))]
	}
	return d.Reader.Read(p)
}

// WriteTo would pass all by at once.
func (d *dripping) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{d})
}
