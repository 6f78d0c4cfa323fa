package natsq_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/brokertest"
	"github.com/spool-video/spool/internal/fleettest"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/natsq"
	"github.com/spool-video/spool/internal/queue/natsserver"
	"github.com/spool-video/spool/internal/queue/queuetest"
)

func TestMain(m *testing.M) {
	fleettest.Child(openFor)
	goleak.VerifyTestMain(m)
}

// fleet is what fleets of processes are tried on: the server that Debian has,
// and nothing sealed.
var fleet = fleettest.Engine{Open: openFor, Scheme: "nats", Clear: true, Start: func(t *testing.T) *brokertest.Broker { return brokertest.NATS(t) }}

func openFor(ctx context.Context, url, _ string) (queue.Queue, error) {
	return natsq.Open(ctx, url, natsq.Options{})
}

func TestFleet(t *testing.T) { fleettest.Short(t, fleet) }

const (
	again = 2 * time.Second
	brief = time.Second
)

// TestConformance is over the network, with a token in the URL.
func TestConformance(t *testing.T) {
	queuetest.Run(t, queuetest.Engine{Outlives: true, Limited: true, Again: again, Brief: brief, Start: func(t *testing.T) queuetest.Connect {
		s := serve(t, natsserver.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Tokens: []string{"other", "secret"}})
		return func(t *testing.T) queue.Queue {
			return open(t, "nats://secret@"+s.Address(), natsq.Options{})
		}
	}})
}

func serve(t *testing.T, cfg natsserver.Config) *natsserver.Server {
	t.Helper()
	s, err := natsserver.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close server: %v", err)
		}
	})
	return s
}

func open(t *testing.T, url string, opts natsq.Options) *natsq.Queue {
	t.Helper()
	opts.Again, opts.Brief = again, brief
	q, err := natsq.Open(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// TestFaults is with the server that Debian has, an old one, as a process.
func TestFaults(t *testing.T) {
	b := brokertest.NATS(t)
	queuetest.Faults(t, queuetest.Host{
		Address: b.Address, Kill: func(t *testing.T) { b.Kill(t) }, Start: func(t *testing.T) { b.Start(t) }, Wipe: func(t *testing.T) { b.Wipe(t) },
		Connect: func(t *testing.T, address string) queue.Queue {
			return open(t, "nats://"+address, natsq.Options{})
		},
	})
}

// TestNotUsable: a token that is another.
func TestNotUsable(t *testing.T) {
	s := serve(t, natsserver.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Tokens: []string{"secret"}})
	for _, url := range []string{"nats://" + s.Address(), "nats://wrong@" + s.Address()} {
		_, err := natsq.Open(t.Context(), url, natsq.Options{})
		var e *spool.Error
		if !errors.As(err, &e) || e.Code != queue.CodeRefused {
			t.Errorf("%s: %v, want %s", url, err, queue.CodeRefused)
		}
	}
}
