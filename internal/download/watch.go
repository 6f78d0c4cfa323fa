package download

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

var (
	errStalled = errors.New("no bytes for too long")
	errSlow    = errors.New("too few bytes per second")
)

// watch ends a request, by its context's cause, when the next byte is too long
// in coming or when too few came over a window. Only time spent on waiting for
// the server counts: a slow disk of ours is not the server's fault.
type watch struct {
	cancel context.CancelCauseFunc
	stall  time.Duration
	window time.Duration
	least  int64 // bytes in one window

	mu    sync.Mutex // guards the rest
	timer *time.Timer
	spent time.Duration // waited in the current window
	got   int64         // bytes in it
}

// newWatch derives the context that the watch may end. stop must be called.
func newWatch(ctx context.Context, c *Client) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{
		cancel: cancel,
		stall:  orInt(c.Stall, defaultStall),
		window: orInt(c.MinWindow, defaultMinWindow),
	}
	w.least = int64(float64(max(orInt(c.MinRate, defaultMinRate), 0)) * w.window.Seconds())
	w.timer = time.AfterFunc(w.stall, func() { cancel(errStalled) })
	return ctx, w
}

// hold stops the clock while the server is not what we wait for.
func (w *watch) hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
}

// expect starts the clock: something must come from the server.
func (w *watch) expect() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Reset(w.stall)
}

// came notes that n bytes came after a wait, and stops the clock.
func (w *watch) came(n int, waited time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
	w.got += int64(n)
	w.spent += waited
	if w.spent < w.window {
		return
	}
	if w.got < w.least {
		w.cancel(errSlow)
	}
	w.spent, w.got = 0, 0
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
	w.cancel(context.Canceled)
}

// watched is a body whose reads are watched.
type watched struct {
	body  io.Reader
	watch *watch
}

func (b watched) Read(p []byte) (int, error) {
	since := time.Now()
	b.watch.expect()
	n, err := b.body.Read(p)
	b.watch.came(n, time.Since(since))
	return n, err
}
