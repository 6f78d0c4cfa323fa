package download

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/tap"
)

// tapped is a watcher as the fetch stage is one: it gives what arrives to a
// source that readers block on.
type tapped struct {
	taps tap.Taps

	mu     sync.Mutex // guards the rest
	source *tap.Source
	opened chan struct{} // closed when there is a source
	file   *os.File
	sizes  []int64
	resets int
	have   spool.Spans
}

func newTapped() *tapped { return &tapped{opened: make(chan struct{})} }

func (w *tapped) Opened(f *os.File, size int64, _ string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.file, w.source, w.sizes = f, w.taps.Open("source", f, size), append(w.sizes, size)
	close(w.opened)
}

func (w *tapped) Arrived(have spool.Spans) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.have = have
	w.source.Arrived(have)
}

func (w *tapped) Reset(why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.source.End(why)
	_ = w.file.Close()
	w.source, w.opened, w.resets = nil, make(chan struct{}), w.resets+1
}

func (w *tapped) Wanted() []spool.Span {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.source == nil {
		w.between()
		return nil
	}
	return w.source.Wants()
}

func (w *tapped) Changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.source == nil {
		w.between()
		return nil
	}
	return w.source.WantChanged()
}

// between: only after a Reset may there be no source.
func (w *tapped) between() {
	if w.resets == 0 {
		panic("asked before anything was opened")
	}
}

// end is what the stage does when Get has returned.
func (w *tapped) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.source == nil {
		return
	}
	w.source.End(err)
	_ = w.file.Close()
}

// read waits for bytes [from, to) of the source as it is now.
func (w *tapped) read(ctx context.Context, from, to int) ([]byte, error) {
	w.mu.Lock()
	opened := w.opened
	w.mu.Unlock()
	select {
	case <-opened:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	w.mu.Lock()
	source := w.source
	w.mu.Unlock()
	if source == nil {
		return nil, errors.New("begun anew")
	}
	b := make([]byte, to-from)
	for n := 0; n < len(b); {
		more, err := source.ReadAtContext(ctx, b[n:], int64(from+n))
		if err != nil {
			return nil, err
		}
		n += more
	}
	return b, nil
}

// arrival is a Get with a reader.
type arrival struct {
	*tapped
	path  string
	ended chan error
	res   Result // when it has ended
}

func arrive(t *testing.T, c *Client, r Request) *arrival {
	t.Helper()
	if r.Path == "" {
		r.Path = filepath.Join(t.TempDir(), "source")
	}
	a := &arrival{tapped: newTapped(), path: r.Path, ended: make(chan error, 1)}
	r.Watcher = a.tapped
	go func() {
		var err error
		a.res, err = c.Get(t.Context(), r, nil)
		a.end(err)
		a.ended <- err
	}()
	return a
}

// wantBytes reads bytes as they arrive, and tells when they were there.
func (a *arrival) wantBytes(t *testing.T, body []byte, from, to int) time.Time {
	t.Helper()
	got, err := a.read(t.Context(), from, to)
	if err != nil {
		t.Fatalf("bytes %d to %d: %v", from, to, err)
	}
	if string(got) != string(body[from:to]) {
		t.Fatalf("bytes %d to %d are not those of the file", from, to)
	}
	return time.Now()
}

// whole waits for the end of Get, and compares what it made.
func (a *arrival) whole(t *testing.T, body []byte) {
	t.Helper()
	if err := <-a.ended; err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(a.path)
	if err != nil || sum(got) != sum(body) || a.res.SHA256 != sum(body) {
		t.Fatalf("got %d bytes (%v), result %+v; not the source", len(got), err, a.res)
	}
	if !a.have.Has(spool.Span{To: int64(len(body))}) {
		t.Errorf("the watcher was told of %v", a.have)
	}
	nothingLeft(t, a.path)
}
