package hls

import (
	"math/big"
	"time"
)

// Weight is a segment as far as its rate goes.
type Weight struct {
	Bytes    int64 // as published
	Duration time.Duration
}

// Rates measures a media playlist, in bits per second, rounded up. The
// average is over all of it. The peak is the largest rate of any contiguous
// set of segments that is 0.5 to 1.5 target durations long (rule 60), so that
// a short tail never counts alone; it is the average when there is no such
// set. Target is in seconds.
func Rates(segments []Weight, target int) (peak, average int) {
	shortest := time.Duration(target) * time.Second / 2
	longest := shortest * 3
	var all Weight
	for i, s := range segments {
		all = Weight{all.Bytes + s.Bytes, all.Duration + s.Duration}
		var set Weight
		for _, next := range segments[i:] {
			set = Weight{set.Bytes + next.Bytes, set.Duration + next.Duration}
			if set.Duration > longest {
				break
			}
			if set.Duration >= shortest {
				peak = max(peak, set.rate())
			}
		}
	}
	average = all.rate()
	return max(peak, average), average
}

// rate is bits per second, rounded up; 0 for no time at all.
func (w Weight) rate() int {
	if w.Duration <= 0 {
		return 0
	}
	bits := new(big.Int).Mul(big.NewInt(w.Bytes), big.NewInt(8*int64(time.Second)))
	d := big.NewInt(int64(w.Duration))
	bits.Add(bits, new(big.Int).Sub(d, big.NewInt(1)))
	return int(bits.Div(bits, d).Int64())
}
