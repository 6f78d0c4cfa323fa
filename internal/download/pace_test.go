package download

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// link is a network of pipes, which hold nothing, by a fake clock: a byte that
// was served was read. Its rate is that of all connections, or of each.
type link struct {
	rate int  // bytes per second
	each bool // of each connection, else of all

	body   []byte
	served map[string]*atomic.Int64 // bytes of a file, by the request's path
	before func(file string, n int) // called before the n-th bytes are served
	conns  chan net.Conn            // to be served
	mu     sync.Mutex               // guards the rest
	free   time.Time                // when the shared link has sent all it was given
	opened []net.Conn               // the server's ends, in order
	asked  map[string]int           // requests by file
	open   int                      // the client's connections
	peak   int                      // of them
	client *Client                  // goes through this link
}

const rate = 64 << 10 // bytes/s

func newLink(t *testing.T, seconds int, each bool) *link {
	l := &link{
		rate: rate, each: each, body: source(seconds * rate), conns: make(chan net.Conn),
		served: map[string]*atomic.Int64{"/a": {}, "/b": {}, "/c": {}}, asked: map[string]int{},
	}
	srv := &http.Server{Handler: l, ErrorLog: discard()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	tr := &http.Transport{DialContext: l.dial, DisableCompression: true}
	l.client = &Client{Transport: tr, Stall: 10 * time.Minute, MinRate: -1, Attempts: 1}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		_ = srv.Close()
		<-done
	})
	return l
}

func (l *link) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	l.mu.Lock()
	l.opened = append(l.opened, far)
	l.open++
	l.peak = max(l.peak, l.open)
	l.mu.Unlock()
	select {
	case l.conns <- far:
		return &counted{Conn: near, link: l}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// counted is a connection as the client has it.
type counted struct {
	net.Conn
	link *link
	once sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() {
		c.link.mu.Lock()
		defer c.link.mu.Unlock()
		c.link.open--
	})
	return c.Conn.Close()
}

func (l *link) Accept() (net.Conn, error) {
	conn, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (l *link) Close() error   { close(l.conns); return nil }
func (l *link) Addr() net.Addr { return &net.TCPAddr{} }

func (l *link) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const step = 2 << 10
	l.mu.Lock()
	l.asked[r.URL.Path]++
	l.mu.Unlock()
	at, to := (&hostile{body: l.body}).bounds(w, r)
	var own time.Time
	for ; at < to; at += step {
		b := l.body[at:min(at+step, to)]
		if l.before != nil {
			l.before(r.URL.Path, at)
		}
		select {
		case <-time.After(time.Until(l.reserve(&own, len(b)))):
		case <-r.Context().Done():
			return
		}
		n, err := w.Write(b)
		l.served[r.URL.Path].Add(int64(n))
		if err != nil {
			return
		}
	}
}

// reserve gives when n bytes are through.
func (l *link) reserve(own *time.Time, n int) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	free := own
	if !l.each {
		free = &l.free
	}
	if now := time.Now(); free.Before(now) {
		*free = now
	}
	*free = free.Add(time.Duration(n) * time.Second / time.Duration(l.rate))
	return *free
}

func (l *link) requests(file string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked[file]
}

// get downloads a file; synctest.Wait after it makes it older than the next.
func (l *link) get(ctx context.Context, t *testing.T, file string, progress func(done, total int64)) <-chan error {
	ended := make(chan error, 1)
	path := filepath.Join(t.TempDir(), "source")
	go func() {
		_, err := l.client.Get(ctx, Request{URL: "http://host" + file, Path: path, SHA256: sum(l.body)}, progress)
		ended <- err
	}()
	synctest.Wait()
	return ended
}

// most is how many connections the client had at a time.
func (l *link) most() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peak
}

func (l *link) share(file string) float64 {
	return float64(l.served[file].Load()) / float64(len(l.body))
}

func wantNone(t *testing.T, ended <-chan error) {
	t.Helper()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// On one slow link the older download is not slowed down by the younger ones.
func TestSharedLinkServesOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(t, 20, false)
		l.client.PerHost = 3
		begin := time.Now()
		a, b, c := l.get(t.Context(), t, "/a", nil), l.get(t.Context(), t, "/b", nil), l.get(t.Context(), t, "/c", nil)
		wantNone(t, a)
		if took := time.Since(begin); took > 23*time.Second {
			t.Errorf("the first took %v, alone it takes 20 s", took)
		}
		if share := l.share("/b"); share > 0.15 {
			t.Errorf("the second had %.2f when the first was complete", share)
		}
		if n := l.requests("/c"); n != 0 {
			t.Errorf("the third asked %d times, though one more does not help", n)
		}
		wantNone(t, b)
		if share := l.share("/c"); share > 0.15 {
			t.Errorf("the third had %.2f when the second was complete", share)
		}
		wantNone(t, c)
		if took := time.Since(begin); took > 61*time.Second {
			t.Errorf("all took %v: the link was idle", took)
		}
	})
}

// Where a server limits each connection, two at a time are faster.
func TestLimitedConnectionsRunTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(t, 60, true)
		a, b := l.get(t.Context(), t, "/a", nil), l.get(t.Context(), t, "/b", nil)
		<-time.After(headStart - time.Second)
		if n := l.requests("/b"); n != 0 {
			t.Errorf("the second asked %d times while the first has its head start", n)
		}
		wantNone(t, a)
		if share := l.share("/b"); share < 0.8 {
			t.Errorf("the second had %.2f when the first was complete", share)
		}
		wantNone(t, b)
	})
}

// What belongs to another download comes beside it, though that makes the
// total no faster; others wait as ever.
func TestPartOfAnotherIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(t, 20, false)
		l.client.PerHost = 3
		a := l.get(t.Context(), t, "/a", nil)
		r := Request{URL: "http://host/b", Path: filepath.Join(t.TempDir(), "sound"), Beside: true, ChunkSize: 100 << 10}
		b := make(chan error, 1)
		go func() {
			_, err := l.client.Get(t.Context(), r, nil)
			b <- err
		}()
		synctest.Wait()
		c := l.get(t.Context(), t, "/c", nil)
		wantNone(t, a)
		if share := l.share("/b"); share < 0.8 {
			t.Errorf("what belongs to the first had %.2f of the link when that was complete", share)
		}
		if share := l.share("/c"); share > 0.15 {
			t.Errorf("another had %.2f", share)
		}
		wantNone(t, b)
		wantNone(t, c)
	})
}

func TestHeldDownloadCanBeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(t, 12, false)
		late := make(chan struct{})
		var once sync.Once
		a := l.get(t.Context(), t, "/a", func(done, _ int64) {
			if done > 10*rate {
				once.Do(func() { close(late) })
			}
		})
		ctx, cancel := context.WithCancelCause(t.Context())
		b := l.get(ctx, t, "/b", nil) // is tried, and held in mid body
		c := l.get(ctx, t, "/c", nil) // is held before its request
		<-late
		if share := l.share("/b"); share == 0 || share > 0.3 {
			t.Errorf("the second has %.2f", share)
		}
		drained := errors.New("drained")
		cancel(drained)
		for _, ended := range []<-chan error{b, c} {
			if err := <-ended; !errors.Is(err, drained) {
				t.Errorf("a cancelled one ended with %v", err)
			}
		}
		wantNone(t, a)
	})
}

func TestStalledDownloadLetsTheNextGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(t, 12, false)
		late, goOn := make(chan struct{}), make(chan struct{})
		l.before = func(file string, at int) {
			if file == "/a" && at == 8*rate {
				close(late)
				<-goOn
			}
		}
		a, b := l.get(t.Context(), t, "/a", nil), l.get(t.Context(), t, "/b", nil)
		<-late
		begin := time.Now()
		wantNone(t, b)
		if took := time.Since(begin); took > 25*time.Second {
			t.Errorf("beside a stalled one a download took %v", took)
		}
		close(goOn)
		wantNone(t, a)
	})
}

// A server that closes a held connection costs no attempt: there is only one.
func TestHeldDownloadIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(t, 12, false)
		l.client.Wait = func(context.Context, time.Duration) error { return errors.New("an attempt was spent") }
		a := l.get(t.Context(), t, "/a", func(done, _ int64) {
			if done > 10*rate {
				l.mu.Lock()
				defer l.mu.Unlock()
				_ = l.opened[1].Close()
			}
		})
		b := l.get(t.Context(), t, "/b", nil)
		wantNone(t, a)
		wantNone(t, b)
		if n := l.requests("/b"); n != 2 {
			t.Errorf("%d requests for the second, want 2", n)
		}
		if share := l.share("/b"); share > 1.01 {
			t.Errorf("%.2f of the second file was sent", share)
		}
	})
}

// The buffers of a connection that is held fill up, from the link that others
// need: a large rest is asked for later.
func TestLargeDownloadHangsUpWhileHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(t, 200, false)
		l.rate = 16 * rate
		late := make(chan struct{})
		var once sync.Once
		a := l.get(t.Context(), t, "/a", func(done, _ int64) {
			if done > 150*rate {
				once.Do(func() { close(late) })
			}
		})
		b := l.get(t.Context(), t, "/b", nil)
		<-late
		l.mu.Lock()
		open := l.open
		l.mu.Unlock()
		if share := l.share("/b"); open != 1 || share == 0 || share > 0.2 {
			t.Errorf("%d connections are open, and the second has %.2f", open, share)
		}
		wantNone(t, a)
		wantNone(t, b)
		if n, share := l.requests("/b"), l.share("/b"); n != 2 || share > 1.01 {
			t.Errorf("%d requests for the second, want 2; %.2f of it was sent", n, share)
		}
	})
}
