package worker

import (
	"context"
	"sync"
	"time"
)

// between is how long the worker waits before it tries a queue again that is
// away.
const between = time.Second

// rest waits for that long, or for ctx, whose error it returns.
func rest(ctx context.Context) error {
	t := time.NewTimer(between)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// link is whether the worker reaches the queue.
type link struct {
	tell func(error)

	mu   sync.Mutex
	last time.Time // owned by mu: when something was sent
	away bool      // owned by mu
}

// heard notes that the queue has taken a beat.
func (l *link) heard() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = time.Now()
	if l.away {
		l.away = false
		l.tell(nil)
	}
}

// lost notes that the queue took nothing, and gives for how long it has not.
func (l *link) lost(err error) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.away {
		l.away = true
		l.tell(err)
	}
	return time.Since(l.last)
}
