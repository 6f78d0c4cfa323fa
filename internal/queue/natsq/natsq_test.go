package natsq_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/natsq"
	"github.com/spool-video/spool/internal/queue/natsserver"
	"github.com/spool-video/spool/internal/queue/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
