package download

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"
)

// lie is what a server does to requests that come while its first answer is
// held up in mid body: those for what a reader wants before its turn.
type lie struct {
	name string
	// aside answers the n-th of them, from 1.
	aside func(h *hostile, w http.ResponseWriter, r *http.Request, n int)
	hash  bool                        // the expected checksum is given
	reset bool                        // the reader has to begin anew
	asked int                         // requests that are expected; 0 = not counted
	fatal bool                        // it ends otherwise where the main connection is cut for it
	head  func(w http.ResponseWriter) // of the first answer
	edit  func(c *Client)
}

// sendPart answers 206 with these bytes, whatever they are.
func sendPart(w http.ResponseWriter, b []byte, contentRange string) {
	w.Header().Set("Content-Range", contentRange)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(http.StatusPartialContent)
	_, _ = w.Write(b)
}

// spoilt is another file of the same length.
func spoilt(body []byte) []byte {
	other := bytes.Clone(body)
	for i := 1000; i < len(other); i++ {
		other[i] ^= 0x55
	}
	return other
}

func lies() []lie {
	once := func(do func(h *hostile, w http.ResponseWriter, r *http.Request)) func(*hostile, http.ResponseWriter, *http.Request, int) {
		return func(h *hostile, w http.ResponseWriter, r *http.Request, n int) {
			if n == 1 {
				do(h, w, r)
				return
			}
			h.good(w, r)
		}
	}
	always := func(code int) func(*hostile, http.ResponseWriter, *http.Request, int) {
		return func(_ *hostile, w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(code) }
	}
	span := func(at, to, total int) string { return fmt.Sprintf("bytes %d-%d/%d", at, to-1, total) }
	return []lie{
		{name: "none", aside: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) { h.good(w, r) }, asked: 2},
		{name: "says that it has no ranges", head: func(w http.ResponseWriter) { w.Header().Set("Accept-Ranges", "none") }, asked: 1},
		{name: "200 for a range", aside: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
			r.Header.Del("Range")
			h.good(w, r)
		}, asked: 2},
		{name: "another Content-Range", aside: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
			at, to := asked(r, lying)
			sendPart(w, h.body[at-7:to-7], span(at-7, to-7, lying))
		}, asked: 2},
		{name: "no Content-Range", aside: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
			at, to := asked(r, lying)
			sendPart(w, h.body[at:to], "")
		}, asked: 2},
		{name: "more than was asked for", aside: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
			at, _ := asked(r, lying)
			sendPart(w, h.body[at-9:], span(at-9, lying, lying))
		}, asked: 2},
		{name: "multipart", aside: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
			at, to := asked(r, lying)
			w.Header().Set("Content-Type", "multipart/byteranges; boundary=x")
			sendPart(w, h.body[at:to], span(at, to, lying))
		}, asked: 2},
		{fatal: true, name: "gzip", aside: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
			at, to := asked(r, lying)
			w.Header().Set("Content-Encoding", "gzip")
			sendPart(w, h.body[at:to], span(at, to, lying))
		}, asked: 2},
		{name: "wrong bytes, seen where they meet the others", aside: once(func(h *hostile, w http.ResponseWriter, r *http.Request) {
			at, to := asked(r, lying)
			sendPart(w, h.body[:to-at], span(at, to, lying))
		}), reset: true},
		{name: "wrong bytes in mid range, seen by the checksum", aside: once(func(h *hostile, w http.ResponseWriter, r *http.Request) {
			at, to := asked(r, lying)
			b := bytes.Clone(h.body[at:to])
			copy(b[seam*2:], "something else")
			sendPart(w, b, span(at, to, lying))
		}), hash: true, reset: true},
		{name: "announced checksum changes", head: func(w http.ResponseWriter) {
			w.Header().Set("Repr-Digest", announce(source(lying)))
		}, aside: once(func(h *hostile, w http.ResponseWriter, r *http.Request) {
			at, to := asked(r, lying)
			w.Header().Set("Repr-Digest", announce(nil))
			sendPart(w, h.body[at:to], span(at, to, lying))
		}), reset: true},
		{name: "ETag changes", aside: once(func(h *hostile, w http.ResponseWriter, r *http.Request) {
			at, to := asked(r, lying)
			w.Header().Set("ETag", `"two"`)
			sendPart(w, spoilt(h.body)[at:to], span(at, to, lying))
		}), reset: true},
		{fatal: true, name: "ETag changes, 200 for If-Range", aside: once(func(h *hostile, w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("If-Range") != `"one"` {
				panic("no If-Range")
			}
			w.Header().Set("ETag", `"two"`)
			_, _ = w.Write(spoilt(h.body))
		}), reset: true},
		{name: "Last-Modified changes", head: func(w http.ResponseWriter) {
			w.Header().Del("ETag")
			w.Header().Set("Last-Modified", "Fri, 02 Jan 2026 03:05:05 GMT")
		}, aside: once(func(h *hostile, w http.ResponseWriter, r *http.Request) {
			at, to := asked(r, lying)
			w.Header().Set("Last-Modified", "Sat, 03 Jan 2026 03:05:05 GMT")
			sendPart(w, spoilt(h.body)[at:to], span(at, to, lying))
		}), reset: true},
		{name: "length changes", aside: once(func(h *hostile, w http.ResponseWriter, r *http.Request) {
			at, to := asked(r, lying)
			sendPart(w, h.body[at:to], span(at, to, lying+1))
		}), reset: true},
		{name: "416, for it shrank", aside: once(func(_ *hostile, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes */5")
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		}), reset: true},
		{name: "416, without a reason", aside: always(416), asked: 2},
		{name: "a cut range", aside: once(func(h *hostile, w http.ResponseWriter, r *http.Request) { h.cut(w, r, 1000) })},
		{name: "short ranges", aside: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
			at, to := asked(r, lying)
			to = min(to, at+70<<10)
			sendPart(w, h.body[at:to], span(at, to, lying))
		}},
		{fatal: true, name: "ranges of one byte", aside: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
			at, _ := asked(r, lying)
			sendPart(w, h.body[at:at+1], span(at, at+1, lying))
		}, asked: 1 + aheadTries},
		{name: "a range that stops for ever", aside: once(func(h *hostile, w http.ResponseWriter, r *http.Request) {
			at, to := h.bounds(w, r)
			h.send(w, at, (at+to)/2)
			<-r.Context().Done()
		}), edit: func(c *Client) { c.Stall = holdUp / 8 }},
		{fatal: true, name: "403 in mid file", aside: always(403), asked: 2},
		{fatal: true, name: "404 in mid file", aside: always(404), asked: 2},
		{fatal: true, name: "204 in mid file", aside: always(204), asked: 2},
		{name: "429 once", aside: once(func(_ *hostile, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }), asked: 3},
		{fatal: true, name: "500 for ever", aside: always(500), asked: 1 + aheadTries},
		{fatal: true, name: "redirect to file:", aside: func(_ *hostile, w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		}, asked: 2},
		{name: "another file each time", aside: func(h *hostile, w http.ResponseWriter, r *http.Request, n int) {
			at, to := asked(r, lying)
			w.Header().Set("ETag", strconv.Itoa(n))
			sendPart(w, h.body[at:to], span(at, to, lying))
		}, reset: true},
	}
}

// stage is a server whose answers to requests for the whole file stop in mid
// body until enough is closed, or for a while.
type stage struct {
	*hostile
	lie    lie
	enough chan struct{}
	asked  chan struct{} // closed when as much was asked for as is expected

	mu     sync.Mutex // guards asides
	asides int
}

const (
	// lying is a file's size, whose end is not near its beginning.
	lying = 4 << 20
	// holdUp is how long a reader may take for what it wants while nothing else
	// comes.
	holdUp = 2 * time.Second
	// more is how long more requests are waited for than are expected.
	more = 100 * time.Millisecond
)

func (s *stage) trick(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
	if r.Header.Get("Range") != "" {
		s.mu.Lock()
		s.asides++
		n := s.asides
		s.mu.Unlock()
		if n == s.lie.asked-1 {
			defer close(s.asked)
		}
		s.lie.aside(h, w, r, n)
		return
	}
	w = &headed{w, s.lie.head}
	h.head(w, r)
	h.send(w, 0, 100<<10)
	hold := holdUp
	if s.lie.asked == 1 {
		hold = more
	}
	select {
	case <-s.enough:
	case <-time.After(hold):
	case <-s.asked:
		<-time.After(more)
	case <-r.Context().Done():
		return
	}
	h.send(w, 100<<10, lying)
}

// headed changes a head before it is sent.
type headed struct {
	http.ResponseWriter
	edit func(w http.ResponseWriter)
}

func (w *headed) WriteHeader(code int) {
	if w.edit != nil {
		w.edit(w.ResponseWriter)
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *headed) Flush() { w.ResponseWriter.(http.Flusher).Flush() }

// A server may lie about what is wanted before its turn: nothing wrong becomes
// a complete file, and what can be fetched in spite of it is fetched.
func TestLyingRanges(t *testing.T) {
	for _, l := range lies() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			a, s := l.play(t, 2)
			if l.reset != (a.resets > 0) {
				t.Errorf("the reader began anew %d times", a.resets)
			}
			if n := int(s.requests.Load()); l.asked > 0 && n != l.asked {
				t.Errorf("%d requests, want %d", n, l.asked)
			}
		})
		if !l.fatal {
			t.Run(l.name+", one connection", func(t *testing.T) {
				t.Parallel()
				l.play(t, 1)
			})
		}
	}
}

// play downloads a file from a server that lies so, with a reader that wants
// its end.
func (l lie) play(t *testing.T, perHost int) (*arrival, *stage) {
	s := &stage{hostile: &hostile{body: source(lying)}, lie: l, enough: make(chan struct{}), asked: make(chan struct{})}
	s.hostile.trick = s.trick
	c := quick()
	c.Stall, c.PerHost = 3*holdUp, perHost
	if l.edit != nil {
		l.edit(c)
	}
	defer c.Close()
	r := Request{URL: start(t, s.hostile) + "/v?token=CANARY-q"}
	if l.hash {
		r.SHA256 = sum(s.body)
	}
	a := arrive(t, c, r)
	ctx, cancel := context.WithCancel(t.Context())
	var reader sync.WaitGroup
	reader.Go(func() {
		for from := lying - 200<<10; ctx.Err() == nil; {
			if _, err := a.read(ctx, from, lying); err == nil {
				close(s.enough)
				return
			}
		}
	})
	defer reader.Wait()
	defer cancel()
	a.whole(t, s.body)
	return a, s
}
