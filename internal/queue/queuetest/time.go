package queuetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/queue"
)

// testAgain: a message whose receiver goes away without Ack comes to another
// one; one that was acknowledged does not.
func testAgain(t *testing.T, e Engine) {
	if !e.Outlives {
		// A promise of engines that outlive their connections: there is
		// nothing to hold this one against.
		return
	}
	ctx := patient(t, e.Again)
	connect := e.Start(t)
	first := connect(t)
	send(ctx, t, first, "a", []byte("done"))
	send(ctx, t, first, "a", []byte("open"))
	if got := receive(ctx, t, first, "a"); string(got) != "done" {
		t.Fatalf("got %q, want done", got)
	}
	if d, err := first.Receive(ctx, "a"); err != nil || string(d.Body) != "open" {
		t.Fatalf("got %q, %v, want open", d.Body, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := connect(t)
	defer second.Close()
	if got := receive(ctx, t, second, "a"); string(got) != "open" {
		t.Fatalf("got %q, want open again", got)
	}
}

// testOpen: a scheduler acknowledges reports when it has committed a batch.
func testOpen(t *testing.T, e Engine) {
	ctx, q := open(t, e)
	for i := range queue.MaxOpen + 1 {
		send(ctx, t, q, "a", fmt.Appendf(nil, "%d", i))
	}
	var got []queue.Delivery
	for i := range queue.MaxOpen {
		d, err := q.Receive(ctx, "a")
		if err != nil || string(d.Body) != fmt.Sprint(i) {
			t.Fatalf("message %d is %q, %v", i, d.Body, err)
		}
		got = append(got, d)
	}
	for _, d := range got {
		if err := d.Ack(ctx); err != nil {
			t.Fatalf("ack: %v", err)
		}
	}
	if last := receive(ctx, t, q, "a"); string(last) != fmt.Sprint(queue.MaxOpen) {
		t.Fatalf("got %q after all were acknowledged", last)
	}
}

// testBrief: beats do not pile up while nobody listens, reports do.
func testBrief(t *testing.T, e Engine) {
	if e.Brief == 0 {
		t.Fatal("an engine must say how long it keeps what is not kept: Engine.Brief")
	}
	ctx, q := open(t, e)
	brief := []string{queue.BeatTopic, queue.WorkTopic("w"), queue.PingTopic("s")}
	for _, topic := range append(brief, queue.ReportTopic, queue.InboxTopic) {
		if got, want := queue.Kept(topic), topic == queue.ReportTopic || topic == queue.InboxTopic; got != want {
			t.Fatalf("Kept(%s) = %v", topic, got)
		}
		send(ctx, t, q, topic, []byte("old"))
	}
	if err := queue.Wait(ctx, e.Brief+e.Brief/2); err != nil {
		t.Fatal(err)
	}
	for _, topic := range brief {
		send(ctx, t, q, topic, []byte("new"))
		if got := receive(ctx, t, q, topic); string(got) != "new" {
			t.Errorf("%s gave %q, want new", topic, got)
		}
	}
	for _, topic := range []string{queue.ReportTopic, queue.InboxTopic} {
		if got := receive(ctx, t, q, topic); string(got) != "old" {
			t.Errorf("%s gave %q, want old", topic, got)
		}
	}
}

// testEight: 1,000 messages to eight receivers that acknowledge what they get;
// every tenth Receive is cancelled at some moment.
func testEight(t *testing.T, e Engine) {
	const messages, receivers = 1000, 8
	ctx, q := open(t, e)
	var seen sync.Map
	var distinct atomic.Int64
	enough, cancel := context.WithCancel(ctx)
	defer cancel()
	var receiving sync.WaitGroup
	for range receivers {
		receiving.Go(func() {
			for n := 0; enough.Err() == nil; n++ {
				body, ok := hasty(enough, t, q, n%10 == 0)
				if !ok {
					continue
				}
				if _, twice := seen.LoadOrStore(body, true); !twice && distinct.Add(1) == messages {
					cancel()
				}
			}
		})
	}
	for i := range messages {
		send(ctx, t, q, "a", fmt.Appendf(nil, "%d", i))
	}
	receiving.Wait()
	if n := distinct.Load(); n != messages {
		t.Errorf("%d of %d messages came", n, messages)
	}
}

// hasty receives and acknowledges one message, and may give up very soon.
func hasty(ctx context.Context, t *testing.T, q queue.Queue, soon bool) (string, bool) {
	mine, cancel := context.WithCancel(ctx)
	defer cancel()
	if soon {
		defer time.AfterFunc(time.Millisecond, cancel).Stop()
	}
	d, err := q.Receive(mine, "a")
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("receive: %v", err)
		}
		return "", false
	}
	if err := d.Ack(context.WithoutCancel(ctx)); err != nil {
		t.Errorf("ack: %v", err)
	}
	return string(d.Body), true
}
