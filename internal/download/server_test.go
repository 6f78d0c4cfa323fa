package download

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spool-video/spool/internal/guard"
)

func TestMain(m *testing.M) {
	if childMain() {
		return
	}
	goleak.VerifyTestMain(m)
}

// source is a file that no sniffing takes for text.
func source(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	copy(b, "\x00\x00\x00\x18ftypmp42")
	return b
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// hostile is a server that plays one trick.
type hostile struct {
	body  []byte
	trick func(h *hostile, w http.ResponseWriter, r *http.Request, n int) // n counts requests from 1

	requests atomic.Int64
	served   atomic.Int64 // bytes of bodies
	mu       sync.Mutex   // guards ranges
	ranges   []string
}

func start(t testing.TB, h *hostile) string {
	t.Helper()
	if h.body == nil {
		h.body = source(600 << 10)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.ranges = append(h.ranges, r.Header.Get("Range"))
		h.mu.Unlock()
		h.trick(h, w, r, int(h.requests.Add(1)))
	}))
	srv.Config.ErrorLog = discard()
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.URL
}

// send writes body[from:to], announced or not as the headers are.
func (h *hostile) send(w http.ResponseWriter, from, to int) {
	for from < to {
		step := min(from+32<<10, to)
		n, err := w.Write(h.body[from:step])
		h.served.Add(int64(n))
		if err != nil {
			return
		}
		from = step
	}
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}

// from is where the range that was asked for begins.
func from(r *http.Request) int {
	at, _ := asked(r, 0)
	return at
}

// asked reads the range that was asked for, of a file of size bytes: to is the
// byte after its last one.
func asked(r *http.Request, size int) (at, to int) {
	first, last, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-")
	if !ok {
		return 0, size
	}
	at, _ = strconv.Atoi(first)
	if n, err := strconv.Atoi(last); err == nil {
		size = min(n+1, size)
	}
	return at, size
}

// head writes the head of a correct answer, with a validator, and gives where
// its body begins.
func (h *hostile) head(w http.ResponseWriter, r *http.Request) int {
	at, _ := h.bounds(w, r)
	return at
}

// bounds is head that gives the body's end, too.
func (h *hostile) bounds(w http.ResponseWriter, r *http.Request) (at, to int) {
	at, to = asked(r, len(h.body))
	w.Header().Set("ETag", `"one"`)
	w.Header().Set("Accept-Ranges", "bytes")
	w.Header().Set("Content-Type", "video/mp4")
	w.Header().Set("Content-Length", strconv.Itoa(to-at))
	if r.Header.Get("Range") == "" {
		w.WriteHeader(http.StatusOK)
		return at, to
	}
	w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, to-1, len(h.body)))
	w.WriteHeader(http.StatusPartialContent)
	return at, to
}

func (h *hostile) good(w http.ResponseWriter, r *http.Request) {
	at, to := h.bounds(w, r)
	h.send(w, at, to)
}

// cut sends n bytes of a correct answer and closes the connection.
func (h *hostile) cut(w http.ResponseWriter, r *http.Request, n int) {
	at, to := h.bounds(w, r)
	h.send(w, at, min(at+n, to))
	panic(http.ErrAbortHandler)
}

// wire answers with raw bytes and closes, with a reset when abrupt.
func wire(w http.ResponseWriter, raw []byte, abrupt bool) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = conn.Write(raw)
	if tcp, ok := conn.(*net.TCPConn); ok && abrupt {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// here is the policy under which the servers of tests may be asked.
var here = guard.Policy{Private: true}

// quick is a client that loses no time.
func quick() *Client {
	return &Client{
		Guard: here,
		Stall: 400 * time.Millisecond, MinWindow: 60 * time.Millisecond, MinRate: -1,
		Backoff: time.Millisecond, Attempts: 4,
	}
}

func fetchTo(t *testing.T, c *Client, url string) (Result, string, error) {
	t.Helper()
	t.Cleanup(c.Close)
	path := filepath.Join(t.TempDir(), "source")
	res, err := c.Get(t.Context(), Request{URL: url, Path: path}, nil)
	return res, path, err
}

func removeAll(names ...string) error {
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

func discard() *log.Logger { return log.New(io.Discard, "", 0) }

func padded(s string) []byte { return append([]byte(s), bytes.Repeat([]byte(" more"), 2000)...) }
