// Package memq is the queue engine of a single process: messages are in
// memory, and gone with it. The ledger hands out again what they carried.
package memq

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/spool-video/spool/internal/queue"
)

var _ queue.Queue = (*Queue)(nil)

// Queue is an engine in memory. A topic takes any number of messages, of any
// length; what is received is not delivered again.
type Queue struct {
	Brief  time.Duration // as queue.Brief, which New makes it; not to be changed once it is used
	closed chan struct{}

	mu     sync.Mutex // owns what follows
	ended  bool       // closed is closed
	topics map[string]*topic
}

// topic has messages, or receivers that wait for one, or is not kept.
type topic struct {
	messages []message
	waiting  []chan message // with room for one message, so that giving it never waits
}

type message struct {
	body []byte
	sent time.Time
}

// New makes an engine without messages.
func New() *Queue {
	return &Queue{closed: make(chan struct{}), Brief: queue.Brief, topics: map[string]*topic{}}
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
	q.give(name, message{bytes.Clone(body), time.Now()}, false)
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
	case m := <-mine:
		return queue.Delivery{Body: m.body, Ack: ack}, nil
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
func (q *Queue) ask(name string) (chan message, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return nil, queue.ErrClosed
	}
	mine := make(chan message, 1)
	t := q.topic(name)
	q.expire(name, t)
	if len(t.messages) == 0 {
		t.waiting = append(t.waiting, mine)
		return mine, nil
	}
	mine <- t.messages[0]
	t.messages[0] = message{} // the slice would hold on to it
	t.messages = t.messages[1:]
	q.tidy(name)
	return mine, nil
}

// leave takes a receiver out of the line. A message that it was given at the
// same moment goes to the next one, before all others.
func (q *Queue) leave(name string, mine chan message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return
	}
	select {
	case m := <-mine:
		q.give(name, m, true)
	default:
		t := q.topic(name)
		t.waiting = slices.DeleteFunc(t.waiting, func(w chan message) bool { return w == mine })
		q.tidy(name)
	}
}

// give hands a message to the receiver that waits longest, or keeps it, in
// front of all others or behind them. The caller holds the lock.
func (q *Queue) give(name string, m message, inFront bool) {
	t := q.topic(name)
	q.expire(name, t)
	switch {
	case len(t.waiting) > 0:
		t.waiting[0] <- m
		t.waiting = slices.Delete(t.waiting, 0, 1)
		q.tidy(name)
	case inFront:
		t.messages = slices.Insert(t.messages, 0, m)
	default:
		t.messages = append(t.messages, m)
	}
}

// expire forgets what has become too old. The caller holds the lock.
func (q *Queue) expire(name string, t *topic) {
	for !queue.Kept(name) && len(t.messages) > 0 && time.Since(t.messages[0].sent) > q.Brief {
		t.messages[0] = message{}
		t.messages = t.messages[1:]
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
