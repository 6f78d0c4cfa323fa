package flow

import (
	"container/list"
	"context"
	"sync"
)

// Slots are rights to use one resource: whoever holds a slot may, the others
// wait in line. They are safe for concurrent use.
type Slots struct {
	mu      sync.Mutex
	size    int
	inUse   int
	waiting list.List // of chan struct{}, closed when the slot is granted; first come, first served
}

// NewSlots makes n free slots. Fewer than 0 are 0: then Acquire waits for a
// Resize.
func NewSlots(n int) *Slots { return &Slots{size: max(n, 0)} }

// Acquire takes a slot, and waits in line while none is free. When ctx ends it
// returns ctx.Err() and holds none.
func (s *Slots) Acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	place, granted := s.join()
	select {
	case <-granted:
		return nil
	case <-ctx.Done():
		s.leave(place)
		return ctx.Err()
	}
}

// TryAcquire takes a slot if one is free and nobody waits for it.
func (s *Slots) TryAcquire() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inUse >= s.size || s.waiting.Len() > 0 {
		return false
	}
	s.inUse++
	return true
}

// Release gives a slot back. It panics when none is held: that is a mistake in
// the program, and it would let too many in later.
func (s *Slots) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inUse == 0 {
		panic("flow: Release of a slot that nobody holds")
	}
	s.inUse--
	s.grant()
}

// Resize changes how many slots there are; fewer than 0 are 0. Nobody loses a
// slot: when more are in use than there are now, the next ones wait until
// enough were given back.
func (s *Slots) Resize(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.size = max(n, 0)
	s.grant()
}

// Size is how many slots there are.
func (s *Slots) Size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// InUse is how many slots are held; for a while after a Resize that may be
// more than Size.
func (s *Slots) InUse() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inUse
}

// Free is how many slots nobody holds, never less than 0.
func (s *Slots) Free() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.size-s.inUse, 0)
}

// join goes to the end of the line; granted is closed when it is its turn.
func (s *Slots) join() (place *list.Element, granted chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	granted = make(chan struct{})
	place = s.waiting.PushBack(granted)
	s.grant()
	return place, granted
}

// leave goes out of the line. A slot granted at the same moment goes to the
// next one.
func (s *Slots) leave(place *list.Element) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-place.Value.(chan struct{}):
		s.inUse--
	default:
		s.waiting.Remove(place)
	}
	s.grant()
}

// grant lets in as many of the line as there are free slots. The caller holds
// the lock.
func (s *Slots) grant() {
	for s.inUse < s.size && s.waiting.Len() > 0 {
		first := s.waiting.Front()
		s.waiting.Remove(first)
		s.inUse++
		close(first.Value.(chan struct{}))
	}
}
