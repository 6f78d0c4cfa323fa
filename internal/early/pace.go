package early

import "time"

// Pace is how far a video is made, and how fast. Times are of media, where
// they are not said to be of the clock.
type Pace struct {
	Target time.Duration // EXT-X-TARGETDURATION
	Ready  time.Duration // what is there from the start, without a gap
	Made   time.Duration // all that is there, also what waits for something before it
	Total  time.Duration // the whole; 0 while it is not known
	Fresh  time.Duration // of Made: what was made while it was measured
	Took   time.Duration // by the clock: how long it was measured
	Gap    time.Duration // by the clock: the longest wait for Ready to grow
	Usual  time.Duration // by the clock: the longest but one, which may come again and again
	Chunk  int           // segments that one encoder makes, one after another; 0 counts as 1
}

// startTargets is how many target durations a list holds before players are
// invited: they should not begin closer than that to its end (RFC 8216,
// section 6.3.3).
const startTargets = 3

// caution is how much longer than measured the rest is expected to take.
const caution = 1.15

// unknown is a wait of which nothing can be said.
const unknown = -1

// Wait says how long it will be, by the clock, until the video can be offered
// so that nobody who watches has to wait and no list stands still: 0 is now,
// below 0 is unknown.
//
// There must be enough to begin with, and a reserve for the longest wait. From
// then on the lists grow at the pace of playback, so the rest may take as long
// to make as the part plays that is not in them yet, less the reserve: the last
// chunk is made by one encoder alone.
func (p Pace) Wait() time.Duration {
	start := startTargets * p.Target
	if p.Total > 0 && (p.Made >= p.Total || p.Total < start) {
		if p.Ready >= start {
			return 0
		}
		return unknown // it is ready before that matters
	}
	if p.Fresh <= 0 || p.Took <= 0 {
		return unknown
	}
	rate := float64(p.Fresh) / float64(p.Took)
	enough := start + max(0, p.drought()-p.Target)
	wait := float64(enough-p.Ready) / rate
	if p.Total == 0 {
		if rate < caution {
			return unknown
		}
		return time.Duration(max(0, wait))
	}
	left := float64(p.Total-p.Made) / rate
	lasts := float64(p.Total - enough)
	wait = max(wait, left-lasts/caution)
	// When all is made, nothing can be late any more.
	return time.Duration(max(0, min(wait, left)))
}

// drought is how far Ready may fall behind playback for a while, whatever the
// rate is over longer times. Several encoders are at work on different chunks,
// and all but the first of these count for nothing until it is whole: until
// then there may be one segment a wait.
func (p Pace) drought() time.Duration {
	return p.Gap + time.Duration(max(p.Chunk-1, 0))*max(0, p.Usual-p.Target)
}
