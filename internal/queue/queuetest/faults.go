package queuetest

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

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
		p := proxy(t, h.Address)
		flow(t, h, p.address, p.cut)
	})
	if h.Kill == nil {
		return
	}
	t.Run("killed in the middle", func(t *testing.T) {
		flow(t, h, h.Address, func() { h.Kill(t); h.Start(t) })
	})
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

// cutter is a way to a server that can be cut.
type cutter struct {
	address string

	mu    sync.Mutex // owns what follows
	conns []net.Conn
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close() // it may have ended
	}
	c.conns = nil
}

func proxy(t *testing.T, to string) *cutter {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{address: l.Addr().String()}
	var running sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close() // and the loop below ends
		c.cut()
		running.Wait()
	})
	running.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", to)
			if err != nil {
				_ = in.Close() // the server is away
				continue
			}
			c.mu.Lock()
			c.conns = append(c.conns, in, out)
			c.mu.Unlock()
			running.Go(func() { pipe(in, out) })
			running.Go(func() { pipe(out, in) })
		}
	})
	return c
}

// pipe ends both when one ends.
func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from) // a connection that is cut is what this is for
	_, _ = to.Close(), from.Close()
}
