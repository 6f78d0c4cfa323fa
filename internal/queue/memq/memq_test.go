package memq_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/memq"
	"github.com/spool-video/spool/internal/queue/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	const brief = 200 * time.Millisecond
	queuetest.Run(t, queuetest.Engine{
		Brief: brief,
		Start: func(*testing.T) queuetest.Connect {
			return func(*testing.T) queue.Queue {
				q := memq.New()
				q.Brief = brief
				return q
			}
		},
	})
}
