//go:build soak

package rabbitq_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/brokertest"
	"github.com/spool-video/spool/internal/fleettest"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/queuetest"
)

func TestSoakFleet(t *testing.T) {
	fleettest.Long(t, fleettest.Engine{Open: openFor, Scheme: "amqp", Start: func(t *testing.T) *brokertest.Broker { return brokertest.RabbitMQ(t) }})
}

// registered waits until the server has written down that it has the queue of
// this test. RabbitMQ 3.10 does that half a second after it has said that the
// queue is there; of one that it made just before it is killed it knows the name
// alone when it starts again, and nobody ever leads it.
func registered(t *testing.T, b *brokertest.Broker) {
	t.Helper()
	if !strings.HasSuffix(t.Name(), "/killed_in_the_middle") {
		return // what the others lose is not kept
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(time.Minute); ; {
		files, err := filepath.Glob(filepath.Join(b.Dir, "data", "*", "quorum", "*", "names.dets"))
		if err != nil || len(files) != 1 {
			t.Fatalf("the server's queues are in %v, %v", files, err)
		}
		if known, err := os.ReadFile(files[0]); err == nil && bytes.Contains(known, []byte(t.Name())) {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("the server does not write down which queues it has")
		}
	}
}

// TestSoakFaults kills the server, which takes long to start.
func TestSoakFaults(t *testing.T) {
	b := brokertest.RabbitMQ(t)
	queuetest.Faults(t, queuetest.Host{
		Address: b.Address, Kill: func(t *testing.T) { registered(t, b); b.Kill(t) }, Start: func(t *testing.T) { b.Start(t) }, Wipe: func(t *testing.T) { b.Wipe(t) },
		Connect: func(t *testing.T, address string) queue.Queue { return open(t, "amqp://"+address, queue.Link{}) },
	})
}
