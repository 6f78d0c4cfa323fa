// Package sealed is a queue whose bodies only a fleet can read and write: it
// stands before an engine and seals what is sent with the fleet key. Topics
// are bound into the seal, so that a message that somebody moves to another
// topic does not open. What other programs hand in is not sealed.
package sealed

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/queue"
)

var _ queue.Queue = (*Queue)(nil)

// Options is who seals, and whom to tell of what does not open.
type Options struct {
	Fleet *keys.Fleet
	// Worker is the name of the worker that sends here, or "". It goes with
	// every message, not hidden but vouched for, so that whoever has another
	// key can tell the worker so.
	Worker string
	// Warns is told of messages that do not open, seldom. It must not wait.
	Warns func(*spool.Error)
}

// Queue seals what goes through it.
type Queue struct {
	inner queue.Queue
	opts  Options

	mu   sync.Mutex           // owns what follows
	told map[string]time.Time // what was said when
}

const (
	seldom    = time.Minute     // how often the same thing is said
	replyTime = 5 * time.Second // for telling a worker that its key is another
)

// New puts a seal before an engine. Close closes the engine.
func New(inner queue.Queue, opts Options) *Queue {
	if opts.Warns == nil {
		opts.Warns = func(*spool.Error) {}
	}
	return &Queue{inner: inner, opts: opts, told: map[string]time.Time{}}
}

// Send seals a copy of body and sends it. Long ones are made smaller first.
func (q *Queue) Send(ctx context.Context, topic string, body []byte) error {
	if topic == queue.InboxTopic {
		return q.inner.Send(ctx, topic, body)
	}
	if len(body) > longestBody { // nobody would open it
		return queue.TooBig(len(body), longestBody, "")
	}
	e, err := seal(q.opts.Fleet, q.opts.Worker, topic, body)
	if err != nil {
		return fmt.Errorf("send to %s: %w", topic, err)
	}
	return q.inner.Send(ctx, topic, e)
}

// Receive waits for a message that opens. One that does not is dropped: an
// engine gives out only so many that are not acknowledged, and would then give
// out none. Whoever seals with another key is told so, and keeps what it
// reports until it is answered.
func (q *Queue) Receive(ctx context.Context, topic string) (queue.Delivery, error) {
	for {
		d, err := q.inner.Receive(ctx, topic)
		if err != nil || topic == queue.InboxTopic {
			return d, err
		}
		worker, body, err := unseal(q.opts.Fleet, topic, d.Body)
		if err == nil {
			d.Body = body
			return d, nil
		}
		q.reject(ctx, topic, worker, err)
		_ = d.Ack(ctx) // unheard, it comes again and is dropped again
	}
}

// Close closes the engine.
func (q *Queue) Close() error { return q.inner.Close() }

// reject says that a message does not open, here and to the worker that sent
// it.
func (q *Queue) reject(ctx context.Context, topic, worker string, err error) {
	var refused refusal
	switch {
	case errors.As(err, &refused):
		q.warn("refused", q.differs(fmt.Sprintf("serve does not open what this worker seals: its fleet key (%s) is not the one", refused.ID)))
	case errors.Is(err, keys.ErrForeign):
		from := "messages on " + topic
		if worker != "" {
			from = "messages of worker " + worker
		}
		q.warn("foreign "+from, q.differs(from+" are sealed with another fleet key than the one"))
		q.reply(ctx, worker)
	default:
		q.warn("damaged "+topic, &spool.Error{
			Class: spool.Environment, Code: "message-not-sealed", Err: err,
			Reason: fmt.Sprintf("a message on %s was dropped: nobody with the fleet key of %s sent it", topic, q.opts.Fleet.Path),
			Hint:   "somebody else writes to this queue: give it a password of its own",
		})
	}
}

func (q *Queue) differs(reason string) *spool.Error {
	return &spool.Error{
		Class: spool.Environment, Code: "fleet-key-differs",
		Reason: fmt.Sprintf("%s in %s (%s)", reason, q.opts.Fleet.Path, q.opts.Fleet.ID()),
		Hint:   "copy the fleet key file from where serve runs to every worker",
	}
}

// reply tells a worker that its key is another. It may be lost: there is more
// where that came from.
func (q *Queue) reply(ctx context.Context, worker string) {
	if worker == "" || worker == q.opts.Worker || !q.due("reply "+worker) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, replyTime)
	defer cancel()
	_ = q.inner.Send(ctx, queue.WorkTopic(worker), refusal{q.opts.Fleet.ID()}.envelope())
}

func (q *Queue) warn(what string, why *spool.Error) {
	if q.due(what) {
		q.opts.Warns(why)
	}
}

// due tells whether something was not said for a while, and that it is now.
func (q *Queue) due(what string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	if last, said := q.told[what]; said && now.Sub(last) < seldom {
		return false
	}
	for old, last := range q.told { // names that others choose are not kept for ever
		if now.Sub(last) >= seldom {
			delete(q.told, old)
		}
	}
	q.told[what] = now
	return true
}
