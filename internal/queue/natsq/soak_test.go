//go:build soak

package natsq_test

import (
	"testing"

	"github.com/spool-video/spool/internal/fleettest"
)

func TestSoakFleet(t *testing.T) { fleettest.Long(t, fleet) }
