package plan

import (
	"math/big"
	"slices"
	"sort"

	"github.com/spool-video/spool"
)

// usual are the frame rates that sources mean when they say something near.
var usual = []spool.Ratio{
	{Num: 24000, Den: 1001},
	{Num: 24, Den: 1},
	{Num: 25, Den: 1},
	{Num: 30000, Den: 1001},
	{Num: 30, Den: 1},
	{Num: 48, Den: 1},
	{Num: 50, Den: 1},
	{Num: 60000, Den: 1001},
	{Num: 60, Den: 1},
}

const (
	maxRate = 60
	// lowVariable is the least rate for frames that come irregularly: each is
	// shown up to half an output frame away from its time.
	lowVariable = 15
	exact       = 0.0004 // tells 23.976 from 24, which are 0.001 apart
	coarse      = 0.03
)

// outputRate chooses the frames per second of the output. constant reports
// whether the source has one rate, perhaps with holes: then its frames lie on
// those of the output, or every k-th one does.
func outputRate(declared, base spool.Ratio, pts []int64) (rate spool.Ratio, constant bool) {
	n, ticks, step := pace(pts)
	if n == 0 {
		if declared.Known() && declared.Float() <= maxRate && len(pts) == 1 {
			return within(snap(declared, exact)), true
		}
		return spool.Ratio{Num: 25, Den: 1}, false
	}
	measured := reduce(spool.Ratio{Num: base.Den * n, Den: base.Num * ticks})
	common := reduce(spool.Ratio{Num: base.Den, Den: base.Num * step})
	candidates := []spool.Ratio{snap(declared, exact), round(measured), round(declared), round(common)}
	for i, c := range candidates {
		if !nice(c) {
			candidates[i] = spool.Ratio{}
		}
	}
	for i := range usual {
		u := usual[len(usual)-1-i] // 30 before 29.97, when either fits
		if off := u.Float()/measured.Float() - 1; off < coarse && off > -coarse {
			candidates = append(candidates, u)
		}
	}
	// A rate that somebody would have chosen, even with holes, goes before one
	// that only comes out right.
	for _, group := range [][]spool.Ratio{candidates, {tidy(declared), tidy(measured)}} {
		if c := fitting(group, base, pts); c.Known() {
			return within(c), true
		}
	}
	if nice(candidates[3]) {
		return variable(common.Float()), false
	}
	return variable(measured.Float()), false
}

// fitting is the first of some rates on which the frames lie, without holes
// if there is one.
func fitting(candidates []spool.Ratio, base spool.Ratio, pts []int64) spool.Ratio {
	for _, fits := range []func(rate, base spool.Ratio, pts []int64) bool{regular, holed} {
		for _, c := range candidates {
			if c.Known() && fits(c, base, pts) {
				return c
			}
		}
	}
	return spool.Ratio{}
}

// nice reports whether a rate is one that somebody would have chosen: a usual
// one, or whole or half frames a second.
func nice(r spool.Ratio) bool { return slices.Contains(usual, r) || r.Known() && r.Den <= 2 }

// tidy gives a rate in thousandths of a frame a second, when it is not simpler
// already: its numerator becomes a time scale.
func tidy(r spool.Ratio) spool.Ratio {
	if r.Num <= 120_000 && r.Den <= 1001 {
		return r
	}
	return reduce(spool.Ratio{Num: max(int64(1000*r.Float()+0.5), 1), Den: 1000})
}

// round gives the nearest rate of whole or half frames, when it is very near.
func round(r spool.Ratio) spool.Ratio {
	if !r.Known() {
		return spool.Ratio{}
	}
	halves := int64(2*r.Float() + 0.5)
	near := spool.Ratio{Num: halves, Den: 2}
	if off := near.Float()/r.Float() - 1; halves == 0 || off > exact || off < -exact {
		return spool.Ratio{}
	}
	return reduce(near)
}

// variable is the rate for frames that mostly come at some rate.
func variable(typical float64) spool.Ratio {
	if typical < lowVariable {
		return spool.Ratio{Num: lowVariable, Den: 1}
	}
	best := usual[len(usual)-1]
	for i := len(usual) - 1; i >= 0; i-- {
		if usual[i].Float() >= typical*(1-coarse) {
			best = usual[i]
		}
	}
	return best
}

// snap gives the usual rate that is nearest to r, when its relative distance
// is at most that; r otherwise.
func snap(r spool.Ratio, within float64) spool.Ratio {
	best := r
	for _, u := range usual {
		distance := max(u.Float(), r.Float())/min(u.Float(), max(r.Float(), 1e-9)) - 1
		if distance <= within {
			best, within = u, distance
		}
	}
	return best
}

// within brings a rate to between 1 and 60 by whole factors, so that frames
// still fall on frames.
func within(r spool.Ratio) spool.Ratio {
	if over := r.Float() / maxRate; over > 1.0001 {
		k := int64(over)
		if float64(k) < over*0.9999 {
			k++
		}
		r.Den *= k
	}
	if r.Float() < 1 {
		r.Num *= (r.Den + r.Num - 1) / r.Num
	}
	return snap(reduce(r), exact)
}

func reduce(r spool.Ratio) spool.Ratio {
	d := new(big.Int).GCD(nil, nil, big.NewInt(r.Num), big.NewInt(r.Den)).Int64()
	return spool.Ratio{Num: r.Num / d, Den: r.Den / d}
}

// regular reports whether every frame falls on its own number at a rate.
func regular(rate, base spool.Ratio, pts []int64) bool {
	number := indexer(rate, base, pts[0])
	for i, t := range pts {
		if number(t) != int64(i) {
			return false
		}
	}
	return true
}

// holed reports whether all frames lie on those of a rate of at most 60, with
// some left out, none more than a tenth of a frame beside.
func holed(rate, base spool.Ratio, pts []int64) bool {
	if rate.Float() > maxRate+exact {
		return false
	}
	tenths := spool.Ratio{Num: 10 * rate.Num, Den: rate.Den}
	number, tenth := indexer(rate, base, pts[0]), indexer(tenths, base, pts[0])
	before := int64(-1)
	for _, t := range pts {
		n := number(t)
		if off := tenth(t) - 10*n; n <= before || off > 1 || off < -1 {
			return false
		}
		before = n
	}
	return true
}

// pace is the mean rate of frames, holes and bursts left out: n frames in
// that many ticks, and the commonest step between two of them. 0 for frames
// that do not follow each other.
func pace(pts []int64) (n, ticks, step int64) {
	if len(pts) < 2 {
		return 0, 0, 0
	}
	steps := make([]int64, len(pts)-1)
	for i := range steps {
		steps[i] = pts[i+1] - pts[i]
	}
	slices.Sort(steps)
	median := steps[len(steps)/2]
	for _, s := range steps {
		if 4*s >= median && 4*s <= 7*median {
			n, ticks = n+1, ticks+s
		}
	}
	if ticks <= 0 || median <= 0 {
		return 0, 0, 0
	}
	return n, ticks, median
}

// indexer gives the output frame at which a source frame appears: the nearest
// to its time, a half going up.
func indexer(rate, base spool.Ratio, origin int64) func(pts int64) int64 {
	frame := rate.Invert()
	// In 64 bits where the product fits, since there may be millions.
	num, den := base.Num*rate.Num, base.Den*rate.Den
	small := base.Num < 1<<20 && rate.Num < 1<<20 && base.Den < 1<<30 && rate.Den < 1<<30
	return func(pts int64) int64 {
		t := pts - origin
		if small && t >= 0 && t < (1<<61)/max(num, 1) {
			return (2*t*num + den) / (2 * den)
		}
		return base.RescaleNearest(t, frame)
	}
}

// frames finds source frames by output frames.
type frames struct {
	pts    []int64
	number func(pts int64) int64
}

// shown is the place in pts of the source frame that output frame n shows:
// the last one whose number is not above n.
func (f frames) shown(n int) int {
	return max(sort.Search(len(f.pts), func(i int) bool { return f.number(f.pts[i]) > int64(n) })-1, 0)
}
