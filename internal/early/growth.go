package early

import (
	"maps"
	"slices"
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
	drawn    int           // segments from the start of pictures
	count    int           // segments, anywhere, of pictures
	made     time.Duration // their length
	before   time.Duration // of made: what was there when measuring began
	advanced time.Time     // when drawn last grew
	gap      time.Duration // the longest wait for it
	hearing  hearing
	reading  map[int]int     // frames that encoders have read, by chunk
	crews    map[string]crew // of workers
	encoders int             // the most that were at work at a time
}

// crew is how many encoders a worker has on the video, when it told last.
type crew struct {
	encoders int
	told     time.Time
}

// gone is how long a worker may tell nothing until its encoders count no more.
const gone = 12 * time.Second

func newGrowth(v spool.Video, p *spool.Plan, keys spool.ContentKeys, now time.Time) *growth {
	return &growth{
		revision: v.Revision, published: v.Published, plan: p, keys: keys, lists: newLists(p, v.Settings.Container),
		meter: meter{begun: now, advanced: now, hearing: hearing{start: mark{at: now}}, reading: map[int]int{}, crews: map[string]crew{}},
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
	g.meter.gap = 0
	g.meter.hearing.measureFrom(now)
}

// add takes what was published.
func (g *growth) add(m spool.Made, now time.Time) {
	pictures := g.pictures()
	for _, l := range g.lists {
		for i := range m.Inits {
			if l.init == nil && m.Inits[i].Rendition == l.rendition {
				l.init = &m.Inits[i]
			}
		}
		for _, s := range m.Segments {
			if s.Rendition == l.rendition && l.add(g.revision, s, g.plan.Grid) && slices.Contains(pictures, l) && g.drawn(s.Number) {
				g.meter.made += g.lead().length(s.Number, g.plan)
				g.meter.count++
			}
		}
	}
	g.advance(now)
}

// pictures are the lists of pictures; of what has none, that of its sound.
func (g *growth) pictures() []*list {
	if len(g.lists) > 1 && g.lists[0].sound != nil {
		return g.lists[1:]
	}
	return g.lists
}

// drawn reports whether all renditions of pictures have a segment, also before
// it is known whether it fits the plan.
func (g *growth) drawn(n int) bool {
	for _, l := range g.pictures() {
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
	for have(g.lists, g.meter.ready, g.plan) {
		g.meter.ready++
	}
	was := g.meter.drawn
	for have(g.pictures(), g.meter.drawn, g.plan) {
		g.meter.drawn++
	}
	if g.meter.drawn > was {
		g.meter.gap = max(g.meter.gap, now.Sub(g.meter.advanced))
		g.meter.advanced = now
	}
	g.listen(now)
}

// reads notes how many frames the encoders of a worker have read of their
// chunks. The first of all begins the measuring: what it took to begin is not
// taken again, and no wait that viewers have to be spared.
func (m *meter) reads(worker string, frames map[int]int, now time.Time) {
	if len(m.reading) == 0 && m.made == m.before {
		m.begun, m.advanced = now, now
	}
	maps.Copy(m.reading, frames)
	m.crews[worker] = crew{len(frames), now}
	maps.DeleteFunc(m.crews, func(_ string, c crew) bool { return now.Sub(c.told) >= gone })
	encoders := 0
	for _, c := range m.crews {
		encoders += c.encoders
	}
	m.encoders = max(m.encoders, encoders)
}

// have reports whether all lists can show segment n.
func have(lists []*list, n int, p *spool.Plan) bool {
	for _, l := range lists {
		if !l.has(n, p.Grid) {
			return false
		}
	}
	return len(lists) > 0
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

// longestGuess is how much of what a source says of its length is believed:
// some say anything.
const longestGuess = 24 * time.Hour

// guessedRounds are the chunks of each encoder that a source without an end is
// expected to have still.
const guessedRounds = 2

// left is what is left to make of a chunk whose segments play so long, and about
// how much is under way: encoded, of segments that are not there yet. Of what an
// encoder looks ahead half is that; when each segment will be there is reckoned
// without it.
func (g *growth) left(c spool.Chunk, segments []time.Duration) (left Chunk, underWay time.Duration) {
	left = Chunk{First: c.FirstSegment, Left: slices.Clone(segments)}
	read, ahead := g.read(c.Number)
	for i, length := range segments {
		if g.drawn(c.FirstSegment + i) {
			left.Left[i] = 0
			read = max(0, read-length)
		}
	}
	left.Begun = read > 0
	ahead = min(ahead, read)
	written := read - ahead
	for i := range left.Left {
		done := min(written, left.Left[i])
		left.Left[i] -= done
		written -= done
	}
	return left, read - ahead/2
}

// read is how much an encoder has read of a chunk, and how much of that it may
// look ahead. It need not be in the plan as far as that is known here.
func (g *growth) read(chunk int) (read, ahead time.Duration) {
	frames := g.meter.reading[chunk]
	if frames == 0 {
		return 0, 0
	}
	frame := g.plan.Timeline.Rate.Invert()
	return frame.Duration(int64(frames)), frame.Duration(lookAhead)
}

// pace is what decides when to offer.
func (g *growth) pace(now time.Time) Pace {
	m := &g.meter
	p := Pace{
		Target: time.Duration(g.plan.Grid.Target) * time.Second, Segments: g.lead().durations(g.plan.Grid.Segments(), g.plan),
		Ready: m.ready, Encoders: m.encoders,
		Made: m.made - m.before, Took: now.Sub(m.begun), Gap: max(m.gap, now.Sub(m.advanced)),
	}
	chunks, longest := slices.Clone(g.plan.Chunks), 1
	for _, c := range chunks {
		longest = max(longest, c.Segments)
	}
	if g.plan.Open {
		g.guess(&p, longest)
	}
	p.Sound = g.sound(p.Segments, now)
	// What is not planned, and what has no pictures, is made in chunks, too.
	for n := inChunks(chunks); n < len(p.Segments); n += longest {
		chunks = append(chunks, spool.Chunk{Number: len(chunks), FirstSegment: n, Segments: min(longest, len(p.Segments)-n)})
	}
	for _, c := range chunks {
		end := min(c.FirstSegment+c.Segments, len(p.Segments))
		left, underWay := g.left(c, p.Segments[min(c.FirstSegment, end):end])
		p.Made += underWay
		if slices.ContainsFunc(left.Left, func(d time.Duration) bool { return d > 0 }) {
			p.Chunks = append(p.Chunks, left)
		}
	}
	return p
}

// inChunks is how many segments are in chunks.
func inChunks(chunks []spool.Chunk) int {
	if len(chunks) == 0 {
		return 0
	}
	last := chunks[len(chunks)-1]
	return last.FirstSegment + last.Segments
}

// guess adds segments to an open plan: as many as the source says of itself
// that there will be, until it is shown wrong, and else some rounds of chunks.
func (g *growth) guess(p *Pace, chunk int) {
	told, laid := g.plan.Facts.Duration, g.played(len(p.Segments))
	if p.Endless = told <= g.meter.made+p.Target; p.Endless {
		told = laid + time.Duration(guessedRounds*chunk*max(1, p.Encoders))*p.Target
	}
	for told = min(told, laid+longestGuess); laid < told; laid += p.Target {
		p.Segments = append(p.Segments, min(p.Target, told-laid))
	}
}
