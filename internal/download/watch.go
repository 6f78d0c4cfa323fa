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
// in coming or when too few came over a window.
type watch struct {
	cancel context.CancelCauseFunc
	stall  time.Duration
	window time.Duration
	least  int64 // bytes in one window

	mu     sync.Mutex // guards the rest
	timer  *time.Timer
	opened time.Time // start of the current window
	got    int64     // bytes in it
}

// newWatch derives the context that the watch may end. stop must be called.
func newWatch(ctx context.Context, c *Client) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{
		cancel: cancel,
		stall:  orInt(c.Stall, defaultStall),
		window: orInt(c.MinWindow, defaultMinWindow),
		opened: time.Now(),
	}
	w.least = int64(float64(max(orInt(c.MinRate, defaultMinRate), 0)) * w.window.Seconds())
	w.timer = time.AfterFunc(w.stall, func() { cancel(errStalled) })
	return ctx, w
}

// hold stops the clock while we ourselves are the reason for waiting; the next
// tick starts it again.
func (w *watch) hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
	w.opened, w.got = time.Time{}, 0
}

// tick notes that n bytes came.
func (w *watch) tick(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Reset(w.stall)
	now := time.Now()
	if w.opened.IsZero() {
		w.opened = now
	}
	w.got += int64(n)
	if now.Sub(w.opened) < w.window {
		return
	}
	if w.got < w.least {
		w.cancel(errSlow)
	}
	w.opened, w.got = now, 0
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
	w.cancel(context.Canceled)
}

// watched is a body whose reads are ticks.
type watched struct {
	body  io.Reader
	watch *watch
}

func (b watched) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if n > 0 {
		b.watch.tick(n)
	}
	return n, err
}
