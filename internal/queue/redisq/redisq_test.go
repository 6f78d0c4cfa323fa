package redisq_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spool-video/spool/internal/brokertest"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/queuetest"
	"github.com/spool-video/spool/internal/queue/redisq"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
