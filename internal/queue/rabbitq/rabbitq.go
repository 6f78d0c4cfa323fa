// Package rabbitq is the queue engine over RabbitMQ, 3.10 or newer.
//
// A topic is a queue, "spool." and its name, on the default exchange, so that
// any program hands in with a publish to spool.inbox. Queues of topics that
// are kept are quorum queues, which confirm what is on disk; the others are
// classic ones whose messages end by their age, and which end themselves when
// nobody reads them. A queue that somebody made with other settings is used as
// it is.
//
// The library's own recovery is off: it goes on with the same channel, on
// which a late acknowledgement would be another message's. Here a connection
// that ends takes its channels with it, and what was received on them comes
// again.
package rabbitq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rabbitmq/amqp091-go"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/queue"
)

var _ queue.Queue = (*Queue)(nil)

// Queue is a connection to a RabbitMQ server, made anew when it ends.
type Queue struct {
	link  queue.Link
	tells *queue.Teller
	url   string
	at    string // the server's address, for messages
	line  *queue.Line

	ended  context.CancelFunc // of the keeper
	keeper sync.WaitGroup

	mu      sync.Mutex // owns what follows
	closed  bool
	now     *session      // nil while there is none
	changed chan struct{} // closed when now changes, or closed is set
}

const (
	prefix      = "spool."
	dialTime    = 5 * time.Second
	requestTime = 30 * time.Second // for an answer; a new quorum queue elects its leader first
	waitTime    = 2 * time.Second  // of one read
	pause       = 500 * time.Millisecond
	heartbeat   = 10 * time.Second // two without an answer, and the connection counts as cut
)

// Open connects to the server at url ("amqp://user:password@host:5672/vhost",
// "amqps://…"), and waits for one that is away until ctx ends. A server that
// refuses, or cannot be used, is an error.
func Open(ctx context.Context, url string, link queue.Link) (*Queue, error) {
	q := &Queue{link: link.WithDefaults(), tells: link.Teller(), url: url, changed: make(chan struct{})}
	q.line = queue.NewLine(q.source)
	if err := q.address(); err != nil {
		return nil, err
	}
	for {
		s, err := q.dial()
		if err == nil {
			q.keep(ctx, s)
			return q, nil
		}
		why := q.judge(err)
		if why.Class == spool.Permanent {
			return nil, why
		}
		q.tells.Away(why)
		if err := queue.Wait(ctx, pause); err != nil {
			return nil, fmt.Errorf("%w: %w", err, why)
		}
	}
}

// keep has a session at all times, as far as there can be one.
func (q *Queue) keep(ctx context.Context, s *session) {
	ctx, q.ended = context.WithCancel(context.WithoutCancel(ctx))
	q.set(s)
	q.keeper.Go(func() {
		for s != nil {
			select {
			case <-s.lost:
			case <-ctx.Done():
			}
			q.set(nil)
			s.end()
			s = q.again(ctx, s.why())
		}
	})
}

// again dials until there is a session, or ctx ends: then there is none.
func (q *Queue) again(ctx context.Context, why error) *session {
	for ctx.Err() == nil {
		q.tells.Away(q.judge(why))
		s, err := q.dial()
		if err == nil {
			q.set(s)
			return s
		}
		why = err
		_ = queue.Wait(ctx, pause) // the loop looks at ctx
	}
	return nil
}

func (q *Queue) set(s *session) {
	q.mu.Lock()
	q.now = s
	close(q.changed)
	q.changed = make(chan struct{})
	q.mu.Unlock()
	if s != nil {
		q.tells.Back()
	}
}

// session waits for a session.
func (q *Queue) session(ctx context.Context) (*session, error) {
	for {
		q.mu.Lock()
		s, closed, changed := q.now, q.closed, q.changed
		q.mu.Unlock()
		switch {
		case closed:
			return nil, queue.ErrClosed
		case s != nil:
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Send publishes until the server has confirmed the message.
func (q *Queue) Send(ctx context.Context, topic string, body []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(body) > queue.MaxBody {
		return queue.TooBig(len(body), queue.MaxBody, "")
	}
	body = append([]byte(nil), body...) // it may be written when this call has given up
	for {
		s, err := q.session(ctx)
		if err != nil {
			return err
		}
		err = s.send(ctx, topic, body)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		var e *amqp091.Error
		if errors.As(err, &e) && e.Code == amqp091.PreconditionFailed {
			return queue.TooBig(len(body), queue.MaxBody, "raise max_message_size in rabbitmq.conf")
		}
		if err := queue.Wait(ctx, pause/10); err != nil {
			return err
		}
	}
}

// Receive waits for a message of a topic.
func (q *Queue) Receive(ctx context.Context, topic string) (queue.Delivery, error) {
	return q.line.Receive(ctx, topic)
}

// Close gives back what was not acknowledged and ends the connection.
func (q *Queue) Close() error {
	q.mu.Lock()
	first := !q.closed
	q.closed = true
	if first {
		close(q.changed)
		q.changed = make(chan struct{})
	}
	q.mu.Unlock()
	q.line.Close()
	q.ended()
	q.keeper.Wait()
	return nil
}
