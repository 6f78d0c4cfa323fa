package early

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/grid"
)

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// paceOf is the pace of a video of so many segments of 6 s, in chunks of three.
// What is there of it are pairs of a first segment and one behind the last.
func paceOf(encoders, segments int, took, gap float64, made ...int) Pace {
	p := Pace{Target: seconds(6), Encoders: encoders, Took: seconds(took), Gap: seconds(gap), Segments: slices.Repeat([]time.Duration{seconds(6)}, segments)}
	there := make([]bool, segments)
	for i := 0; i < len(made); i += 2 {
		for n := made[i]; n < made[i+1]; n++ {
			there[n] = true
			p.Made += p.Segments[n]
		}
	}
	p.Ready = slices.Index(append(there, false), false)
	for n := 0; n < segments; n += 3 {
		c := Chunk{First: n, Left: slices.Clone(p.Segments[n:min(n+3, segments)])}
		for i := range c.Left {
			if there[n+i] {
				c.Left[i], c.Begun = 0, true
			}
		}
		if slices.Max(c.Left) > 0 {
			p.Chunks = append(p.Chunks, c)
		}
	}
	return p
}

func TestWait(t *testing.T) {
	endless := func(p Pace) Pace {
		p.Endless = true
		return p
	}
	for _, c := range []struct {
		name        string
		pace        Pace
		least, most float64 // seconds
	}{
		{"nothing is made", paceOf(1, 100, 10, 10), unknown, unknown},
		{"too little to begin with, at twice the speed", paceOf(1, 100, 6, 3, 0, 2), 3, 3},
		{"enough, at twice the speed", paceOf(1, 100, 9, 5, 0, 3), 0, 0},
		{"as fast as it plays, at the beginning", paceOf(1, 100, 18, 6, 0, 3), 87, 88},
		{"as fast as it plays, near the end", paceOf(1, 100, 564, 6, 0, 94), 0, 0},
		{"at twice the speed, and it stood still once", paceOf(1, 100, 9, 20, 0, 3), 14, 15},
		{"at half the speed", paceOf(1, 100, 120, 12, 0, 10), 659.9, 660.1},
		{"at half the speed, almost all is made", paceOf(1, 100, 1176, 12, 0, 98), 0, 0},
		{"all is made", paceOf(1, 100, 6000, 100, 0, 100), 0, 0},
		{"too short ever to begin", paceOf(1, 2, 3, 1, 0, 1), unknown, unknown},
		{"all is made of what is too short", paceOf(1, 2, 3, 1, 0, 2), unknown, unknown},
		{"no end in sight, fast", endless(paceOf(1, 9, 9, 5, 0, 3)), 0, 0},
		{"no end in sight, fast, a little", endless(paceOf(1, 9, 3, 3, 0, 1)), 6, 6},
		{"no end in sight, and it stood still once", endless(paceOf(1, 9, 9, 40, 0, 3)), 34, 35},
		{"no end in sight, as fast as it plays", endless(paceOf(1, 20, 60, 6, 0, 10)), unknown, unknown},
		{"it would be late only after its end", paceOf(1, 7, 48, 30, 0, 4), 35, 36},
		{"two encoders: what the second makes counts when the first chunk is whole", paceOf(2, 100, 8, 8, 0, 1, 3, 4), 16, 16},
		{"two encoders, two chunks", paceOf(2, 100, 6, 3, 0, 3, 3, 6), 0, 0},
		{"the last chunk takes one encoder of three a while", paceOf(3, 34, 216, 37, 0, 15, 18, 20, 21, 22), 69, 70},
	} {
		got := c.pace.Wait()
		if got < 0 && c.most < 0 {
			continue
		}
		if got < seconds(c.least) || got > seconds(c.most) {
			t.Errorf("%s: %v, want %v to %v s", c.name, got, c.least, c.most)
		}
	}
}

// Whatever is offered at a steady pace is never late: the lists grow as it
// plays, and what they grow by is there.
func TestWaitIsLongEnough(t *testing.T) {
	const total = 300
	for tenths := 2; tenths < 40; tenths++ {
		each := 60 / float64(tenths) // seconds a segment
		n := 1
		for ; n < total; n++ {
			if p := paceOf(1, total, each*float64(n), each, 0, n); p.Wait() == 0 {
				break
			}
		}
		for at := max(n, startTargets); at < total; at++ {
			due := 6 * float64(at+1-startTargets)
			if took := each * float64(at+1-n); took > due+3 {
				t.Fatalf("offered with %d segments at %v s each: segment %d is there after %v s and due after %v s", n, each, at, took, due)
			}
		}
	}
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
	if got := g.pace(time.Now()).Made; got != 0 {
		t.Errorf("of nothing %v", got)
	}
	g.meter.reading[first.Number], g.meter.reading[last.Number] = 2*rate, 4*rate
	if got := g.pace(time.Now()).Made; got != 4400*time.Millisecond {
		t.Errorf("of 6 s that were read, of which the last 1.6 s of each chunk count half, %v", got)
	}
	for _, l := range g.lists {
		l.segments[first.FirstSegment] = spool.Segment{}
	}
	if got := g.pace(time.Now()).Made; got != 3200*time.Millisecond {
		t.Errorf("of 6 s that were read, when the segment with 2 of them is there, %v", got)
	}
}

// Whoever encodes may be ahead of the plan as it is known here, and a source
// may say of its length what it likes.
func TestPlanThatLagsBehind(t *testing.T) {
	p := plan(12)
	w := newWorld(t)
	ahead := w.whole("r1", p, 7)
	p.Open, p.Facts.Duration = true, 1<<62
	p.Grid.Frames, p.Grid.Packets, p.Chunks = p.Grid.Frames[:3], p.Grid.Packets[:3], p.Chunks[:2]
	g := newGrowth(making("r1"), p, nil, time.Now())
	for chunk := range 9 {
		g.meter.reads("one", map[int]int{chunk: 10 * rate}, time.Now())
	}
	g.add(ahead, time.Now())
	if got := g.pace(time.Now()); got.Endless || len(got.Segments) != 3+int(longestGuess/target) {
		t.Errorf("%d segments are expected, endless %v", len(got.Segments), got.Endless)
	}
	p.Facts.Duration = 0
	if got := g.pace(time.Now()); !got.Endless || len(got.Segments) <= 3 {
		t.Errorf("of unknown length %d segments are expected, endless %v", len(got.Segments), got.Endless)
	}
}

// The encoders of all workers count, but not those of one that was not heard of
// for long when another takes over.
func TestEncodersAreCounted(t *testing.T) {
	now := time.Now()
	g := newGrowth(making("r1"), plan(12), nil, now)
	for _, c := range []struct {
		worker string
		chunks map[int]int
		after  time.Duration
		want   int
	}{
		{"a", map[int]int{0: 1}, 0, 1},
		{"a", map[int]int{0: 2, 1: 1}, time.Second, 2},
		{"b", map[int]int{2: 1}, 2 * time.Second, 3},
		{"a", map[int]int{1: 2}, 3 * time.Second, 3},
		{"c", map[int]int{3: 1, 4: 1, 5: 1}, 3*time.Second + gone, 3},
	} {
		g.meter.reads(c.worker, c.chunks, now.Add(c.after))
		if got := g.pace(now.Add(c.after)).Encoders; got != c.want {
			t.Errorf("after %v there are %d encoders, want %d", c.after, got, c.want)
		}
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
		g.meter.reads("one", map[int]int{0: 1}, planned.Add(3*time.Second))
		g.meter.reads("one", map[int]int{0: rate}, planned.Add(5*time.Second))
		g.meter.reads("one", map[int]int{0: rate, 1: rate}, planned.Add(6*time.Second))
		if got := g.pace(planned.Add(7 * time.Second)).Took; got != c.want {
			t.Errorf("%s: measured for %v, want %v", c.name, got, c.want)
		}
	}
}

// Sound is there piece by piece. When the next will be is what those before
// say, and one that is late makes all that follow late.
func TestSoundComesInPieces(t *testing.T) {
	begun := time.Now()
	w, p := newWorld(t), plan(40)
	p.Pieces = grid.Pieces(p.Grid)
	g := newGrowth(making("r1"), p, nil, begun)
	for n := range 20 {
		g.add(w.make("r1", p, n, "v0-360p", "v1-720p"), begun)
	}
	for _, c := range []struct {
		at          float64 // seconds
		upTo        int     // segments of sound that are there then
		first       int     // of the first piece that is missing
		least, most float64 // seconds
		next        float64 // seconds from that one to the next
	}{
		{5, 0, 0, unknown, unknown, 0},
		{12, 2, 2, 23, 25, 54},
		{20, 2, 2, 15, 17, 54},
		{30, 6, 6, 44, 46, 55},
		{90, 6, 6, 0, 0, 73},
	} {
		now := begun.Add(seconds(c.at))
		for n := g.meter.hearing.segments; n < c.upTo; n++ {
			g.add(w.make("r1", p, n, "a0-eng"), now)
		}
		pace := g.pace(now)
		if pace.Made != 20*seconds(6) {
			t.Errorf("after %v s %v are made", c.at, pace.Made)
		}
		if got := pace.Sound[0]; got.First != c.first || c.least < 0 != (got.In < 0) || got.In >= 0 && (got.In < seconds(c.least) || got.In > seconds(c.most)) {
			t.Errorf("after %v s: %+v, want it in %v to %v s", c.at, got, c.least, c.most)
		}
		if apart := (pace.Sound[1].In - pace.Sound[0].In).Seconds(); c.next > 0 && math.Abs(apart-c.next) > 1 {
			t.Errorf("after %v s the next is %v s later, want %v", c.at, apart, c.next)
		}
	}
	if there := g.pace(begun.Add(seconds(90))).forecast(); there[6] != there[14] || there[15] <= there[14] {
		t.Errorf("segments are there after %v", there)
	}
}
