package progress

import (
	"time"

	"github.com/spool-video/spool"
)

// Overlap measures how long each stage was busy, with anything at all: the
// sum is what the stages would have taken one after another. Downloading,
// encoding and publishing count; verifying counts as publishing.
type Overlap struct {
	last   time.Time
	active map[spool.Phase]bool
	busy   time.Duration
}

// At says which phases are going on from now until the next call.
func (o *Overlap) At(now time.Time, phases []spool.Phase) {
	if passed := now.Sub(o.last); passed > 0 {
		o.busy += passed * time.Duration(len(o.active))
	}
	o.last, o.active = now, map[spool.Phase]bool{}
	for _, p := range phases {
		switch p {
		case spool.Downloading, spool.Encoding, spool.Publishing:
			o.active[p] = true
		case spool.Verifying:
			o.active[spool.Publishing] = true
		case spool.Probing:
		}
	}
}

// Busy is the sum so far, up to the last call of At.
func (o *Overlap) Busy() time.Duration { return o.busy }
