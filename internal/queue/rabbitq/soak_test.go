//go:build soak

package rabbitq_test

import (
	"testing"

	"github.com/spool-video/spool/internal/brokertest"
	"github.com/spool-video/spool/internal/fleettest"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/queuetest"
)

func TestSoakFleet(t *testing.T) {
	fleettest.Long(t, fleettest.Engine{Open: openFor, Scheme: "amqp", Start: func(t *testing.T) *brokertest.Broker { return brokertest.RabbitMQ(t) }})
}

// TestSoakFaults kills the server, which takes long to start.
func TestSoakFaults(t *testing.T) {
	b := brokertest.RabbitMQ(t)
	queuetest.Faults(t, queuetest.Host{
		Address: b.Address, Kill: func(t *testing.T) { b.Kill(t) }, Start: func(t *testing.T) { b.Start(t) }, Wipe: func(t *testing.T) { b.Wipe(t) },
		Connect: func(t *testing.T, address string) queue.Queue { return open(t, "amqp://"+address, queue.Link{}) },
	})
}
