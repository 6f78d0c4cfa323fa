package natsserver_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spool-video/spool/internal/fleettest"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/natsq"
	"github.com/spool-video/spool/internal/queue/natsserver"
	"github.com/spool-video/spool/internal/queue/queuetest"
)

// child is what this process does instead of tests, if it was started for that.
var child func(context.Context) error

func TestMain(m *testing.M) {
	fleettest.Child(openFor)
	if child != nil {
		if err := child(context.Background()); err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// fleet is what fleets of processes are tried on: the server lives in the
// scheduler's.
var fleet = fleettest.Engine{Open: openFor, Scheme: "nats"}

func openFor(ctx context.Context, url, folder string) (queue.Queue, error) {
	if folder == "" {
		return natsq.Open(ctx, url, natsq.Options{})
	}
	s, err := natsserver.Start(ctx, natsserver.Config{Dir: folder, Listen: strings.TrimPrefix(url, "nats://")})
	if err != nil {
		return nil, err
	}
	q, err := natsq.Open(ctx, "", natsq.Options{InProcess: s})
	return hosted{q, s}, err
}

// hosted is a queue that ends with its server.
type hosted struct {
	queue.Queue
	server *natsserver.Server
}

func (h hosted) Close() error { return errors.Join(h.Queue.Close(), h.server.Close()) }

func TestFleet(t *testing.T) { fleettest.Short(t, fleet) }

const (
	again = 2 * time.Second
	brief = time.Second
)

// TestEmbedded holds the server of this process against the contract, spoken
// to without the network.
func TestEmbedded(t *testing.T) {
	queuetest.Run(t, queuetest.Engine{Outlives: true, Limited: true, Again: again, Brief: brief, Start: func(t *testing.T) queuetest.Connect {
		s := start(t, natsserver.Config{Dir: t.TempDir(), Tokens: []string{"secret"}})
		return func(t *testing.T) queue.Queue {
			return connect(t, "", natsq.Options{InProcess: s, Token: "secret"})
		}
	}})
}

func start(t *testing.T, cfg natsserver.Config) *natsserver.Server {
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

func connect(t *testing.T, url string, opts natsq.Options) *natsq.Queue {
	t.Helper()
	opts.Again, opts.Brief = again, brief
	q, err := natsq.Open(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	return q
}
