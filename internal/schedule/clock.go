package schedule

import "time"

// clock is the time that jobs wait by. It is the wall's, which the ledger
// keeps over restarts; but when that is set back in mid-run, as it is on
// machines whose clock was wrong, this one goes on as if it had not been: a
// rest of seconds must not become an hour.
type clock struct {
	wall  func() time.Time
	began time.Time
	ahead time.Duration // how far the wall was set on since then, at most
}

func newClock(wall func() time.Time) clock { return clock{wall: wall, began: wall()} }

// now never goes back, and never faster than by what the wall is set on.
func (c *clock) now() time.Time {
	steady := c.began.Add(time.Since(c.began)).Round(0)
	c.ahead = max(c.ahead, c.wall().Round(0).Sub(steady))
	return steady.Add(c.ahead)
}
