package queue

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// lingers is how long what came when nobody was there is kept for the next
// receiver of this process, before others get it.
const lingers = time.Second

// Source is one topic as an engine over a network reads it.
type Source interface {
	// Next waits for a message and returns it; or returns nil when none came
	// within a second or two, in which it may not be cancelled without losing
	// one for a while. An engine that is away is waited for in here. An error
	// is one that waiting does not mend, or that ctx ended.
	Next(ctx context.Context) (*Held, error)
	// Close is called when nobody waits on the topic any more.
	Close()
}

// Held is a message that an engine has handed to this process.
type Held struct {
	Body []byte
	Ack  func(ctx context.Context) error
	// Release gives it back, for others to receive.
	Release func()
}

// Line is where receivers wait: the part that engines over a network share. A
// receiver that leaves takes nothing with it, because one goroutine a topic
// reads from the engine, for whoever is first in line. What comes when nobody
// is there is kept for the next receiver of this process for as long as one
// Next takes, and then given back.
type Line struct {
	open func(topic string) Source

	mu     sync.Mutex // owns what follows
	ended  bool
	topics map[string]*waiters
	out    map[*Held]bool // received by somebody, not acknowledged
	pumps  sync.WaitGroup
}

// waiters are those who wait on one topic, while a pump reads for them.
type waiters struct {
	waiting []chan outcome // with room for one, so that giving never waits
	kept    []*Held        // given back by a receiver that left, oldest first
	joined  chan struct{}  // with room for one: somebody has come
	stop    context.CancelFunc
}

type outcome struct {
	held *Held
	err  error
}

// NewLine makes a line whose topics are opened by open, which must not wait.
func NewLine(open func(topic string) Source) *Line {
	return &Line{open: open, topics: map[string]*waiters{}, out: map[*Held]bool{}}
}

// Receive waits for a message of a topic.
func (l *Line) Receive(ctx context.Context, topic string) (Delivery, error) {
	if err := ctx.Err(); err != nil {
		return Delivery{}, err
	}
	mine, err := l.join(ctx, topic)
	if err != nil {
		return Delivery{}, err
	}
	select {
	case o := <-mine:
		return l.deliver(o)
	case <-ctx.Done():
		l.leave(topic, mine)
		return Delivery{}, ctx.Err()
	}
}

// Close ends all waiting receivers with ErrClosed and gives back what was
// received and not acknowledged.
func (l *Line) Close() {
	l.mu.Lock()
	l.ended = true
	for _, w := range l.topics {
		w.stop()
		for _, mine := range w.waiting {
			mine <- outcome{err: ErrClosed}
		}
		w.waiting = nil
	}
	l.mu.Unlock()
	l.pumps.Wait()
	l.mu.Lock()
	out := slices.Collect(maps.Keys(l.out))
	clear(l.out)
	l.mu.Unlock()
	for _, h := range out {
		h.Release()
	}
}

// Closed tells whether Close was called.
func (l *Line) Closed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

// join puts a receiver into line, and starts a pump where there is none.
func (l *Line) join(ctx context.Context, topic string) (chan outcome, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil, ErrClosed
	}
	w, ok := l.topics[topic]
	if !ok {
		w = &waiters{joined: make(chan struct{}, 1)}
		l.topics[topic] = w
		var reading context.Context
		reading, w.stop = context.WithCancel(context.WithoutCancel(ctx))
		l.pumps.Go(func() { l.pump(reading, topic, w) })
	}
	mine := make(chan outcome, 1)
	if len(w.kept) > 0 {
		mine <- outcome{held: w.kept[0]}
		w.kept = slices.Delete(w.kept, 0, 1)
		return mine, nil
	}
	w.waiting = append(w.waiting, mine)
	select {
	case w.joined <- struct{}{}:
	default:
	}
	return mine, nil
}

// leave takes a receiver out of line. A message that it was given at the same
// moment goes to the next one, before all others.
func (l *Line) leave(topic string, mine chan outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case o := <-mine:
		if o.held != nil {
			l.handBack(topic, o.held)
		}
	default:
		w := l.topics[topic]
		w.waiting = slices.DeleteFunc(w.waiting, func(c chan outcome) bool { return c == mine })
	}
}

// handBack gives a message to whoever is first in line, or keeps it for the
// next. The caller holds the lock.
func (l *Line) handBack(topic string, h *Held) {
	w, reading := l.topics[topic]
	switch {
	case !reading: // the line is closed: it comes again later
	case len(w.waiting) > 0:
		w.waiting[0] <- outcome{held: h}
		w.waiting = slices.Delete(w.waiting, 0, 1)
	default:
		w.kept = append(w.kept, h)
	}
}

func (l *Line) deliver(o outcome) (Delivery, error) {
	if o.err != nil {
		return Delivery{}, o.err
	}
	h := o.held
	l.mu.Lock()
	l.out[h] = true
	l.mu.Unlock()
	var once sync.Mutex
	acked := false
	return Delivery{Body: h.Body, Ack: func(ctx context.Context) error {
		once.Lock()
		defer once.Unlock()
		if acked {
			return nil
		}
		l.mu.Lock()
		delete(l.out, h)
		l.mu.Unlock()
		err := h.Ack(ctx)
		acked = err == nil
		return err
	}}, nil
}

// pump reads a topic for as long as somebody waits on it, and a moment longer.
func (l *Line) pump(ctx context.Context, topic string, w *waiters) {
	source := l.open(topic)
	defer source.Close()
	defer w.stop()
	for {
		h, err := source.Next(ctx)
		l.give(topic, w, outcome{h, err})
		if err == nil && l.wanted(ctx, w) {
			continue
		}
		if l.end(topic, w) {
			return
		}
	}
}

// give hands on what was read.
func (l *Line) give(topic string, w *waiters, o outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o.held != nil {
		l.handBack(topic, o.held)
	}
	if o.err != nil {
		for _, mine := range w.waiting {
			mine <- o
		}
		w.waiting = nil
	}
}

// wanted waits until somebody is there to read for, or a moment.
func (l *Line) wanted(ctx context.Context, w *waiters) bool {
	timer := time.NewTimer(lingers)
	defer timer.Stop()
	for {
		l.mu.Lock()
		some := len(w.waiting) > 0
		l.mu.Unlock()
		if some {
			return true
		}
		select {
		case <-w.joined:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// end takes a topic off the line, unless somebody has come meanwhile. What was
// kept goes back.
func (l *Line) end(topic string, w *waiters) bool {
	l.mu.Lock()
	if len(w.waiting) > 0 {
		l.mu.Unlock()
		return false
	}
	delete(l.topics, topic)
	kept := w.kept
	l.mu.Unlock()
	for _, h := range kept {
		h.Release()
	}
	return true
}
