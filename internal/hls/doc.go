// Package hls writes and reads HLS playlists: what is published for a video
// on demand, and no more of the format than that.
//
// Rule numbers name the checks that Spool holds its packages to; their
// sources are RFC 8216, its successor draft-pantos-hls-rfc8216bis, and Apple's
// HLS authoring specification.
//
// Durations are exact to the microsecond that a playlist can say: they are
// differences of rounded cumulative times, so that the sum of any number of
// them from the start is at most half a microsecond off.
package hls

import (
	"fmt"
	"time"

	"github.com/spool-video/spool"
)

// ContentType is the media type of playlists.
const ContentType = "application/vnd.apple.mpegurl"

// Version is the protocol version that Spool writes: 7, for fragmented MP4
// (6 or above, RFC 8216 section 7) as players know it best.
const Version = 7

// VersionWithoutInit is the protocol version of playlists whose segments need
// no init section. The features that they use ask for 3; but up to 5 a target
// duration of 6 s means that no segment is longer, and not 6.006 s.
const VersionWithoutInit = 6

// VersionOf is the protocol version of a playlist that names this init section.
func VersionOf(init string) int {
	if init == "" {
		return VersionWithoutInit
	}
	return Version
}

// tick is the smallest duration in a playlist: six decimals of a second.
const tick = time.Microsecond

// Durations gives what EXTINF says of consecutive segments. ticks are their
// lengths in units of base, seconds a tick.
func Durations(ticks []int64, base spool.Ratio) []time.Duration {
	out := make([]time.Duration, len(ticks))
	micro := spool.Ratio{Num: 1, Den: int64(time.Second / tick)}
	var total, before int64
	for i, n := range ticks {
		total += n
		end := base.RescaleNearest(total, micro)
		out[i] = time.Duration(end-before) * tick
		before = end
	}
	return out
}

// SyntaxError is what is wrong with a playlist's text.
type SyntaxError struct {
	Line int // from 1
	Rule int // the rule that it breaks
	Text string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d: %s (rule %d)", e.Line, e.Text, e.Rule)
}
