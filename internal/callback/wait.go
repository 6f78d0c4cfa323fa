package callback

import (
	"math/rand/v2"
	"time"

	"github.com/spool-video/spool/internal/ledger"
)

const (
	// patience is how long a message is tried, from the first time on.
	patience = 24 * time.Hour
	// mostAfter is how long a receiver may ask to be left alone.
	mostAfter = 6 * time.Hour
	// longestPause is how long a host that has failed is not asked for other
	// messages.
	longestPause = time.Minute
)

// waits are how long is rested after each failure; the last one is repeated.
var waits = []time.Duration{
	time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour,
}

// wait is how long is rested after so many failures, a tenth more or less, so
// that what failed together does not come back together.
func wait(tries int) time.Duration {
	d := waits[min(tries, len(waits))-1]
	return d + time.Duration((rand.Float64()-0.5)*float64(d)/5) //nolint:gosec // nothing secret
}

// putOff is a notice after a failure. The last try is when patience ends.
func (s *Sender) putOff(n ledger.Notice, why string, after time.Duration, now time.Time) ledger.Notice {
	if n.Began.IsZero() || n.Began.After(now) { // the clock was set back
		n.Began = now
	}
	n.Attempts++
	n.Last = why
	end := n.Began.Add(patience)
	if after == gone || !now.Before(end) {
		n.GivenUp, n.Next = true, now
		return n
	}
	rest := wait
	if s.rest != nil {
		rest = s.rest
	}
	n.Next = now.Add(max(rest(n.Attempts), min(after, mostAfter)))
	if n.Next.After(end) {
		n.Next = end
	}
	return n
}
