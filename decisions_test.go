package spool_test

import (
	"testing"

	"github.com/spool-video/spool"
)

// TestNearestFrameRule is the calculation of docs/decisions/0002: ten minutes
// at the usual rates with stamps of whole milliseconds, as Matroska keeps
// them. By the nearest frame all is well; by the frame that has begun, up to a
// third of the frames would be lost and others be shown twice.
func TestNearestFrameRule(t *testing.T) {
	milliseconds := spool.Ratio{Num: 1, Den: 1000}
	for _, test := range []struct {
		rate        spool.Ratio
		lostByBegun int64
	}{
		{spool.Ratio{Num: 24000, Den: 1001}, 4195},
		{spool.Ratio{Num: 24, Den: 1}, 4800},
		{spool.Ratio{Num: 25, Den: 1}, 0},
		{spool.Ratio{Num: 30000, Den: 1001}, 6594},
		{spool.Ratio{Num: 30, Den: 1}, 6000},
		{spool.Ratio{Num: 50, Den: 1}, 0},
		{spool.Ratio{Num: 60000, Den: 1001}, 11388},
		{spool.Ratio{Num: 60, Den: 1}, 12000},
	} {
		frame := test.rate.Invert()
		frames := 600 * test.rate.Num / test.rate.Den
		begun := map[int64]bool{}
		for n := range frames {
			stamp := frame.RescaleNearest(n, milliseconds)
			if got := milliseconds.RescaleNearest(stamp, frame); got != n {
				t.Errorf("%v: frame %d at %d ms is nearest to %d", test.rate, n, stamp, got)
			}
			begun[milliseconds.Rescale(stamp, frame)] = true
		}
		if lost := frames - int64(len(begun)); lost != test.lostByBegun {
			t.Errorf("%v: the other rule would lose %d of %d frames, docs/decisions/0002 says %d", test.rate, lost, frames, test.lostByBegun)
		}
	}
}
