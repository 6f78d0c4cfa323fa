// Package redisq is the queue engine over Redis, 7.0 or newer, and Valkey.
//
// A topic is a stream, "spool:q:" and its name, read by one group; reading and
// leasing are one step, so that a receiver that dies loses nothing. Entries
// are deleted when they are acknowledged; those of topics that are not kept
// also by their age, and the stream with them. The inbox has a list before its
// stream: any program hands in with LPUSH spool:inbox.
package redisq

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/spool-video/spool/internal/queue"
)

var _ queue.Queue = (*Queue)(nil)

// Queue is a connection to a Redis server.
type Queue struct {
	link  queue.Link
	tells *queue.Teller
	at    string // the server's address, for messages
	me    string // this process's consumer: another start is another one
	rdb   *redis.Client
	line  *queue.Line

	sent   atomic.Int64  // names messages
	closed chan struct{} // closed by Close
	once   sync.Once
}

// Keys and names in Redis.
const (
	streamPrefix = "spool:q:"
	sentPrefix   = "spool:sent:"
	inboxList    = "spool:inbox"
	movingList   = "spool:inbox:moving"
	group        = "spool"
)

const (
	dialTime    = 5 * time.Second
	requestTime = 5 * time.Second // for an answer
	blockTime   = time.Second     // how long a read waits for a message: how soon what dead receivers left is seen
	pause       = 500 * time.Millisecond
	forgotten   = time.Hour // after which a consumer's name is deleted
	connections = 64        // one for each topic that is waited on, and for sending
)

// Open connects to the server at url ("redis://user:password@host:6379/0",
// "rediss://…"), and waits for one that is away until ctx ends. A server that
// refuses, or cannot be used, is an error.
func Open(ctx context.Context, url string, link queue.Link) (*Queue, error) {
	q := &Queue{link: link.WithDefaults(), tells: link.Teller(), me: rand.Text(), closed: make(chan struct{})}
	q.line = queue.NewLine(q.source)
	opts, err := q.options(url)
	if err != nil {
		return nil, err
	}
	q.at, q.rdb = opts.Addr, redis.NewClient(opts)
	for {
		err := q.check(ctx)
		if err == nil {
			q.tells.Back()
			return q, nil
		}
		why := q.judge(err)
		if final(why) {
			return nil, errors.Join(why, q.rdb.Close())
		}
		q.tells.Away(why)
		if err := queue.Wait(ctx, pause); err != nil {
			return nil, errors.Join(fmt.Errorf("%w: %w", err, why), q.rdb.Close())
		}
	}
}

// Send adds the message, again and again under the same name, until the server
// has it.
func (q *Queue) Send(ctx context.Context, topic string, body []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(body) > queue.MaxBody {
		return queue.TooBig(len(body), queue.MaxBody, "")
	}
	name := fmt.Sprintf("%s-%d", q.me, q.sent.Add(1))
	for {
		select {
		case <-q.closed:
			return queue.ErrClosed
		default:
		}
		err := q.add(ctx, topic, name, body)
		switch {
		case err == nil:
			q.tells.Back()
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, redis.ErrClosed):
			return queue.ErrClosed
		}
		q.tells.Away(q.judge(err))
		if err := queue.Wait(ctx, pause); err != nil {
			return err
		}
	}
}

func (q *Queue) add(ctx context.Context, topic, name string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	if topic == queue.InboxTopic {
		// By the door that all others use: what is in the list comes in turn.
		return q.rdb.LPush(ctx, inboxList, body).Err()
	}
	return sendScript.Run(ctx, q.rdb, []string{streamPrefix + topic, sentPrefix}, body, q.brief(topic), name).Err()
}

// brief is how long a topic's messages live, in milliseconds; 0 is until they
// are acknowledged.
func (q *Queue) brief(topic string) int64 {
	if queue.Kept(topic) {
		return 0
	}
	return q.link.Brief.Milliseconds()
}

// Receive waits for a message of a topic.
func (q *Queue) Receive(ctx context.Context, topic string) (queue.Delivery, error) {
	return q.line.Receive(ctx, topic)
}

// Close gives back what was not acknowledged and ends the connections.
func (q *Queue) Close() error {
	q.once.Do(func() { close(q.closed) })
	q.line.Close()
	if err := q.rdb.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
		return fmt.Errorf("close Redis connections: %w", err)
	}
	return nil
}
