//go:build soak

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/brokertest"
)

func TestSoakFleetOverRabbitMQ(t *testing.T) {
	overBroker(t, brokertest.RabbitMQ(t), "amqp://")
}

func TestSoakFleetOverNATS(t *testing.T) {
	overBroker(t, brokertest.NATS(t), "nats://")
}

// TestSoakAsOneMachine: 40 s of video are made by one, two and five workers over
// each engine, of which one is killed every two seconds and comes back: all make
// what one process does.
func TestSoakAsOneMachine(t *testing.T) {
	for _, engine := range []struct {
		name, scheme string
		start        func(t *testing.T) *brokertest.Broker
	}{
		{"Redis", "redis://", func(t *testing.T) *brokertest.Broker { return brokertest.Redis(t) }},
		{"RabbitMQ", "amqp://", func(t *testing.T) *brokertest.Broker { return brokertest.RabbitMQ(t) }},
		{"NATS", "nats://", func(t *testing.T) *brokertest.Broker { return brokertest.NATS(t) }},
	} {
		t.Run(engine.name, func(t *testing.T) { asOneMachine(t, engine.start(t), engine.scheme) })
	}
}

func asOneMachine(t *testing.T, b *brokertest.Broker, scheme string) {
	h := newHome(t)
	h.env = []string{"SPOOL_ENCRYPT=none", "SPOOL_ENCODES=1", "SPOOL_PRESET=medium"}
	if err := os.WriteFile(h.clip, reel(t, "long"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.do(t, exitReady, "run", h.publishAs(t, "alone", h.clip), "--to", "alone", "--state", "alone-state", "--work", "alone-work")
	want := without(segments(t, h.path("alone")), "alone/")
	joined := []string{"--queue", scheme + b.Address}
	serve := h.start(t, append([]string{"serve", "--http", "127.0.0.1:0", "--slots", "none", "--allow-source", h.dir}, joined...)...)
	serve.await(t, "publishing to")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	luck := rand.New(rand.NewPCG(seed, 0))
	var workers []*child
	hire := func(n int) *child {
		return h.start(t, append([]string{"worker", "--name", fmt.Sprint("w", n), "--local-files"}, joined...)...)
	}
	for _, many := range []int{1, 2, 5} {
		for n := len(workers); n < many; n++ {
			workers = append(workers, hire(n))
		}
		id := fmt.Sprint("by", many)
		// A video of its own: the file's name is part of what it is known by.
		copied := h.path(id + ".mp4")
		if err := os.WriteFile(copied, reel(t, "long"), 0o600); err != nil {
			t.Fatal(err)
		}
		added := h.start(t, "add", "-f", h.publishAs(t, id, copied), "--wait")
		kills := 0
		for tick := time.NewTicker(2 * time.Second); kills < 5; {
			select {
			case <-added.ended:
				kills = 5
			case <-tick.C:
				n := luck.IntN(many)
				workers[n].signal(t, syscall.SIGKILL)
				<-workers[n].ended
				workers[n] = hire(n)
				kills++
			}
		}
		added.end(t, exitReady)
		all := slices.DeleteFunc(segments(t, h.path("bucket")), func(s string) bool { return !strings.HasPrefix(s, id+"/") })
		if got := without(all, id+"/"); len(want) == 0 || !slices.Equal(want, got) {
			t.Errorf("one process makes\n%s\n%d workers\n%s", strings.Join(want, "\n"), many, strings.Join(got, "\n"))
		}
	}
	t.Logf("%d segments, the same ones four times", len(want))
	h.do(t, exitReady, "verify", "--all")
}

// without cuts what the names begin with.
func without(names []string, prefix string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = strings.TrimPrefix(name, prefix)
	}
	return out
}
