package early

import (
	"time"

	"github.com/spool-video/spool"
)

// growth is one revision while it is made.
type growth struct {
	revision  string
	published string // the revision that players have already, or ""
	plan      *spool.Plan
	keys      spool.ContentKeys // of the plan's segments
	lists     []*list           // in the order of writing

	looked   bool // for lists that an earlier run left
	off      bool // nothing is offered, or any more
	decided  bool // lists are written
	offered  bool // early.m3u8 is there
	shown    int  // segments that every list has
	ended    bool // the lists have all segments, and say so
	exported int  // keys that are where players get them

	due   time.Time // of the next segment
	late  bool      // it was said that it is
	noted time.Time // of the last estimate that was told
	meter meter
}

// meter measures production by the clock.
type meter struct {
	begun    time.Time
	ready    int           // segments from the start that all renditions have
	count    int           // segments, anywhere, that all renditions have
	made     time.Duration // their length
	before   time.Duration // of made: what was there when measuring began
	advanced time.Time     // when ready last grew
	gap      time.Duration // the longest wait for it
	second   time.Duration // the longest but one
	waits    int           // how many there were
	reading  map[int]int   // frames that encoders have read, by chunk
}

func newGrowth(v spool.Video, p *spool.Plan, keys spool.ContentKeys, now time.Time) *growth {
	return &growth{
		revision: v.Revision, published: v.Published, plan: p, keys: keys, lists: newLists(p, v.Settings.Container),
		meter: meter{begun: now, advanced: now, reading: map[int]int{}},
	}
}

// extend takes a plan that has grown, and the keys of its segments.
func (g *growth) extend(p *spool.Plan, keys spool.ContentKeys) {
	if p.Grid.Segments() < g.plan.Grid.Segments() || p.Open && !g.plan.Open {
		return // told late
	}
	grown := *p
	grown.Grid.Target = g.plan.Grid.Target // players were told that it never changes
	g.plan, g.keys = &grown, keys
}

// measureFrom: production is what comes from now on.
func (g *growth) measureFrom(now time.Time) {
	g.meter.before, g.meter.advanced = g.meter.made, now
	g.meter.gap, g.meter.second, g.meter.waits = 0, 0, 0
}

// add takes what was published.
func (g *growth) add(m spool.Made, now time.Time) {
	for _, l := range g.lists {
		for i := range m.Inits {
			if l.init == nil && m.Inits[i].Rendition == l.rendition {
				l.init = &m.Inits[i]
			}
		}
		for _, s := range m.Segments {
			if s.Rendition == l.rendition && l.add(g.revision, s, g.plan.Grid) && g.whole(s.Number) {
				g.meter.made += g.lead().length(s.Number, g.plan)
				g.meter.count++
			}
		}
	}
	g.advance(now)
}

// whole reports whether all renditions have a segment, also before it is known
// whether it fits the plan.
func (g *growth) whole(n int) bool {
	for _, l := range g.lists {
		if _, ok := l.segments[n]; !ok {
			return false
		}
	}
	return true
}

// lead is the list whose times are the video's.
func (g *growth) lead() *list { return g.lists[len(g.lists)-1] }

// advance counts the segments that can be shown.
func (g *growth) advance(now time.Time) {
	was := g.meter.ready
	for g.has(g.meter.ready) {
		g.meter.ready++
	}
	if g.meter.ready > was {
		g.meter.waited(now.Sub(g.meter.advanced))
		g.meter.advanced = now
	}
}

// reads notes how many frames an encoder has read of a chunk. The first of them
// all begins the measuring: what it took to begin is not taken again, and no
// wait that viewers have to be spared.
func (m *meter) reads(chunk, frames int, now time.Time) {
	if len(m.reading) == 0 && m.made == m.before {
		m.begun, m.advanced = now, now
	}
	m.reading[chunk] = frames
}

// waited notes that it took d until there was something new to show.
func (m *meter) waited(d time.Duration) {
	if d < time.Second {
		return // several came at once
	}
	m.waits++
	m.second = max(m.second, min(d, m.gap))
	m.gap = max(m.gap, d)
}

// usual is a wait that may come again and again. Of the first few waits any
// may be.
func (m *meter) usual() time.Duration {
	if m.waits < 3 {
		return m.gap
	}
	return m.second
}

// has reports whether segment n can be shown.
func (g *growth) has(n int) bool {
	for _, l := range g.lists {
		if !l.has(n, g.plan.Grid) {
			return false
		}
	}
	return len(g.lists) > 0
}

// played is how long the first n segments play.
func (g *growth) played(n int) time.Duration {
	var sum time.Duration
	for _, d := range g.lead().durations(n, g.plan) {
		sum += d
	}
	return sum
}

// lookAhead is how many frames an encoder has read and not written: x264 at its
// medium preset keeps that many to decide by, and a faster one fewer.
const lookAhead = 40

// underWay is about how much is encoded of segments that are not there yet.
// Encoders look ahead: half of that counts of what they have read last.
func (g *growth) underWay() time.Duration {
	frames := 0
	for _, c := range g.plan.Chunks {
		read := g.meter.reading[c.Number]
		for n := c.FirstSegment; read > 0 && n < min(c.FirstSegment+c.Segments, len(g.plan.Grid.Frames)); n++ {
			if g.whole(n) {
				read -= g.plan.Grid.Frames[n]
			}
		}
		read = max(0, read)
		frames += read - min(read, lookAhead)/2
	}
	return g.plan.Timeline.Rate.Invert().Duration(int64(frames))
}

// pace is what decides when to offer.
func (g *growth) pace(now time.Time) Pace {
	m := &g.meter
	p := Pace{
		Target: time.Duration(g.plan.Grid.Target) * time.Second,
		Ready:  g.played(m.ready), Made: m.made,
		Fresh: m.made - m.before + g.underWay(), Took: now.Sub(m.begun), Gap: max(m.gap, now.Sub(m.advanced)), Usual: m.usual(),
	}
	for _, c := range g.plan.Chunks {
		p.Chunk = max(p.Chunk, c.Segments)
	}
	switch told := g.plan.Facts.Duration; {
	case !g.plan.Open:
		p.Total = g.played(g.plan.Grid.Segments())
	case told > p.Made+p.Target: // what the source says of itself will do, until it is shown wrong
		p.Total = told
	}
	if !g.plan.Open && m.count == g.plan.Grid.Segments() {
		p.Made = p.Total // whatever was rounded
	}
	return p
}
