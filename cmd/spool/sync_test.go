//go:build soak

package main

import (
	"fmt"
	"testing"

	"github.com/spool-video/spool/internal/mediatest"
)

// cadence is a rate of pictures; slow is a thousandth less.
type cadence struct {
	rate int
	slow bool
}

func (c cadence) id() string { return fmt.Sprintf("r%d-%v", c.rate, c.slow) }

// Sound and pictures meet within 5 ms at every rate that videos have, over all
// joints of chunks and pieces.
func TestSoakSyncAtAllRates(t *testing.T) {
	const seconds = 26
	s := newStudio(t)
	cadences := []cadence{{24, true}, {24, false}, {25, false}, {30, true}, {30, false}, {48, false}, {50, false}, {60, true}, {60, false}}
	sources := map[string]string{}
	for _, c := range cadences {
		sources[c.id()] = mediatest.FlashBeep{Seconds: seconds, Rate: c.rate, Slow: c.slow}.Make(t)
	}
	s.publish(t, "bucket", sources, "--copy", "never", "--sizes", "90")
	for _, c := range cadences {
		rate := float64(c.rate)
		if c.slow {
			rate /= 1.001
		}
		s.meet(t, c.id(), rate, seconds, seconds)
	}
}
