package early

import (
	"slices"
	"time"
)

// Pace is how far a video is made, and how fast. Times are of media, where
// they are not said to be of the clock.
type Pace struct {
	Target   time.Duration   // EXT-X-TARGETDURATION
	Segments []time.Duration // how long each plays; those not planned yet are guessed
	Endless  bool            // there will be more, nobody knows how many
	Ready    int             // segments that are there from the start, without a gap
	Chunks   []Chunk         // those with something left to make, in order
	Sound    []Piece         // those that have not come
	Encoders int             // how many are at work at a time; 0 counts as 1
	Made     time.Duration   // pictures that were made while it was measured, also what waits for something before it
	Took     time.Duration   // by the clock: how long it was measured
	Gap      time.Duration   // by the clock: the longest wait for pictures of the next segment
}

// Chunk is what one encoder makes, a segment after the other.
type Chunk struct {
	First int             // its first segment
	Left  []time.Duration // of its segments: what is not made yet
	Begun bool            // an encoder is at it
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
// There must be enough to begin with. From then on the lists grow at the pace
// of playback, and each segment must be there when it is due, with a reserve
// for waits as have been that the forecast knows nothing of.
func (p Pace) Wait() time.Duration {
	first := p.start()
	if first < 0 {
		return unknown // it is ready before that matters
	}
	if len(p.Chunks) == 0 && len(p.Sound) == 0 {
		if p.Ready < first {
			return unknown // it is made, and does not fit
		}
		return 0
	}
	if p.Made <= 0 || p.Took <= 0 || p.Endless && p.rate() < caution {
		return unknown
	}
	there := p.forecast()
	reserve := max(0, p.Gap-p.slowest())
	var wait, due time.Duration
	for n := first - 1; n < len(p.Segments); n++ {
		if n >= p.Ready {
			late := there[n]
			if n >= first {
				late = time.Duration(caution*float64(late)) + reserve - due
			}
			wait = max(wait, late)
		}
		due += min(p.Segments[n], p.Target)
	}
	if p.Endless {
		return wait
	}
	// When all is made, nothing can be late any more.
	return min(wait, there[len(there)-1])
}

// start is how many segments lists begin with; -1 when the video is too short
// for that.
func (p Pace) start() int {
	var sum time.Duration
	for n, d := range p.Segments {
		if sum += d; sum >= startTargets*p.Target {
			return n + 1
		}
	}
	return -1
}

// rate is how much media is made in a time of the clock.
func (p Pace) rate() float64 { return float64(p.Made) / float64(p.Took) }

// alone is how long one encoder takes to make something.
func (p Pace) alone(media time.Duration) time.Duration {
	return time.Duration(float64(media) * float64(max(1, p.Encoders)) / p.rate())
}

// slowest is the longest wait for a segment at a steady pace.
func (p Pace) slowest() time.Duration { return p.alone(p.Target) }

// forecast is how long it will be, by the clock, until each segment can be
// shown, when encoders go on as they did: each makes a chunk, and then the next
// that nobody is at. All but the first of these chunks count for nothing until
// what is before them is whole.
func (p Pace) forecast() []time.Duration {
	there := make([]time.Duration, len(p.Segments))
	free := make([]time.Duration, max(1, p.Encoders)) // when each encoder is
	encode := func(c Chunk, begins time.Duration) (ends time.Duration) {
		for i, left := range c.Left {
			begins += p.alone(left)
			if left > 0 && c.First+i < len(there) {
				there[c.First+i] = begins
			}
		}
		return begins
	}
	for _, begun := range []bool{true, false} {
		for _, c := range p.Chunks {
			if c.Begun != begun {
				continue
			}
			next := slices.Index(free, slices.Min(free))
			if begun {
				free[next] = max(free[next], encode(c, 0))
			} else {
				free[next] = encode(c, free[next])
			}
		}
	}
	inOrder(there)
	p.listen(there)
	return there
}

// listen lets segments wait for their sound: where nothing is known of a piece,
// for its last picture.
func (p Pace) listen(there []time.Duration) {
	for _, s := range p.Sound {
		end := min(s.First+s.Segments, len(there))
		if s.First >= end {
			continue
		}
		at := s.In
		if at < 0 {
			at = there[end-1]
		}
		for n := s.First; n < end; n++ {
			there[n] = max(there[n], at)
		}
	}
	inOrder(there)
}

// inOrder: no segment is shown before the one in front of it.
func inOrder(there []time.Duration) {
	for n := 1; n < len(there); n++ {
		there[n] = max(there[n], there[n-1])
	}
}
