package ranges_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ranges"
	"github.com/spool-video/spool/internal/tap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// origin is a file elsewhere, and what goes wrong with it.
type origin struct {
	mu    sync.Mutex
	bytes []byte
	tag   string
	fail  func(spool.Span) error // nil: nothing fails
	short func(spool.Span) int64 // how much of a span comes; nil: all of it
	gate  chan struct{}          // nil: nothing waits

	asked, sent atomic.Int64 // requests, bytes
}

func (o *origin) Open(ctx context.Context, span spool.Span) (io.ReadCloser, error) {
	o.asked.Add(1)
	if o.gate != nil {
		select {
		case <-o.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		if err := o.fail(span); err != nil {
			return nil, err
		}
	}
	n := span.Len()
	if o.short != nil {
		n = min(n, o.short(span))
	}
	o.sent.Add(n)
	return io.NopCloser(bytes.NewReader(o.bytes[span.From : span.From+n])), nil
}

func (o *origin) Stamp(context.Context) (int64, string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return int64(len(o.bytes)), o.tag, nil
}

func (o *origin) fetched() *spool.Fetched {
	return &spool.Fetched{Size: int64(len(o.bytes)), Tag: o.tag, Remote: &spool.Remote{Store: "far:films/a.mp4"}}
}

func made(size int) *origin {
	o := &origin{bytes: make([]byte, size), tag: `"1"`}
	seeded := rand.NewChaCha8([32]byte{1})
	_, _ = seeded.Read(o.bytes)
	return o
}

func pool(o *origin) *ranges.Pool {
	return &ranges.Pool{
		Origin: func(*spool.Fetched) (ranges.Origin, error) { return o, nil },
		Memory: 4 << 20, Rest: time.Millisecond, Patience: 20 * time.Millisecond,
	}
}

func open(t *testing.T, p *ranges.Pool, o *origin, window spool.Span) tap.Remote {
	t.Helper()
	r, err := p.Open(o.fetched(), window)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// same reads a span, in pieces as programs do, and compares it.
func same(t *testing.T, r tap.Reader, o *origin, span spool.Span) {
	t.Helper()
	got := make([]byte, span.Len())
	for at := span.From; at < span.To; at += 32 << 10 {
		to := min(at+32<<10, span.To)
		if err := tap.ReadFull(t.Context(), r, got[at-span.From:to-span.From], at); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, o.bytes[span.From:span.To]) {
		t.Errorf("other bytes in %v", span)
	}
}

var passing = &spool.Error{Class: spool.Transient, Code: "http-503", Reason: "busy"}

// One that reads on asks seldom, and never beyond its window by more than a
// block; what was read is here for the next.
func TestReadsAhead(t *testing.T) {
	t.Parallel()
	o := made(9 << 20)
	p := pool(o)
	window := spool.Span{From: 1_000_000, To: 5_000_000}
	same(t, open(t, p, o, window), o, window)
	if n := o.asked.Load(); n > 12 {
		t.Errorf("%d requests for 4 MB", n)
	}
	if n := o.sent.Load(); n > window.Len()+1<<20 {
		t.Errorf("%d bytes were fetched for %d", n, window.Len())
	}
	before := o.asked.Load()
	last := spool.Span{From: 4_500_000, To: 5_000_000}
	same(t, open(t, p, o, last), o, last)
	if n := o.asked.Load(); n != before {
		t.Errorf("%d more requests for what is here", n-before)
	}
	end := spool.Span{From: 9<<20 - 10, To: 9 << 20}
	r := open(t, p, o, spool.Span{})
	same(t, r, o, end)
	if n, err := r.ReadAtContext(t.Context(), make([]byte, 1), 9<<20); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("behind the end: %d, %v", n, err)
	}
}

// Many read at many places, in little memory, while a tenth of all requests
// fail and another tenth are cut: each gets its own bytes.
func TestManyReadersAndFaults(t *testing.T) {
	t.Parallel()
	o := made(6 << 20)
	seeded := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same faults each time
	o.fail = func(spool.Span) error {
		if seeded.IntN(10) == 0 {
			return passing
		}
		return nil
	}
	o.short = func(s spool.Span) int64 {
		if seeded.IntN(10) == 0 {
			return s.Len() / 3
		}
		return s.Len()
	}
	p := pool(o)
	p.Memory, p.Patience = 1<<20, time.Minute
	var group sync.WaitGroup
	for n := range 6 {
		window := spool.Span{From: int64(n) << 20, To: int64(n+1)<<20 + 5000}
		window.To = min(window.To, int64(len(o.bytes)))
		group.Go(func() {
			r, err := p.Open(o.fetched(), window)
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			same(t, r, o, spool.Span{To: 4096})
			same(t, r, o, window)
		})
	}
	group.Wait()
	if err := p.Confirm(t.Context(), o.fetched(), time.Time{}); err != nil {
		t.Error(err)
	}
}

// What does not pass ends who reads, and is told to who asks why; the next to
// open it begins anew.
func TestFailures(t *testing.T) {
	t.Parallel()
	gone := &spool.Error{Class: spool.Permanent, Code: "source-missing", Reason: "it is gone"}
	for name, want := range map[string]*spool.Error{"for good": gone, "for too long": passing} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := made(1 << 20)
			p := pool(o)
			o.fail = func(spool.Span) error { return want }
			began := time.Now()
			r := open(t, p, o, spool.Span{})
			if _, err := r.ReadAtContext(t.Context(), make([]byte, 10), 0); !errors.Is(err, want) || !errors.Is(r.Err(), want) {
				t.Errorf("read: %v, then %v; want %v", err, r.Err(), want)
			}
			if err := p.Confirm(t.Context(), o.fetched(), began); !errors.Is(err, want) {
				t.Errorf("confirm: %v", err)
			}
			if err := p.Confirm(t.Context(), o.fetched(), time.Now()); err != nil {
				t.Errorf("confirm later: %v", err)
			}
			o.mu.Lock()
			o.fail = nil
			o.mu.Unlock()
			same(t, open(t, p, o, spool.Span{}), o, spool.Span{To: 1 << 20})
		})
	}
}

func TestReplaced(t *testing.T) {
	t.Parallel()
	o := made(1 << 20)
	p, f := pool(o), o.fetched()
	o.mu.Lock()
	o.tag = `"2"`
	o.mu.Unlock()
	if e := spool.AsError(p.Confirm(t.Context(), f, time.Now())); e.Class != spool.Replan || e.Code != spool.SourceChanged {
		t.Errorf("confirm: %+v", e)
	}
}

// Who closes, or has waited enough, waits for nobody.
func TestEndsWhileItWaits(t *testing.T) {
	t.Parallel()
	o := made(1 << 20)
	o.gate = make(chan struct{})
	p := pool(o)
	r := open(t, p, o, spool.Span{To: 1 << 20})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if _, err := r.ReadAtContext(ctx, make([]byte, 10), 0); !errors.Is(err, why) {
		t.Errorf("read: %v", err)
	}
	r.Close()
	r.Close()
	close(o.gate)
	same(t, open(t, p, o, spool.Span{}), o, spool.Span{To: 1 << 20})
}
