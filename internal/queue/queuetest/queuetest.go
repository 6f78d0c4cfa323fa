// Package queuetest is the conformance suite of queue engines: what every
// engine must do for the scheduler and the workers to rely on it.
package queuetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/queue"
)

// Connect opens a queue on an engine that runs. The suite closes it.
type Connect func(t *testing.T) queue.Queue

// Engine is what the suite must know of an engine.
type Engine struct {
	// Start makes an engine without messages, for one test.
	Start func(t *testing.T) Connect
	// Outlives: messages survive the queue that they were sent with, and all
	// connections reach the same ones.
	Outlives bool
	// Again is the longest that an unacknowledged message takes to come again
	// after its receiver has gone; needed with Outlives.
	Again time.Duration
	// Brief is how long these queues keep messages of topics that are not
	// kept: Link.Brief, or whatever stands for it.
	Brief time.Duration
	// Limited: bodies over queue.MaxBody are refused.
	Limited bool
}

// patience is how long the suite waits for what must come: it only ends hangs.
const patience = 3 * time.Minute

// Run holds an engine against the contract.
func Run(t *testing.T, e Engine) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Engine)
	}{
		{"order within a topic", testOrder},
		{"topics are apart", testTopics},
		{"one receiver a message", testOneReceiver},
		{"bodies are copied", testCopied},
		{"empty and big bodies", testBodies},
		{"bodies over the limit", testTooBig},
		{"receive waits for send", testReceiveWaits},
		{"cancelled receive takes nothing", testCancel},
		{"ended context", testEndedContext},
		{"ack twice", testAckTwice},
		{"close ends all calls", testClose},
		{"unacknowledged comes again", testAgain},
		{"many open messages", testOpen},
		{"what is not kept goes", testBrief},
		{"nothing is lost among eight", testEight},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, e) })
	}
}

func testOrder(t *testing.T, e Engine) {
	ctx, q := open(t, e)
	for i := range 100 {
		send(ctx, t, q, "a", fmt.Appendf(nil, "%d", i))
	}
	for i := range 100 {
		if got := receive(ctx, t, q, "a"); string(got) != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, got)
		}
	}
}

func testTopics(t *testing.T, e Engine) {
	ctx, q := open(t, e)
	topics := []string{"work.one", "work.two", "report", "work.one.more", "WORK.ONE"}
	for _, topic := range topics {
		send(ctx, t, q, topic, []byte(topic))
	}
	for i := len(topics) - 1; i >= 0; i-- {
		if got := receive(ctx, t, q, topics[i]); string(got) != topics[i] {
			t.Errorf("topic %s gave %q", topics[i], got)
		}
	}
}

func testOneReceiver(t *testing.T, e Engine) {
	const senders, receivers, each = 4, 4, 100
	ctx, q := open(t, e)
	var seen sync.Map
	var got atomic.Int64
	var sending, receiving sync.WaitGroup
	enough, cancel := context.WithCancel(ctx)
	defer cancel()
	for range receivers {
		receiving.Go(func() {
			for {
				d, err := q.Receive(enough, "a")
				if err != nil {
					return
				}
				if err := d.Ack(ctx); err != nil {
					t.Errorf("ack: %v", err)
				}
				if _, twice := seen.LoadOrStore(string(d.Body), true); twice {
					t.Errorf("message %s came twice", d.Body)
				}
				if got.Add(1) == senders*each {
					cancel()
				}
			}
		})
	}
	for s := range senders {
		sending.Go(func() {
			for i := range each {
				if err := q.Send(ctx, "a", fmt.Appendf(nil, "%d/%d", s, i)); err != nil {
					t.Errorf("send: %v", err)
				}
			}
		})
	}
	sending.Wait()
	receiving.Wait()
	if got.Load() != senders*each {
		t.Errorf("%d of %d messages came", got.Load(), senders*each)
	}
}

func testCopied(t *testing.T, e Engine) {
	ctx, q := open(t, e)
	body := []byte("before")
	send(ctx, t, q, "a", body)
	copy(body, "after!")
	if got := receive(ctx, t, q, "a"); string(got) != "before" {
		t.Fatalf("got %q: the sender's buffer was kept", got)
	}
}

func testBodies(t *testing.T, e Engine) {
	ctx, q := open(t, e)
	big := bytes.Repeat([]byte("01234567890123\x00\xff"), queue.MaxBody/16)
	send(ctx, t, q, "a", nil)
	send(ctx, t, q, "a", big)
	if got := receive(ctx, t, q, "a"); len(got) != 0 {
		t.Errorf("the empty body came with %d bytes", len(got))
	}
	if got := receive(ctx, t, q, "a"); sha256.Sum256(got) != sha256.Sum256(big) {
		t.Errorf("the body of %d bytes came changed, with %d", len(big), len(got))
	}
}

func testTooBig(t *testing.T, e Engine) {
	if !e.Limited {
		return
	}
	ctx, q := open(t, e)
	var refused *spool.Error
	if err := q.Send(ctx, "a", make([]byte, 10<<20)); !errors.As(err, &refused) || refused.Code != queue.CodeTooBig {
		t.Fatalf("Send of 10 MiB = %v, want %s", err, queue.CodeTooBig)
	}
	if refused.Class != spool.Permanent || refused.Hint == "" {
		t.Errorf("10 MiB are refused with %+v", refused)
	}
	send(ctx, t, q, "a", []byte("small"))
	if got := receive(ctx, t, q, "a"); string(got) != "small" {
		t.Errorf("got %q, want small", got)
	}
}

func testReceiveWaits(t *testing.T, e Engine) {
	ctx, q := open(t, e)
	got := make(chan []byte, 1)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if d, err := q.Receive(ctx, "a"); err == nil {
			got <- d.Body
		}
	})
	send(ctx, t, q, "a", []byte("late"))
	waiting.Wait()
	if body := <-closed(got); string(body) != "late" {
		t.Fatalf("got %q, want late", body)
	}
}

// closed closes a channel that nobody sends to any more, so that reading it
// does not wait.
func closed(c chan []byte) chan []byte { close(c); return c }

func testCancel(t *testing.T, e Engine) {
	ctx, q := open(t, e)
	for i := range 50 {
		body := fmt.Appendf(nil, "%d", i)
		mine, cancel := context.WithCancel(ctx)
		var got []byte
		var waiting sync.WaitGroup
		waiting.Go(func() {
			d, err := q.Receive(mine, "a")
			switch {
			case err == nil:
				got = d.Body
				_ = d.Ack(ctx)
			case !errors.Is(err, context.Canceled):
				t.Errorf("cancelled receive: %v", err)
			}
		})
		waiting.Go(cancel)
		send(ctx, t, q, "a", body)
		waiting.Wait()
		if got == nil {
			got = receive(ctx, t, q, "a")
		}
		if !bytes.Equal(got, body) {
			t.Fatalf("got %q, want %q", got, body)
		}
	}
}

func testEndedContext(t *testing.T, e Engine) {
	ctx, q := open(t, e)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := q.Send(ended, "a", []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("Send = %v, want canceled", err)
	}
	send(ctx, t, q, "a", []byte("y"))
	if _, err := q.Receive(ended, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Receive = %v, want canceled", err)
	}
	if got := receive(ctx, t, q, "a"); string(got) != "y" {
		t.Errorf("got %q, want y", got)
	}
}

func testAckTwice(t *testing.T, e Engine) {
	ctx, q := open(t, e)
	send(ctx, t, q, "a", []byte("first"))
	send(ctx, t, q, "a", []byte("second"))
	d, err := q.Receive(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Ack(ctx); err != nil {
			t.Fatalf("ack: %v", err)
		}
	}
	if got := receive(ctx, t, q, "a"); string(got) != "second" {
		t.Fatalf("got %q, want second", got)
	}
}

func testClose(t *testing.T, e Engine) {
	ctx, q := open(t, e)
	var waiting sync.WaitGroup
	for i := range 3 {
		waiting.Go(func() {
			if _, err := q.Receive(ctx, fmt.Sprint(i)); !errors.Is(err, queue.ErrClosed) {
				t.Errorf("waiting Receive = %v, want ErrClosed", err)
			}
		})
	}
	for range 2 {
		if err := q.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	waiting.Wait()
	if err := q.Send(ctx, "a", nil); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("Send = %v, want ErrClosed", err)
	}
	if _, err := q.Receive(ctx, "a"); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("Receive = %v, want ErrClosed", err)
	}
}

func open(t *testing.T, e Engine) (context.Context, queue.Queue) {
	t.Helper()
	q := e.Start(t)(t)
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return patient(t, 0), q
}

func patient(t *testing.T, more time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience+more)
	t.Cleanup(cancel)
	return ctx
}

func send(ctx context.Context, t *testing.T, q queue.Queue, topic string, body []byte) {
	t.Helper()
	if err := q.Send(ctx, topic, body); err != nil {
		t.Fatalf("send to %s: %v", topic, err)
	}
}

// receive takes one message and acknowledges it.
func receive(ctx context.Context, t *testing.T, q queue.Queue, topic string) []byte {
	t.Helper()
	d, err := q.Receive(ctx, topic)
	if err != nil {
		t.Fatalf("receive from %s: %v", topic, err)
	}
	if err := d.Ack(ctx); err != nil {
		t.Fatalf("ack of %s: %v", topic, err)
	}
	return d.Body
}
