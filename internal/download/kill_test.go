package download

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spool-video/spool"
)

// jumpMain is the test binary as a downloader that is going to be killed, with
// a reader that wants bytes here and there: it prints what it holds.
func jumpMain(url, path string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w := newTapped()
	var reader sync.WaitGroup
	defer reader.Wait()
	defer cancel()
	reader.Go(func() {
		for ctx.Err() == nil {
			from := rand.IntN(killSize - jump)
			_, _ = w.read(ctx, from, from+jump) // until the source ends
		}
	})
	_, err := killClient().Get(ctx, Request{URL: url, Path: path, Watcher: w}, func(done, _ int64) {
		fmt.Println(done)
	})
	w.end(err)
	fmt.Println("ended:", err)
}

const (
	killSize = 128 << 20
	killRate = 40 << 20 // bytes/s
	jump     = 512 << 10
	kills    = 20
	buffers  = 32 << 10 // of a connection, at each end
)

// killClient makes a checkpoint as often, for its link, as one by default for a
// link of 16 MiB/s: that is what being killed may cost.
func killClient() *Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(buffers)
		}
		return conn, err
	}
	return &Client{Guard: here, Checkpoint: 64 << 10, Transport: &http.Transport{DialContext: dial, DisableCompression: true}}
}

// ledger is a server that knows which bytes it has sent.
type ledger struct {
	body []byte

	mu   sync.Mutex   // guards the rest
	free time.Time    // when the link has sent all it was given
	sent []spool.Span // since it was asked last, one an answer
	open int          // answers that go on
	idle *sync.Cond   // there are none
}

func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at, to := (&hostile{body: l.body}).bounds(w, r)
	s := spool.Span{From: int64(at), To: int64(at)}
	l.mu.Lock()
	l.open++
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.sent = append(l.sent, s)
		l.open--
		l.idle.Broadcast()
	}()
	for at < to {
		b := l.body[at:min(at+16<<10, to)]
		select {
		case <-time.After(time.Until(l.reserve(len(b)))):
		case <-r.Context().Done():
			return
		}
		n, err := w.Write(b)
		s.To += int64(n)
		if err != nil {
			return
		}
		at += n
	}
}

func (l *ledger) reserve(n int) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	// Timers are late, which is made up for.
	if least := time.Now().Add(-10 * time.Millisecond); l.free.Before(least) {
		l.free = least
	}
	l.free = l.free.Add(time.Duration(n) * time.Second / killRate)
	return l.free
}

// take gives what was sent since the last call, when all answers have ended.
func (l *ledger) take() []spool.Span {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.open > 0 {
		l.idle.Wait()
	}
	sent := l.sent
	l.sent = nil
	return sent
}

// runAndKill lets a child download until it holds some more bytes, and kills it.
// whole: it was done before.
func runAndKill(t *testing.T, url, path string, more int64) (whole bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SPOOL_TEST_GET="+url, "SPOOL_TEST_PATH="+path, "SPOOL_TEST_JUMP=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	first := int64(-1)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "ended") {
			if lines.Text() != "ended: <nil>" {
				t.Error(lines.Text())
			}
			whole = true
			break
		}
		var done int64
		if _, err := fmt.Sscan(lines.Text(), &done); err != nil {
			t.Fatal(err)
		}
		if first < 0 {
			first = done
		}
		if done >= first+more {
			break
		}
	}
	_ = cmd.Process.Kill() // it may have ended
	_ = cmd.Wait()
	return whole
}

// A download that is killed again and again, while bytes come out of their
// order, is sent hardly a byte twice, and none that was durable.
func TestKilledAgainAndAgain(t *testing.T) {
	l := &ledger{body: source(killSize)}
	l.idle = sync.NewCond(&l.mu)
	srv := httptest.NewUnstartedServer(l)
	srv.Config.ErrorLog = discard()
	srv.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		_ = conn.(*net.TCPConn).SetWriteBuffer(buffers)
		return ctx
	}
	srv.Start()
	defer srv.Close()
	path := filepath.Join(memory(t), "source")
	var total, again, holes int64
	for range kills {
		before := durable(path)
		if runAndKill(t, srv.URL, path, rand.Int64N(2*killSize/(kills+2))) {
			break
		}
		for _, s := range l.take() {
			total += s.Len()
			again += max(overlap(before, s)-seam, 0)
		}
		if len(durable(path)) > 1 {
			holes++
		}
	}
	before := durable(path)
	c := killClient()
	defer c.Transport.(*http.Transport).CloseIdleConnections()
	res, err := c.Get(t.Context(), Request{URL: srv.URL, Path: path, SHA256: sum(l.body)}, nil)
	if err != nil || res.Size != killSize {
		t.Fatalf("Get = %+v, %v", res, err)
	}
	for _, s := range l.take() {
		total += s.Len()
		again += max(overlap(before, s)-seam, 0)
	}
	share := float64(total) / killSize
	t.Logf("%.4f of the file was sent; %d times it had holes", share, holes)
	if share > 1.05 {
		t.Errorf("%.3f of the file was sent", share)
	}
	if again > 0 {
		t.Errorf("%d bytes were sent again though they were durable", again)
	}
	if holes == 0 {
		t.Error("no bytes were out of their order")
	}
}

// memory is a folder where fsync takes no time, if there is one.
func memory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "spool-download")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// durable is what the side-file says.
func durable(path string) spool.Spans {
	var rec record
	if readJSON(PartPath(path)+".json", &rec) != nil {
		return nil
	}
	return rec.Have
}

// overlap is how many bytes of s are here.
func overlap(here spool.Spans, s spool.Span) int64 {
	var n int64
	for _, e := range here {
		n += spool.Span{From: max(e.From, s.From), To: min(e.To, s.To)}.Len()
	}
	return n
}
