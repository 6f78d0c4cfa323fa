package redisq

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/spool-video/spool/internal/queue"
)

// source is one topic's stream.
type source struct {
	q     *Queue
	topic string
	key   string
	tidy  bool // consumers that are gone were forgotten
}

func (q *Queue) source(topic string) queue.Source {
	return &source{q: q, topic: topic, key: streamPrefix + topic}
}

// Close leaves the group: it knows what is read and not acknowledged.
func (s *source) Close() {}

// Next takes one message, or waits for one. Whatever goes wrong mends itself
// or is waited for.
func (s *source) Next(ctx context.Context) (*queue.Held, error) {
	h, err := s.take(ctx)
	if h == nil && err == nil {
		h, err = s.await(ctx)
	}
	switch {
	case err == nil || h != nil:
		s.q.tells.Back()
		return h, nil
	case ctx.Err() != nil && h == nil:
		return nil, ctx.Err()
	case errors.Is(err, redis.ErrClosed):
		return nil, queue.ErrClosed
	case redis.HasErrorPrefix(err, "NOGROUP"), redis.HasErrorPrefix(err, "UNBLOCKED"):
		return nil, nil //nolint:nilnil // none came: all data is gone, and the next take begins anew
	}
	s.q.tells.Away(s.q.judge(err))
	return nil, queue.Wait(ctx, pause)
}

// take gets a message that is there, or nil.
func (s *source) take(ctx context.Context) (*queue.Held, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	if s.topic == queue.InboxTopic {
		if err := moveScript.Run(ctx, s.q.rdb, []string{inboxList, movingList, s.key}).Err(); err != nil {
			return nil, fmt.Errorf("move the inbox's list: %w", err)
		}
	}
	found, err := takeScript.Run(ctx, s.q.rdb, []string{s.key}, group, s.q.me, s.q.link.Again.Milliseconds(), s.q.brief(s.topic)).StringSlice()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	if !s.tidy {
		s.tidy = true
		// Names that stay for another while hurt nobody.
		_ = tidyScript.Run(ctx, s.q.rdb, []string{s.key}, group, forgotten.Milliseconds()).Err()
	}
	if len(found) != 2 {
		return nil, nil //nolint:nilnil // none is there
	}
	return s.held(found[0], []byte(found[1])), nil
}

// await waits for a new message. What is pushed to the inbox goes from its
// list to another one, where the next take finds it, whoever does that.
func (s *source) await(ctx context.Context) (*queue.Held, error) {
	if s.topic == queue.InboxTopic {
		err := s.q.rdb.BLMove(ctx, inboxList, movingList, "RIGHT", "LEFT", blockTime).Err()
		if err != nil && !quiet(err) {
			return nil, err
		}
		return s.take(ctx)
	}
	streams, err := s.q.rdb.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: group, Consumer: s.q.me, Streams: []string{s.key, ">"}, Count: 1, Block: blockTime,
	}).Result()
	switch {
	case err != nil && quiet(err):
		return nil, nil //nolint:nilnil // none came
	case err != nil:
		return nil, err
	case len(streams) == 0 || len(streams[0].Messages) == 0:
		return nil, nil //nolint:nilnil // the same
	}
	m := streams[0].Messages[0]
	body, _ := m.Values["b"].(string) // what else is in the stream is nobody's message
	return s.held(m.ID, []byte(body)), nil
}

// quiet: a read that waited was not answered in time, which says nothing of
// the connection: some servers and proxies wait a little longer.
func quiet(err error) bool { return errors.Is(err, redis.Nil) }

func (s *source) held(id string, body []byte) *queue.Held {
	run := func(ctx context.Context, script *redis.Script, args ...any) error {
		ctx, cancel := context.WithTimeout(ctx, requestTime)
		defer cancel()
		return script.Run(ctx, s.q.rdb, []string{s.key}, args...).Err()
	}
	return &queue.Held{
		Body: body,
		Ack: func(ctx context.Context) error {
			err := run(ctx, ackScript, group, id)
			if errors.Is(err, redis.ErrClosed) {
				return queue.ErrClosed
			}
			if err != nil {
				return fmt.Errorf("acknowledge %s of %s: %w", id, s.topic, err)
			}
			return nil
		},
		// Unheard, it comes again when its time is up.
		Release: func() { _ = run(context.Background(), releaseScript, group, id, s.q.me) },
	}
}
