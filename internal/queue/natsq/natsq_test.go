package natsq_test

import (
	"context"
	"errors"
	"strings"
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

// TestCarriesLittle: a server as it comes carries a megabyte, which is told when
// it is opened; the one of serve carries all there is.
func TestCarriesLittle(t *testing.T) {
	var warned []*spool.Error
	link := queue.Link{Warns: func(e *spool.Error) { warned = append(warned, e) }}
	own := open(t, "nats://"+serve(t, natsserver.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0"}).Address(), natsq.Options{Link: link})
	defer own.Close()
	if len(warned) > 0 {
		t.Errorf("of serve's own is said: %v", warned)
	}
	b := brokertest.NATS(t)
	q := open(t, "nats://"+b.Address, natsq.Options{Link: link})
	defer q.Close()
	if len(warned) != 1 || !strings.Contains(warned[0].Reason, b.Address) || !strings.Contains(warned[0].Reason, "1048576") || !strings.Contains(warned[0].Hint, "max_payload: 8MB") {
		t.Errorf("warned: %v", warned)
	}
	var refused *spool.Error
	if err := q.Send(t.Context(), "a", make([]byte, 2<<20)); !errors.As(err, &refused) || refused.Code != queue.CodeTooBig || !strings.Contains(refused.Hint, "max_payload: 8MB") {
		t.Errorf("send 2 MiB: %v", err)
	}
}
