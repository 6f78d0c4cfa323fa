package cmaf

import (
	"fmt"

	"github.com/spool-video/spool"
)

// minTimescale keeps a tick below 0.1 ms, fine enough for every player.
const minTimescale = 10000

// Timescale gives the ticks per second of a video rendition of this frame
// rate and the ticks that one frame lasts, both exact: 30000 and 1001 for
// 30000/1001, 12800 and 512 for 25.
func Timescale(rate spool.Ratio) (timescale, frame int, err error) {
	if !rate.Known() {
		return 0, 0, fmt.Errorf("timescale of frame rate %v: not a positive number", rate)
	}
	d := spool.GCD(rate.Num, rate.Den)
	num, den := rate.Num/d, rate.Den/d
	for num < minTimescale {
		num, den = num*2, den*2
	}
	const most = 1<<31 - 1
	if num > most || den > most {
		return 0, 0, fmt.Errorf("timescale of frame rate %v: does not fit 31 bits", rate)
	}
	return int(num), int(den), nil
}
