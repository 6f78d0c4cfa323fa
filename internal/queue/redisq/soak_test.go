//go:build soak && linux

package redisq_test

import (
	"testing"

	"github.com/spool-video/spool/internal/brokertest"
	"github.com/spool-video/spool/internal/fleettest"
)

func TestSoakFleet(t *testing.T) { fleettest.Long(t, fleet) }

func TestSoakTwoHosts(t *testing.T) {
	reached := fleet
	reached.Start = func(t *testing.T) *brokertest.Broker {
		return brokertest.Redis(t, "--bind", "0.0.0.0", "--protected-mode", "no")
	}
	fleettest.Apart(t, reached)
}
