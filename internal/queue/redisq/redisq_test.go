package redisq_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/brokertest"
	"github.com/spool-video/spool/internal/fleettest"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/queuetest"
	"github.com/spool-video/spool/internal/queue/redisq"
)

func TestMain(m *testing.M) {
	fleettest.Child(openFor)
	goleak.VerifyTestMain(m)
}

const brief = time.Second

func TestConformance(t *testing.T) {
	queuetest.Run(t, queuetest.Engine{Outlives: true, Limited: true, Again: time.Minute, Brief: brief, Start: func(t *testing.T) queuetest.Connect {
		b := brokertest.Redis(t)
		return func(t *testing.T) queue.Queue {
			return open(t, "redis://"+b.Address, queue.Link{Again: time.Minute})
		}
	}})
}

func open(t *testing.T, url string, link queue.Link) *redisq.Queue {
	t.Helper()
	link.Brief = brief
	q, err := redisq.Open(t.Context(), url, link)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestFaults(t *testing.T) {
	b := brokertest.Redis(t)
	queuetest.Faults(t, queuetest.Host{
		Address: b.Address, Kill: func(t *testing.T) { b.Kill(t) }, Start: func(t *testing.T) { b.Start(t) }, Wipe: func(t *testing.T) { b.Wipe(t) },
		Connect: func(t *testing.T, address string) queue.Queue {
			return open(t, "redis://"+address, queue.Link{Again: 3 * time.Second})
		},
	})
}

// fleet is what fleets of processes are tried on.
var fleet = fleettest.Engine{Open: openFor, Scheme: "redis", Start: func(t *testing.T) *brokertest.Broker { return brokertest.Redis(t) }}

func openFor(ctx context.Context, url, _ string) (queue.Queue, error) {
	return redisq.Open(ctx, url, queue.Link{})
}

func TestFleet(t *testing.T) { fleettest.Short(t, fleet) }

// TestPushedToTheInbox: any program hands in with LPUSH, and what was on its
// way when a process ended comes too.
func TestPushedToTheInbox(t *testing.T) {
	b := brokertest.Redis(t)
	rdb := redis.NewClient(&redis.Options{Addr: b.Address, DisableIdentity: true})
	defer rdb.Close()
	if err := rdb.LPush(t.Context(), "spool:inbox:moving", "on its way").Err(); err != nil {
		t.Fatal(err)
	}
	q := open(t, "redis://"+b.Address, queue.Link{})
	defer q.Close()
	want := []string{"on its way", "pushed", "sent"}
	for i, how := range []func() error{
		func() error { return nil },
		func() error { return rdb.LPush(t.Context(), "spool:inbox", "pushed").Err() },
		func() error { return q.Send(t.Context(), queue.InboxTopic, []byte("sent")) },
	} {
		if err := how(); err != nil {
			t.Fatal(err)
		}
		d, err := q.Receive(t.Context(), queue.InboxTopic)
		if err != nil || string(d.Body) != want[i] {
			t.Fatalf("got %q, %v, want %s", d.Body, err, want[i])
		}
		if err := d.Ack(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNotUsable: a password, and a server that throws messages away.
func TestNotUsable(t *testing.T) {
	b := brokertest.Redis(t, "--requirepass", "secret", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	for url, code := range map[string]string{
		"redis://" + b.Address:         queue.CodeRefused,
		"redis://:wrong@" + b.Address:  queue.CodeRefused,
		"redis://:secret@" + b.Address: queue.CodeSetup,
	} {
		_, err := redisq.Open(t.Context(), url, queue.Link{})
		var e *spool.Error
		if !errors.As(err, &e) || e.Code != code {
			t.Errorf("%s: %v, want %s", url, err, code)
		}
	}
}
