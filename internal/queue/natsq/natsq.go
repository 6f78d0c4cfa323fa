// Package natsq is the queue engine over NATS JetStream.
//
// Topics that are kept are subjects of the stream SPOOL, "spool." and the
// topic, so that any client hands in with a publish to spool.inbox; the stream
// is on the server's disk, and a message leaves it when it is acknowledged.
// All others are subjects of SPOOL_BRIEF, in the server's memory, where a
// message lives for queue.Brief. Both are made when they are missing, and a
// stream that is there keeps its settings: who wants replicas makes it first.
package natsq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/queue"
)

var _ queue.Queue = (*Queue)(nil)

// Options is how a server is reached, beside its URL.
type Options struct {
	queue.Link
	Token     string                     // of a server that wants one, if the URL does not hold it
	InProcess nats.InProcessConnProvider // a server of this process, in place of the URL
}

// Queue is a connection to a NATS server.
type Queue struct {
	link  queue.Link
	tells *queue.Teller
	at    string // the server's address, for messages
	nc    *nats.Conn
	js    jetstream.JetStream
	line  *queue.Line
}

const (
	dialTime    = 5 * time.Second
	requestTime = 5 * time.Second // for an answer of a server that is there; a slow disk takes its time
	fetchTime   = 2 * time.Second // a request for messages dies with the server that it was sent to
	pause       = 500 * time.Millisecond
	pingEvery   = 10 * time.Second // two without an answer, and the connection counts as cut
)

// Open connects to the server at url ("nats://host:4222", "tls://…"), and
// waits for one that is away until ctx ends. A server that refuses, or cannot
// be used, is an error.
func Open(ctx context.Context, url string, opts Options) (*Queue, error) {
	opts.Link = opts.WithDefaults()
	q := &Queue{link: opts.Link, tells: opts.Teller(), at: address(url, opts)}
	q.line = queue.NewLine(q.source)
	for {
		err := q.connect(ctx, url, opts)
		if err == nil {
			q.tells.Back()
			q.weigh()
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

// connect tries once.
func (q *Queue) connect(ctx context.Context, url string, opts Options) (err error) {
	nc, err := nats.Connect(url, q.options(opts)...)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			nc.Close()
		}
	}()
	if has := nc.ConnectedServerVersion(); !queue.NewEnough(has, oldest) {
		return queue.TooOld(engine, q.at, has, oldest)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	q.nc, q.js = nc, js
	for _, kept := range []bool{true, false} {
		if err := q.ensure(ctx, kept); err != nil {
			return err
		}
	}
	return nil
}

// Send publishes, again and again under the same message ID, until the server
// has stored the message.
func (q *Queue) Send(ctx context.Context, topic string, body []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(body) > q.limit() {
		return q.tooBig(len(body))
	}
	m := nats.NewMsg(subject(topic))
	m.Data = body
	m.Header.Set(jetstream.MsgIDHeader, nats.NewInbox())
	for {
		if q.line.Closed() {
			return queue.ErrClosed
		}
		err := q.publish(ctx, m)
		switch {
		case err == nil:
			q.tells.Back()
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, nats.ErrConnectionClosed):
			return queue.ErrClosed
		case errors.Is(err, nats.ErrMaxPayload), code(err, tooBigCodes):
			return q.tooBig(len(body))
		case code(err, fullCodes):
			q.tells.Away(queue.Full(engine, q.at, err))
		case gone(err):
			if err := q.ensure(ctx, queue.Kept(topic)); err == nil {
				continue
			}
		}
		if err := queue.Wait(ctx, pause); err != nil {
			return err
		}
	}
}

func (q *Queue) publish(ctx context.Context, m *nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	_, err := q.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
	return err
}

// limit is the longest body that the server takes now.
func (q *Queue) limit() int {
	const header = 1 << 10 // the message ID and what is around it
	return min(queue.MaxBody, int(q.nc.MaxPayload())-header)
}

// Receive waits for a message of a topic.
func (q *Queue) Receive(ctx context.Context, topic string) (queue.Delivery, error) {
	return q.line.Receive(ctx, topic)
}

// Close gives back what was not acknowledged and ends the connection.
func (q *Queue) Close() error {
	q.line.Close()
	if q.nc.IsConnected() {
		// What was given back is on its way; a server that is gone just now
		// learns of it by the time that passes.
		_ = q.nc.FlushTimeout(requestTime)
	}
	q.nc.Close()
	return nil
}
