package download

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// An index at the end costs no more than its own bytes: on a slow link, where
// all connections together have one rate or each has its own, with room for a
// second connection and without.
func TestTailIsFetchedFirst(t *testing.T) {
	for name, with := range map[string]struct {
		each    bool
		perHost int
	}{"shared": {false, 2}, "limited each": {true, 2}, "one connection": {false, 1}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const head, tail = 64 << 10, 100 << 10
				l := newLink(t, 30, with.each)
				l.client.PerHost = with.perHost
				begin := time.Now()
				a := arrive(t, l.client, Request{URL: "http://host/a", SHA256: sum(l.body)})
				a.wantBytes(t, l.body, 0, head)
				a.wantBytes(t, l.body, len(l.body)-tail, len(l.body))
				alone := time.Second * (head + tail) / rate
				if took := time.Since(begin); took > alone+time.Second {
					t.Errorf("head and tail took %v, alone they take %v", took, alone)
				}
				a.whole(t, l.body)
				if took := time.Since(begin); took > 32*time.Second {
					t.Errorf("all took %v: the link was idle", took)
				}
				if share := l.share("/a"); share > 1.02 {
					t.Errorf("%.3f of the file was sent", share)
				}
				if n := l.most(); n > with.perHost {
					t.Errorf("%d connections at a time", n)
				}
			})
		})
	}
}

// A reader that jumps about is served from where it is, and no byte comes
// twice but those by which answers are compared.
func TestReaderThatJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(t, 60, false)
		a := arrive(t, l.client, Request{URL: "http://host/a"})
		for _, percent := range []int{50, 20, 90, 51, 30, 98} {
			at := len(l.body) / 100 * percent
			begin := time.Now()
			a.wantBytes(t, l.body, at, at+rate)
			if took := time.Since(begin); took > 6*time.Second {
				t.Errorf("a second's bytes at %d %% took %v", percent, took)
			}
		}
		a.whole(t, l.body)
		if share := l.share("/a"); share > 1.02 {
			t.Errorf("%.3f of the file was sent", share)
		}
	})
}

// Readers at several places are all served, by three connections at most.
func TestManyReaders(t *testing.T) {
	for _, perHost := range []int{1, 2, 8} {
		synctest.Test(t, func(t *testing.T) {
			l := newLink(t, 60, true)
			l.client.PerHost = perHost
			a := arrive(t, l.client, Request{URL: "http://host/a"})
			a.wantBytes(t, l.body, 0, rate)
			begin := time.Now()
			var readers sync.WaitGroup
			for _, percent := range []int{20, 40, 60, 80} {
				at := len(l.body) / 100 * percent
				readers.Go(func() {
					if got, err := a.read(t.Context(), at, at+4*rate); err != nil || sum(got) != sum(l.body[at:at+4*rate]) {
						t.Errorf("the bytes at %d %% are others, or %v", percent, err)
					}
				})
			}
			readers.Wait()
			if took := time.Since(begin); took > 18*time.Second {
				t.Errorf("%d connections: 4 s at each of four places took %v", perHost, took)
			}
			a.whole(t, l.body)
			if n := l.most(); n != min(perHost, 1+mostAside) {
				t.Errorf("%d connections at a time of %d", n, perHost)
			}
			if share := l.share("/a"); share > 1.02 {
				t.Errorf("%.3f of the file was sent", share)
			}
		})
	}
}

// What an earlier Get left is there at once, and a whole file needs no reader.
func TestWatcherAfterACut(t *testing.T) {
	h := half()
	url := start(t, h)
	c := quick()
	c.Stall, c.Attempts = 50*time.Millisecond, 1
	defer c.Close()
	path := filepath.Join(t.TempDir(), "source")
	a := arrive(t, c, Request{URL: url, Path: path})
	a.wantBytes(t, h.body, 0, len(h.body)/2)
	wantFault(t, <-a.ended, "stalled")
	answer := make(chan struct{})
	h.trick = func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
		<-answer
		h.good(w, r)
	}
	b := arrive(t, c, Request{URL: url, Path: path})
	b.wantBytes(t, h.body, 0, len(h.body)/2) // before the server says a word
	close(answer)
	b.wantBytes(t, h.body, len(h.body)/2, len(h.body))
	b.whole(t, h.body)
	again := arrive(t, c, Request{URL: url, Path: path})
	if err := <-again.ended; err != nil || len(again.sizes) != 0 {
		t.Errorf("a finished download is opened %d times, %v", len(again.sizes), err)
	}
}

// A server that does not tell the length is read as it comes.
func TestWatcherWithoutALength(t *testing.T) {
	goOn := make(chan struct{})
	h := &hostile{trick: func(h *hostile, w http.ResponseWriter, _ *http.Request, _ int) {
		h.send(w, 0, size/2)
		<-goOn
		h.send(w, size/2, size)
	}}
	c := quick()
	defer c.Close()
	a := arrive(t, c, Request{URL: start(t, h)})
	a.wantBytes(t, h.body, 0, size/2)
	close(goOn)
	a.whole(t, h.body)
	if len(a.sizes) != 1 || a.sizes[0] != -1 {
		t.Errorf("opened with %v", a.sizes)
	}
}

// What one file's reader wants takes no room from the host that it does not
// give, and is there at once beside another file's download.
func TestTailBesideAnotherDownload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(t, 30, true)
		other := l.get(t.Context(), t, "/b", nil)
		a := arrive(t, l.client, Request{URL: "http://host/a"})
		a.wantBytes(t, l.body, 0, 4*rate) // both run
		begin := time.Now()
		a.wantBytes(t, l.body, len(l.body)-rate, len(l.body))
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("a second's bytes took %v", took)
		}
		a.whole(t, l.body)
		wantNone(t, other)
		if n := l.most(); n > 2 {
			t.Errorf("%d connections at a time", n)
		}
		if share := l.share("/a") + l.share("/b"); share > 2.02 {
			t.Errorf("%.3f of the files was sent", share)
		}
	})
}

// Files that come in many requests come one after the other all the same.
func TestChunksKeepTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(t, 20, false)
		l.client.PerHost = 1
		begin := time.Now()
		a := arrive(t, l.client, Request{URL: "http://host/a", ChunkSize: 2 * rate})
		synctest.Wait()
		b := l.get(t.Context(), t, "/b", nil)
		a.whole(t, l.body)
		if took := time.Since(begin); took > 21*time.Second {
			t.Errorf("the first took %v, alone it takes 20 s", took)
		}
		wantNone(t, b)
	})
}

// The host that a link leads to is the one whose room is counted.
func TestTailBehindARedirect(t *testing.T) {
	for _, perHost := range []int{1, 2} {
		s := &stage{hostile: &hostile{body: source(lying)}, lie: lies()[0], enough: make(chan struct{}), asked: make(chan struct{})}
		s.hostile.trick = s.trick
		other := start(t, s.hostile)
		home := start(t, &hostile{trick: redirect(func(*http.Request) string { return other + "/v" })})
		c := quick()
		c.PerHost, c.Stall = perHost, time.Minute
		a := arrive(t, c, Request{URL: home})
		a.wantBytes(t, s.body, lying-1000, lying)
		close(s.enough)
		a.whole(t, s.body)
		c.Close()
	}
}

// A reader that was given wrong bytes is told, whatever Get's error.
func TestWatcherOfAWrongFile(t *testing.T) {
	c := quick()
	defer c.Close()
	url := start(t, &hostile{trick: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) { h.good(w, r) }})
	for code, r := range map[string]Request{"checksum": {SHA256: sum(nil)}, "wrong-size": {Size: 5}} {
		r.URL = url
		a := arrive(t, c, r)
		wantFault(t, <-a.ended, code)
		if len(a.sizes) != a.resets {
			t.Errorf("%s: opened %d times, reset %d times", code, len(a.sizes), a.resets)
		}
	}
}

// No reader sees what came in place of a video.
func TestWatcherSeesNoPage(t *testing.T) {
	c := quick()
	defer c.Close()
	a := arrive(t, c, Request{URL: start(t, &hostile{trick: say("video/mp4", "<html>")})})
	wantFault(t, <-a.ended, "not-a-video")
	if len(a.sizes) != 0 {
		t.Error("a web page was opened")
	}
}

// Over HTTP/2, where all share one connection, nothing is different.
func TestTailOverHTTP2(t *testing.T) {
	body := source(lying)
	enough := make(chan struct{})
	h := &hostile{body: body}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("the protocol is %s", r.Proto)
		}
		at, to := h.bounds(w, r)
		if r.Header.Get("Range") == "" {
			h.send(w, 0, 100<<10)
			at = 100 << 10
			<-enough
		}
		h.send(w, at, to)
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	c := quick()
	c.Stall, c.Transport = time.Minute, srv.Client().Transport
	a := arrive(t, c, Request{URL: srv.URL})
	a.wantBytes(t, body, lying-1000, lying)
	close(enough)
	a.whole(t, body)
}
