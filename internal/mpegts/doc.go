// Package mpegts wraps coded pictures as a segment of MPEG-TS (ISO/IEC 13818-1)
// and AAC packets as packed audio (RFC 8216 section 3.4): another wrapping of
// the samples that package cmaf wraps as fragmented MP4.
//
// What a segment looks like depends on its samples and their place on the
// timeline alone. Every segment begins with PAT and PMT, so do all of its key
// frames, and the packets of each PID are a multiple of 16: continuity counters
// start at 0 in every segment, whichever worker makes it, and go on over the
// joints of segments that are laid end to end.
package mpegts

import (
	"errors"
	"fmt"
)

const (
	// Clock is how many ticks of PTS and DTS a second has.
	Clock = 90000
	// Start is the PTS of the timeline's 0, in ticks: 10 seconds, so that what
	// comes before it (the priming of sound, decode times) is not negative.
	Start = 10 * Clock
	// Wrap is after how many ticks PTS and DTS begin anew: they have 33 bits.
	Wrap = 1 << 33
)

// ErrUnfit is wrapped by all errors that mean "these samples cannot be wrapped
// so", or "this segment is not one that this package writes".
var ErrUnfit = errors.New("not fit for MPEG-TS")

func unfit(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnfit, fmt.Sprintf(format, args...))
}

// Time is the PTS or DTS of a place on the timeline, at ticks of timescale a
// second, which may be negative; to the nearest tick of the clock.
func Time(at int64, timescale int) int64 {
	twice, per := 2*Clock*at+int64(timescale), 2*int64(timescale)
	ticks := twice / per
	if twice%per < 0 {
		ticks-- // toward minus infinity
	}
	return ((Start+ticks)%Wrap + Wrap) % Wrap
}
