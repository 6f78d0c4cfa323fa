package rabbitq

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/rabbitmq/amqp091-go"

	"github.com/spool-video/spool/internal/queue"
)

// source reads one topic, on whatever session there is.
type source struct {
	q     *Queue
	topic string
	on    *session // whose channel ch is, or nil
	ch    *amqp091.Channel
	tag   string // of the consumer
	// coming is what the server has sent to the consumer; nil while there is
	// none. The prefetch bounds what is there and what was received and not
	// acknowledged together; what is left goes back when nobody reads.
	coming <-chan amqp091.Delivery
}

func (q *Queue) source(topic string) queue.Source { return &source{q: q, topic: topic} }

// Next waits for one message. A session that ends, or a consumer that the
// server ends, is replaced.
func (s *source) Next(ctx context.Context) (*queue.Held, error) {
	if err := s.ready(ctx); err != nil {
		return nil, s.pass(ctx, err)
	}
	timer := time.NewTimer(waitTime)
	defer timer.Stop()
	select {
	case d, ok := <-s.coming:
		if ok {
			return s.held(d), nil
		}
		s.drop()
	case <-s.on.lost:
		s.coming = nil
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return nil, nil //nolint:nilnil // no message and no error: none came
}

// pass judges what kept a consumer from being made: a closed queue and an
// ended ctx are errors, all else is waited for.
func (s *source) pass(ctx context.Context, err error) error {
	switch {
	case s.q.line.Closed():
		return queue.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	}
	s.q.tells.Away(s.q.judge(err))
	s.drop()
	return queue.Wait(ctx, pause)
}

// ready makes a consumer on the session of now. What it asks the server for is
// not given up half way: a consumer that nobody reads would keep messages.
func (s *source) ready(ctx context.Context) error {
	now, err := s.q.session(ctx)
	if err != nil {
		return err
	}
	if s.on == now && s.coming != nil {
		return nil
	}
	s.on, s.coming = now, nil
	if err := now.declare(ctx, s.topic, true); err != nil {
		return err
	}
	if s.ch, err = now.channel(ctx, s.topic); err != nil {
		return err
	}
	s.tag = rand.Text()
	err = now.call(ctx, func() (err error) {
		s.coming, err = s.ch.Consume(prefix+s.topic, s.tag, false, false, false, false, nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("read queue %s: %w", prefix+s.topic, err)
	}
	s.q.tells.Back()
	return nil
}

// drop forgets a channel that failed or ended. What was received on it comes
// again.
func (s *source) drop() {
	if s.on != nil && s.ch != nil {
		s.on.forget(s.topic, s.ch)
	}
	s.ch, s.coming = nil, nil
}

// Close ends the consumer, and gives back what it had been sent. The channel
// stays: what was received on it is acknowledged on it, and on no other.
func (s *source) Close() {
	if s.coming == nil {
		return
	}
	err := s.on.call(context.Background(), func() error { return s.ch.Cancel(s.tag, false) })
	if err != nil {
		s.drop()
		return
	}
	for d := range s.coming {
		_ = d.Nack(false, true) // unheard, it comes again with the end of the channel
	}
}

// held binds a message to the channel that it came on.
func (s *source) held(d amqp091.Delivery) *queue.Held {
	on := s.on
	return &queue.Held{
		Body: d.Body,
		Ack: func(context.Context) error {
			select {
			case <-on.lost:
				return fmt.Errorf("acknowledge %s: %w", d.RoutingKey, errLost)
			default:
			}
			if err := d.Ack(false); err != nil {
				return fmt.Errorf("acknowledge %s: %w", d.RoutingKey, err)
			}
			return nil
		},
		Release: func() { _ = d.Nack(false, true) }, // a session that ended has done it
	}
}

// channel gives a topic's channel, and makes it when it is missing.
func (s *session) channel(ctx context.Context, topic string) (*amqp091.Channel, error) {
	s.mu.Lock()
	ch := s.channels[topic]
	s.mu.Unlock()
	if ch != nil && !ch.IsClosed() {
		return ch, nil
	}
	err := s.call(ctx, func() (err error) {
		if ch, err = s.conn.Channel(); err != nil {
			return err
		}
		return ch.Qos(queue.MaxOpen, 0, false)
	})
	if err != nil {
		return nil, fmt.Errorf("open channel for %s: %w", topic, err)
	}
	s.mu.Lock()
	s.channels[topic] = ch
	s.mu.Unlock()
	return ch, nil
}

func (s *session) forget(topic string, ch *amqp091.Channel) {
	s.mu.Lock()
	if s.channels[topic] == ch {
		delete(s.channels, topic)
	}
	s.mu.Unlock()
	_ = s.call(context.Background(), ch.Close) // it may be closed already
}
