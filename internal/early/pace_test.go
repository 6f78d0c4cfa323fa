package early

import (
	"testing"
	"time"

	"github.com/spool-video/spool"
)

func TestWait(t *testing.T) {
	s := func(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
	// pace has a target of 6 s.
	pace := func(ready, made, total, took, gap float64) Pace {
		return Pace{Target: s(6), Ready: s(ready), Made: s(made), Total: s(total), Fresh: s(made), Took: s(took), Gap: s(gap)}
	}
	for _, c := range []struct {
		name  string
		pace  Pace
		least time.Duration
		most  time.Duration
	}{
		{"nothing is made", pace(0, 0, 600, 10, 10), unknown, unknown},
		{"too little to begin with, at twice the speed", pace(6, 12, 600, 6, 3), s(6), s(6)},
		{"enough, at twice the speed", pace(18, 18, 600, 9, 5), 0, 0},
		{"enough, but it came in one burst", pace(18, 24, 600, 12, 12), s(3), s(3)},
		{"burst and reserve", pace(24, 24, 600, 12, 12), 0, 0},
		{"as fast as it plays", pace(60, 60, 600, 60, 6), s(20), s(40)},
		{"as fast as it plays, half is made", pace(300, 300, 600, 300, 6), 0, 0},
		{"at half the speed", pace(60, 60, 600, 120, 12), s(570), s(580)},
		{"at half the speed, almost all is made", pace(500, 500, 600, 1000, 12), 0, 0},
		{"all is made", pace(600, 600, 600, 6000, 100), 0, 0},
		{"all is made of a short one", pace(12, 12, 12, 3, 1), unknown, unknown},
		{"too short ever to begin", pace(6, 6, 12, 3, 1), unknown, unknown},
		{"no end in sight, fast", pace(18, 18, 0, 9, 5), 0, 0},
		{"no end in sight, fast, a little", pace(6, 6, 0, 3, 3), s(6), s(6)},
		{"no end in sight, as fast as it plays", pace(60, 60, 0, 60, 6), unknown, unknown},
		{"it would be late only after its end", pace(24, 24, 40, 48, 30), s(32), s(32)},
		{"the last chunk takes one encoder of three a while", Pace{
			Target: s(6), Ready: s(90), Made: s(108), Total: s(204), Fresh: s(108), Took: s(216), Gap: s(37), Usual: s(37), Chunk: 3,
		}, s(110), s(112)},
		{"several encoders, the first round", Pace{
			Target: s(6), Ready: s(30), Made: s(48), Total: s(270), Fresh: s(48), Took: s(28.5), Gap: s(14.25), Usual: s(14.25), Chunk: 3,
		}, s(7), s(8)},
		{"all from before", Pace{Target: s(6), Ready: s(60), Made: s(60), Total: s(600), Took: s(1)}, unknown, unknown},
	} {
		if got := c.pace.Wait(); got < c.least || got > c.most {
			t.Errorf("%s: %v, want %v to %v", c.name, got, c.least, c.most)
		}
	}
}

// Whatever is offered at a steady pace is never late: the lists grow as it
// plays, and what they grow by is there.
func TestWaitIsLongEnough(t *testing.T) {
	const total, target = 1800.0, 6.0
	for tenths := 2; tenths < 40; tenths++ {
		rate := float64(tenths) / 10 // media a second of the clock
		offered := 1.0
		for waits(offered, rate, total, target) {
			offered++
		}
		for now := offered; now < total/rate; now++ {
			if shown := startTargets*target + now - offered; now*rate+1.5*target < shown {
				t.Fatalf("offered after %v s at rate %v: after %v s %v s are due and %v are there", offered, rate, now, shown, now*rate)
			}
		}
	}
}

// waits reports whether a video is not offered yet after some time at a steady
// rate. All are in seconds.
func waits(clock, rate, total, target float64) bool {
	s := func(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
	made := s(min(total, float64(int(clock*rate/target))*target))
	return Pace{Target: s(target), Total: s(total), Gap: s(target / rate), Ready: made, Made: made, Fresh: made, Took: s(clock)}.Wait() != 0
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Second: "5 s", 36 * time.Second: "40 s", 61 * time.Second: "1 min 15 s", 2*time.Minute + 1: "3 min",
		time.Hour: "1 h", time.Hour + 1: "1 h 10 min", 26*time.Hour + 1: "26 h 10 min",
	} {
		if got := about(roundUp(d)); got != want {
			t.Errorf("%v is about %s, want %s", d, got, want)
		}
	}
}

// What encoders have read of chunks counts, half of it where they look ahead,
// without what is there of them.
func TestUnderWay(t *testing.T) {
	p := plan(12)
	g := newGrowth(making("r1"), p, nil, time.Now())
	last := p.Chunks[len(p.Chunks)-1]
	first := p.Chunks[0]
	if got := g.underWay(); got != 0 {
		t.Errorf("of nothing %v", got)
	}
	g.meter.reading[first.Number], g.meter.reading[last.Number] = 2*rate, 4*rate
	if got := g.underWay(); got != 4400*time.Millisecond {
		t.Errorf("of 6 s that were read, of which the last 1.6 s of each chunk count half, %v", got)
	}
	for _, l := range g.lists {
		l.segments[first.FirstSegment] = spool.Segment{}
	}
	if got := g.underWay(); got != 3200*time.Millisecond {
		t.Errorf("of 6 s that were read, when the segment with 2 of them is there, %v", got)
	}
	if p := g.pace(time.Now()); p.Fresh != 3200*time.Millisecond || p.Made != 0 {
		t.Errorf("the pace is %+v", p)
	}
}

// The rate is measured from the first frame on, unless something was made
// before: what it takes to begin says nothing of the rest.
func TestMeasuredFromTheFirstFrame(t *testing.T) {
	planned := time.Now()
	w, p := newWorld(t), plan(12)
	for _, c := range []struct {
		name  string
		first spool.Made
		want  time.Duration
	}{
		{"frames first", spool.Made{}, 4 * time.Second},
		{"segments first", w.whole("r1", p, 0), 7 * time.Second},
	} {
		g := newGrowth(making("r1"), p, nil, planned)
		g.add(c.first, planned.Add(time.Second))
		g.meter.reads(0, 1, planned.Add(3*time.Second))
		g.meter.reads(0, rate, planned.Add(5*time.Second))
		g.meter.reads(1, rate, planned.Add(6*time.Second))
		if got := g.pace(planned.Add(7 * time.Second)).Took; got != c.want {
			t.Errorf("%s: measured for %v, want %v", c.name, got, c.want)
		}
	}
}
