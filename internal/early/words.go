package early

import (
	"fmt"
	"time"
)

// noteEvery is the time between two estimates.
const noteEvery = 10 * time.Second

// roundUp makes an estimate look like one: it is never less than expected.
func roundUp(d time.Duration) time.Duration {
	step := 5 * time.Second
	switch {
	case d > time.Hour:
		step = 10 * time.Minute
	case d > 2*time.Minute:
		step = time.Minute
	case d > time.Minute:
		step = 15 * time.Second
	}
	if short := d % step; short > 0 {
		d += step - short
	}
	return d
}

// about writes an estimate in the units that people use for it.
func about(d time.Duration) string {
	switch hours, minutes, seconds := int(d/time.Hour), int(d/time.Minute)%60, int(d/time.Second)%60; {
	case hours > 0 && minutes > 0:
		return fmt.Sprintf("%d h %d min", hours, minutes)
	case hours > 0:
		return fmt.Sprintf("%d h", hours)
	case minutes > 0 && seconds > 0:
		return fmt.Sprintf("%d min %d s", minutes, seconds)
	case minutes > 0:
		return fmt.Sprintf("%d min", minutes)
	default:
		return fmt.Sprintf("%d s", seconds)
	}
}
