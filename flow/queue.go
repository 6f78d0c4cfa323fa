package flow

import (
	"context"
	"errors"
	"iter"
	"sync"
)

// ErrClosed is returned by Put on a closed queue, and by Take on a closed
// queue that is empty.
var ErrClosed = errors.New("flow: queue is closed")

// Queue hands items from producers to consumers, in order, and holds at most
// its capacity of them. It is safe for concurrent use.
type Queue[T any] struct {
	items  chan T
	closed chan struct{}
	// putting is held for reading by every Put, for writing by Close: items
	// is closed only when no Put can be sending to it.
	putting sync.RWMutex
	once    sync.Once
}

// NewQueue makes a queue that holds at most capacity items. With capacity 0,
// Put waits until a consumer takes the item. Like make, it panics when
// capacity is negative.
func NewQueue[T any](capacity int) *Queue[T] {
	return &Queue[T]{items: make(chan T, capacity), closed: make(chan struct{})}
}

// Put adds v at the end, and waits while the queue is full. It returns
// ErrClosed when the queue is closed, before or while it waits, and ctx.Err()
// when ctx ends; then v is not in the queue.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.putting.RLock()
	defer q.putting.RUnlock()
	select {
	case <-q.closed:
		return ErrClosed
	default:
	}
	select {
	case q.items <- v:
		return nil
	case <-q.closed:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Take removes the first item, and waits while the queue is empty. A closed
// queue gives what is left in it, then ErrClosed. When ctx ends Take returns
// ctx.Err() and removes nothing.
func (q *Queue[T]) Take(ctx context.Context) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	select {
	case v, ok := <-q.items:
		if !ok {
			return none, ErrClosed
		}
		return v, nil
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// All yields the items as Take gives them, until the queue is closed and empty
// or ctx ends. After the loop ctx.Err() tells which: only when it is nil has
// the loop seen everything.
func (q *Queue[T]) All(ctx context.Context) iter.Seq[T] {
	return func(yield func(T) bool) {
		for {
			v, err := q.Take(ctx)
			if err != nil || !yield(v) {
				return
			}
		}
	}
}

// Close says that no more items will come. Every Put that waits returns
// ErrClosed; what is in the queue can still be taken. Closing twice is no
// error.
func (q *Queue[T]) Close() {
	q.once.Do(func() {
		close(q.closed) // lets go of every Put that waits, so that the lock can be had
		q.putting.Lock()
		defer q.putting.Unlock()
		close(q.items)
	})
}

// Len is how many items are in the queue now.
func (q *Queue[T]) Len() int { return len(q.items) }

// Cap is how many items the queue can hold.
func (q *Queue[T]) Cap() int { return cap(q.items) }
