package queuetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/brokertest"
	"github.com/spool-video/spool/internal/queue"
)

// Host is an engine's server, for the tests in which it suffers.
type Host struct {
	Address string // host:port
	// Connect opens a queue on the server at an address: its own, or one from
	// which the way leads there.
	Connect func(t *testing.T, address string) queue.Queue
	Kill    func(t *testing.T) // as kill -9; nil: only the network is cut
	Start   func(t *testing.T) // again, at the same address
	Wipe    func(t *testing.T) // its data, once it is killed
}

// Faults kills a server, cuts the network and takes the data away while
// messages go through. None that is kept is lost but with the data, and every
// queue goes on by itself.
func Faults(t *testing.T, h Host) {
	t.Run("cut in the middle", func(t *testing.T) {
		way := brokertest.NewWay(t, h.Address)
		flow(t, h, way.Address, way.Cut)
	})
	t.Run("late acknowledgement", func(t *testing.T) { late(t, h) })
	if h.Kill == nil {
		return
	}
	t.Run("killed in the middle", func(t *testing.T) {
		flow(t, h, h.Address, func() { h.Kill(t); h.Start(t) })
	})
	t.Run("killed while somebody waits", func(t *testing.T) { waits(t, h) })
	t.Run("all data gone", func(t *testing.T) {
		ctx, q := patient(t, time.Minute), h.Connect(t, h.Address)
		defer q.Close()
		send(ctx, t, q, "wiped", []byte("before"))
		h.Kill(t)
		h.Wipe(t)
		h.Start(t)
		for _, topic := range []string{"wiped", queue.BeatTopic} {
			send(ctx, t, q, topic, []byte("after"))
			if got := receive(ctx, t, q, topic); string(got) != "after" {
				t.Errorf("%s gave %q, want after", topic, got)
			}
		}
	})
}

// late: to acknowledge a message again, when the connection that it came on was
// lost, takes away no other that came on the next one.
func late(t *testing.T, h Host) {
	ctx, way := patient(t, time.Minute), brokertest.NewWay(t, h.Address)
	q := h.Connect(t, way.Address)
	for _, body := range []string{"first", "second"} {
		send(ctx, t, q, t.Name(), []byte(body))
	}
	first, err := q.Receive(ctx, t.Name())
	if err == nil {
		err = first.Ack(ctx)
	}
	if err == nil {
		_, err = q.Receive(ctx, t.Name())
	}
	if err != nil {
		t.Fatal(err)
	}
	way.Cut()
	send(ctx, t, q, t.Name(), []byte("third"))
	if _, err := q.Receive(ctx, t.Name()); err != nil {
		t.Fatal(err)
	}
	_ = first.Ack(ctx) // an error is as good
	if err := q.Close(); err != nil {
		t.Error(err)
	}
	again := h.Connect(t, h.Address)
	defer again.Close()
	for come := map[string]bool{}; !come["second"] || !come["third"]; {
		come[string(receive(ctx, t, again, t.Name()))] = true
	}
}

// waits: who waits for what is not kept hears of it again when the server is
// back, however short it was away.
func waits(t *testing.T, h Host) {
	ctx, q := patient(t, 0), h.Connect(t, h.Address)
	defer q.Close()
	topic := queue.WorkTopic("waits")
	send(ctx, t, q, topic, []byte("before"))
	receive(ctx, t, q, topic)
	heard := make(chan error, 1)
	go func() {
		_, err := q.Receive(ctx, topic)
		heard <- err
	}()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	<-again.C // it waits by now, or will in a moment
	h.Kill(t)
	h.Start(t)
	for {
		send(ctx, t, q, topic, []byte("after"))
		select {
		case err := <-heard:
			if err != nil {
				t.Errorf("it never heard: %v", err)
			}
			return
		case <-again.C:
		}
	}
}

// flow sends messages to a topic that is kept while two receivers take them,
// lets something happen in the middle, and wants all of them, at least once.
func flow(t *testing.T, h Host, address string, happen func()) {
	const messages = 100
	ctx := patient(t, 2*time.Minute)
	out, in := h.Connect(t, address), h.Connect(t, address)
	defer out.Close()
	defer in.Close()
	enough, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	seen := map[string]bool{}
	var receiving sync.WaitGroup
	for range 2 {
		receiving.Go(func() {
			for enough.Err() == nil {
				d, err := in.Receive(enough, t.Name())
				if err != nil {
					break
				}
				_ = d.Ack(ctx) // an error says that it may come again
				mu.Lock()
				seen[string(d.Body)] = true
				if len(seen) == messages {
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	for i := range messages {
		if i == messages/2 {
			happen()
		}
		send(ctx, t, out, t.Name(), fmt.Append(nil, i))
	}
	receiving.Wait()
	if len(seen) != messages {
		t.Errorf("%d of %d messages came", len(seen), messages)
	}
}
