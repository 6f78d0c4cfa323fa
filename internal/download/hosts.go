package download

import (
	"context"
	"errors"
	"sync"
)

// hosts limits how many requests one host gets at a time.
type hosts struct {
	limit int // set before first use

	mu    sync.Mutex // guards slots
	slots map[string]chan struct{}
}

// errBusy: the host has no room for one more request now.
var errBusy = errors.New("the host is busy")

// acquire waits for a turn at host; the returned function gives it back.
func (h *hosts) acquire(ctx context.Context, host string) (release func(), err error) {
	slot := h.slot(host)
	select {
	case slot <- struct{}{}:
		return func() { <-slot }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// try is acquire that does not wait; its error is errBusy.
func (h *hosts) try(host string) (release func(), err error) {
	slot := h.slot(host)
	select {
	case slot <- struct{}{}:
		return func() { <-slot }, nil
	default:
		return nil, errBusy
	}
}

func (h *hosts) slot(host string) chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.slots == nil {
		h.slots = make(map[string]chan struct{})
	}
	if h.slots[host] == nil {
		h.slots[host] = make(chan struct{}, h.limit)
	}
	return h.slots[host]
}
