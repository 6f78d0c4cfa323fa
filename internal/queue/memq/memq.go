// Package memq is the queue engine of a single process: messages are in
// memory, and gone with it. The ledger hands out again what they carried.
package memq

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/spool-video/spool/internal/queue"
)

var _ queue.Queue = (*Queue)(nil)

// Queue is an engine in memory. A topic takes any number of messages; what is
// received is not delivered again.
type Queue struct {
	closed chan struct{}

	mu     sync.Mutex // owns what follows
	ended  bool       // closed is closed
	topics map[string]*topic
}

// topic has messages, or receivers that wait for one, or is not kept.
type topic struct {
	messages [][]byte
	waiting  []chan []byte // with room for one message, so that giving it never waits
}

// New makes an engine without messages.
func New() *Queue {
	return &Queue{closed: make(chan struct{}), topics: map[string]*topic{}}
}

// Send gives a copy of body to the receiver that waits longest, or keeps it.
func (q *Queue) Send(ctx context.Context, name string, body []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return queue.ErrClosed
	}
	q.give(name, bytes.Clone(body), false)
	return nil
}

// Receive takes the first message of a topic, and waits for one.
func (q *Queue) Receive(ctx context.Context, name string) (queue.Delivery, error) {
	if err := ctx.Err(); err != nil {
		return queue.Delivery{}, err
	}
	mine, err := q.ask(name)
	if err != nil {
		return queue.Delivery{}, err
	}
	select {
	case body := <-mine:
		return queue.Delivery{Body: body, Ack: ack}, nil
	case <-q.closed:
		return queue.Delivery{}, queue.ErrClosed
	case <-ctx.Done():
		q.leave(name, mine)
		return queue.Delivery{}, ctx.Err()
	}
}

// Close forgets all messages and ends all waiting calls.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.ended {
		q.ended = true
		q.topics = nil
		close(q.closed)
	}
	return nil
}

// ack has nothing to do: the message left the engine when it was received.
func ack(context.Context) error { return nil }

// ask gives a channel on which a message of the topic is, or will be.
func (q *Queue) ask(name string) (chan []byte, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return nil, queue.ErrClosed
	}
	mine := make(chan []byte, 1)
	t := q.topic(name)
	if len(t.messages) == 0 {
		t.waiting = append(t.waiting, mine)
		return mine, nil
	}
	mine <- t.messages[0]
	t.messages[0] = nil // the slice would hold on to it
	t.messages = t.messages[1:]
	q.tidy(name)
	return mine, nil
}

// leave takes a receiver out of the line. A message that it was given at the
// same moment goes to the next one, before all others.
func (q *Queue) leave(name string, mine chan []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return
	}
	select {
	case body := <-mine:
		q.give(name, body, true)
	default:
		t := q.topic(name)
		t.waiting = slices.DeleteFunc(t.waiting, func(w chan []byte) bool { return w == mine })
		q.tidy(name)
	}
}

// give hands a message to the receiver that waits longest, or keeps it, in
// front of all others or behind them. The caller holds the lock.
func (q *Queue) give(name string, body []byte, inFront bool) {
	t := q.topic(name)
	switch {
	case len(t.waiting) > 0:
		t.waiting[0] <- body
		t.waiting = slices.Delete(t.waiting, 0, 1)
		q.tidy(name)
	case inFront:
		t.messages = slices.Insert(t.messages, 0, body)
	default:
		t.messages = append(t.messages, body)
	}
}

func (q *Queue) topic(name string) *topic {
	t := q.topics[name]
	if t == nil {
		t = &topic{}
		q.topics[name] = t
	}
	return t
}

// tidy forgets a topic that has nothing: workers come and go, each with a
// topic of its own.
func (q *Queue) tidy(name string) {
	if t := q.topics[name]; len(t.messages) == 0 && len(t.waiting) == 0 {
		delete(q.topics, name)
	}
}
