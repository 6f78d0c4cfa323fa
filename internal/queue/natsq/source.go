package natsq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/spool-video/spool/internal/queue"
)

// The streams, and what their subjects begin with.
const (
	keptStream  = "SPOOL"
	briefStream = "SPOOL_BRIEF"
	keptPrefix  = "spool."
	briefPrefix = "spool-brief."
)

// ensure makes a stream that is missing.
func (q *Queue) ensure(ctx context.Context, kept bool) error {
	ctx, cancel := context.WithTimeout(ctx, 2*requestTime) // each stream is synced to a disk that may be slow
	defer cancel()
	want := jetstream.StreamConfig{
		Name: briefStream, Subjects: []string{briefPrefix + ">"}, Storage: jetstream.MemoryStorage,
		Retention: jetstream.WorkQueuePolicy, MaxAge: q.link.Brief,
		Duplicates: min(q.link.Brief, 2*time.Minute), // no longer than the age, says the server
	}
	if kept {
		want = jetstream.StreamConfig{
			Name: keptStream, Subjects: []string{keptPrefix + ">"}, Storage: jetstream.FileStorage,
			Retention: jetstream.WorkQueuePolicy,
			// One that is full refuses, and drops nothing.
			Discard: jetstream.DiscardNew,
		}
	}
	s, err := q.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = q.js.CreateStream(ctx, want)
	}
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // by another process, just now
		s, err = q.js.Stream(ctx, want.Name)
	}
	if err != nil {
		return err
	}
	if has := s.CachedInfo().Config.Retention; has != jetstream.WorkQueuePolicy {
		return unusable(q.at, fmt.Sprintf("its stream %s keeps messages by %s, not as a work queue", want.Name, has),
			"delete the stream, or make it with --retention work")
	}
	return nil
}

// source is a durable consumer of one subject; all processes share it.
type source struct {
	q        *Queue
	topic    string
	consumer jetstream.Consumer // nil while there is none
}

func (q *Queue) source(topic string) queue.Source { return &source{q: q, topic: topic} }

// Close leaves the consumer to the server: those of kept topics know what was
// acknowledged, and others end when nobody has asked them for a while.
func (s *source) Close() {}

// Next asks for one message: what is asked for and not worked on is withheld
// from others. Whatever goes wrong mends itself or is waited for, with a
// consumer that is made anew.
func (s *source) Next(ctx context.Context) (*queue.Held, error) {
	m, err := s.fetch(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case m != nil:
		return s.q.held(m), nil
	case err == nil:
		return nil, nil //nolint:nilnil // no message and no error: none came
	case errors.Is(err, context.DeadlineExceeded):
		// A server that has the consumer says in time that there is nothing. One
		// that has not, since it was started anew or nobody has asked for long,
		// may say nothing at all.
		s.consumer = nil
		return nil, nil //nolint:nilnil // the same
	case errors.Is(err, nats.ErrConnectionClosed):
		return nil, queue.ErrClosed
	}
	s.consumer = nil
	if gone(err) && s.q.ensure(ctx, queue.Kept(s.topic)) == nil {
		return nil, nil //nolint:nilnil // the same, on a server that had lost its streams
	}
	return nil, queue.Wait(ctx, pause)
}

func (s *source) fetch(ctx context.Context) (jetstream.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	if s.consumer == nil {
		c, err := s.q.js.CreateOrUpdateConsumer(ctx, s.stream(), s.config())
		if err != nil {
			return nil, err
		}
		s.consumer = c
	}
	batch, err := s.consumer.Fetch(1, jetstream.FetchContext(ctx))
	if err != nil {
		return nil, err
	}
	m, came := <-batch.Messages()
	if !came {
		return nil, batch.Error()
	}
	if _, err := m.Metadata(); err != nil {
		return nil, err // the server's word that it has no such consumer
	}
	return m, nil
}

func (s *source) stream() string {
	if queue.Kept(s.topic) {
		return keptStream
	}
	return briefStream
}

// config is the consumer: as many deliveries as it takes, since the ledger
// counts attempts, and no limit to what is out, since that would hold up all
// that follows.
func (s *source) config() jetstream.ConsumerConfig {
	c := jetstream.ConsumerConfig{
		Durable: escape(s.topic), FilterSubject: subject(s.topic),
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: s.q.link.Again,
		MaxDeliver: -1, MaxAckPending: -1,
	}
	if !queue.Kept(s.topic) {
		c.MemoryStorage = true
		c.InactiveThreshold = max(4*s.q.link.Brief, time.Minute)
	}
	return c
}

// held is a message with its acknowledgement, which the server confirms. It
// confirms it to whoever had the message before, too: nothing rests on it.
func (q *Queue) held(m jetstream.Msg) *queue.Held {
	return &queue.Held{
		Body: m.Data(),
		Ack: func(ctx context.Context) error {
			if q.nc.IsClosed() {
				return queue.ErrClosed
			}
			if !q.nc.IsConnected() {
				return fmt.Errorf("acknowledge %s: %w", m.Subject(), nats.ErrDisconnected)
			}
			ctx, cancel := context.WithTimeout(ctx, requestTime)
			defer cancel()
			if err := m.DoubleAck(ctx); err != nil {
				return fmt.Errorf("acknowledge %s: %w", m.Subject(), err)
			}
			return nil
		},
		Release: func() { _ = m.Nak() }, // unheard, it comes again when its time is up
	}
}

func subject(topic string) string {
	if queue.Kept(topic) {
		return keptPrefix + escape(topic)
	}
	return briefPrefix + escape(topic)
}

// escape makes a topic one word of a subject and a name of a consumer, in
// which dots, spaces and wildcards have a meaning.
func escape(topic string) string {
	var b strings.Builder
	for _, c := range []byte(topic) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}
