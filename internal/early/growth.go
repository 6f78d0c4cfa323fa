package early

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/hls"
)

// growth is one revision while it is made.
type growth struct {
	revision  string
	published string // the revision that players have already, or ""
	plan      *spool.Plan
	key       *spool.ContentKey
	lists     []*list // in the order of writing

	looked  bool // for lists that an earlier run left
	off     bool // nothing is offered, or any more
	decided bool // lists are written
	offered bool // early.m3u8 is there
	shown   int  // segments that every list has
	ended   bool // the lists have all segments, and say so

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
}

func newGrowth(v spool.Video, p *spool.Plan, key *spool.ContentKey, now time.Time) *growth {
	return &growth{
		revision: v.Revision, published: v.Published, plan: p, key: key, lists: newLists(p),
		meter: meter{begun: now, advanced: now},
	}
}

// extend takes a plan that has grown.
func (g *growth) extend(p *spool.Plan) {
	if p.Grid.Segments() < g.plan.Grid.Segments() || p.Open && !g.plan.Open {
		return // told late
	}
	grown := *p
	grown.Grid.Target = g.plan.Grid.Target // players were told that it never changes
	g.plan = &grown
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
			if s.Rendition == l.rendition && l.add(g.revision, s) && g.whole(s.Number) {
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

// pace is what decides when to offer.
func (g *growth) pace(now time.Time) Pace {
	m := &g.meter
	p := Pace{
		Target: time.Duration(g.plan.Grid.Target) * time.Second,
		Ready:  g.played(m.ready), Made: m.made,
		Fresh: m.made - m.before, Took: now.Sub(m.begun), Gap: max(m.gap, now.Sub(m.advanced)), Usual: m.usual(),
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

// grow does what is due and says how long nothing will be.
func (s *show) grow(ctx context.Context, g *growth, now time.Time) (time.Duration, error) {
	if !g.looked {
		if err := s.look(ctx, g, now); err != nil {
			return 0, err
		}
		g.looked = true
	}
	g.advance(now) // the plan may have grown
	if g.off || g.ended || !g.decided && !s.decide(g, now) {
		return never, nil
	}
	n := g.next(now)
	end := !g.plan.Open && n == g.plan.Grid.Segments()
	if n > g.shown || end {
		if err := s.write(ctx, g, n, end); err != nil {
			return 0, err
		}
		g.tick(n, now)
	}
	if !g.offered && g.shown > 0 {
		if err := s.offer(ctx, g); err != nil {
			return 0, err
		}
	}
	return s.wait(g, now), nil
}

// decide says whether the lists begin, and else tells when they might.
func (s *show) decide(g *growth, now time.Time) bool {
	if g.meter.ready == 0 || s.keeper.Mode == Off {
		return false
	}
	if s.keeper.Mode == Soon {
		g.decided = true
		return true
	}
	wait := g.pace(now).Wait()
	if wait == 0 {
		g.decided = true
		return true
	}
	if wait > 0 && (g.noted.IsZero() || now.Sub(g.noted) >= noteEvery) {
		g.noted = now
		wait = roundUp(wait)
		s.tell(Note{Text: "can be watched in about " + about(wait), In: wait})
	}
	return false
}

// next is how many segments the lists should have now: enough to begin with as
// soon as they are there, and then one more whenever one is due.
func (g *growth) next(now time.Time) int {
	n := g.shown
	start := startTargets * time.Duration(g.plan.Grid.Target) * time.Second
	for n < g.meter.ready && g.played(n) < start {
		n++
	}
	if n == g.shown && n < g.meter.ready && !now.Before(g.due) {
		n++
	}
	return n
}

// tick notes that n segments are shown, and sets the time of the next. The
// clock that playback goes by is kept to, unless it was missed.
func (g *growth) tick(n int, now time.Time) {
	interval := g.played(n) - g.played(max(n-1, 0))
	target := time.Duration(g.plan.Grid.Target) * time.Second
	interval = min(interval, target)
	if n == g.shown+1 && !g.due.IsZero() && now.Sub(g.due) < target/4 && !now.Before(g.due) {
		g.due = g.due.Add(interval)
	} else {
		g.due = now.Add(interval)
	}
	g.shown, g.late = n, false
}

// wait is how long nothing is due. A list that has nothing to grow by is
// noticed when it is late.
func (s *show) wait(g *growth, now time.Time) time.Duration {
	if g.ended {
		return never
	}
	if g.meter.ready > g.shown {
		return max(0, g.due.Sub(now))
	}
	late := g.due.Add(time.Duration(g.plan.Grid.Target) * time.Second / 2)
	switch {
	case g.late:
		return never
	case now.Before(late):
		return late.Sub(now)
	}
	g.late = true
	s.tell(Note{Text: "who watches early has to wait: the next segment is not made yet"})
	return never
}

// write brings every list to n segments, and ends them when that is all.
func (s *show) write(ctx context.Context, g *growth, n int, end bool) error {
	if g.key != nil && s.keeper.Export != nil && g.shown == 0 {
		if err := s.keeper.Export(s.video, *g.key); err != nil {
			return fmt.Errorf("early lists of %s: %w", s.video, err)
		}
	}
	for _, l := range g.lists {
		if l.standing.Ended || len(l.standing.Segments) >= n && !end {
			continue
		}
		media, err := l.playlist(max(n, len(l.standing.Segments)), g.plan, g.key)
		if err != nil {
			return &unfitError{err}
		}
		media.Ended = end
		if err := s.putList(ctx, g.revision, l.rendition, media); err != nil {
			return fmt.Errorf("early lists of %s: %w", s.video, err)
		}
		l.standing = media
	}
	g.ended = end
	return nil
}

// offer puts early.m3u8.
func (s *show) offer(ctx context.Context, g *growth) error {
	var pictures, sounds []hls.Stream
	for _, l := range g.lists {
		if l.sound != nil {
			sounds = append(sounds, l.stream(g.revision, g.plan))
		} else {
			pictures = append(pictures, l.stream(g.revision, g.plan))
		}
	}
	text, err := hls.Offer(pictures, sounds).Encode()
	if err != nil {
		return &unfitError{err}
	}
	if err := s.put(ctx, Name, text, growing); err != nil {
		return fmt.Errorf("offer %s early: %w", s.video, err)
	}
	g.offered = true
	s.tell(Note{Text: "can be watched while it is made", URL: s.url()})
	return nil
}

func (s shelf) url() string { return s.store.Properties().Address + "/" + path.Join(s.video, Name) }

// look finds what an earlier run left.
func (s *show) look(ctx context.Context, g *growth, now time.Time) error {
	leads, err := s.leads(ctx)
	if errors.Is(err, errStranger) {
		g.off = true
		s.tell(Note{Text: "cannot be watched early: " + errStranger.Error()})
		return nil
	}
	if err != nil {
		return err
	}
	if leads != "" && leads != g.revision && leads != g.published {
		if _, err := s.withdraw(ctx, leads); err != nil {
			return err
		}
	}
	found, err := s.lists(ctx, g.revision)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		g.offered = leads == g.revision
		return g.adopt(found, now)
	}
	there, err := s.published(ctx)
	g.off = there || g.published != "" // players have the video, and early lists are for those who do not
	return err
}

// adopt goes on with the lists of an earlier run.
func (g *growth) adopt(found map[string]hls.Media, now time.Time) error {
	ended, whole, shown := 0, 0, -1
	for _, m := range found {
		if m.Ended {
			ended++
		}
		if m.Ended && !g.plan.Open && len(m.Segments) == g.plan.Grid.Segments() {
			whole++
		}
	}
	if ended == len(found) && ended == len(g.lists) {
		g.off, g.decided = true, true
		return nil
	}
	if ended > whole {
		return &unfitError{errors.New("its lists had ended already")}
	}
	for _, l := range g.lists {
		m, ok := found[l.rendition]
		if !ok {
			shown = 0
			continue
		}
		if err := l.adopt(m, g.plan.Grid.Target); err != nil {
			return err
		}
		if n := len(m.Segments); shown < 0 || n < shown {
			shown = n
		}
	}
	g.shown, g.decided, g.due = shown, true, now
	return nil
}
