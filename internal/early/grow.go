package early

import (
	"context"
	"fmt"
	"path"
	"time"

	"github.com/spool-video/spool/internal/hls"
)

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
	return s.wait(g, time.Now()), nil
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
	pace := g.pace(now)
	wait := pace.Wait()
	if wait == 0 {
		g.decided = true
		return true
	}
	s.estimate(g, pace, wait, now)
	return false
}

// fewMade is how many segments are too few to guess by: what the encoders have
// half done is most of it.
const fewMade = 3

// estimate tells when the lists might begin.
func (s *show) estimate(g *growth, pace Pace, wait time.Duration, now time.Time) {
	switch {
	case g.meter.count < fewMade:
	case wait > 0 && (g.noted.IsZero() || now.Sub(g.noted) >= noteEvery):
		g.noted = now
		wait = roundUp(wait)
		s.tell(Note{Text: "can be watched in about " + about(wait), In: wait})
	case wait < 0 && g.noted.IsZero() && g.played(pace.Ready) >= startTargets*pace.Target:
		g.noted = now
		s.tell(Note{Text: "is made more slowly than it plays, and its length is not known: it can be watched when it is ready"})
	}
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

// export puts the keys of the first n segments where players get them.
func (s *show) export(g *growth, n int) error {
	if s.keeper.Export == nil {
		return nil
	}
	for ; g.exported < len(g.keys) && g.keys[g.exported].First < n; g.exported++ {
		if err := s.keeper.Export(s.video, g.keys[g.exported]); err != nil {
			return err
		}
	}
	return nil
}

// write brings every list to n segments, and ends them when that is all.
func (s *show) write(ctx context.Context, g *growth, n int, end bool) error {
	if err := s.export(g, n); err != nil {
		return fmt.Errorf("early lists of %s: %w", s.video, err)
	}
	for _, l := range g.lists {
		if l.standing.Ended || len(l.standing.Segments) >= n && !end {
			continue
		}
		media, err := l.playlist(max(n, len(l.standing.Segments)), g.plan, g.keys)
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
	master := hls.Offer(pictures, sounds)
	master.Version = hls.VersionOf(g.lists[0].init.Name)
	if len(g.keys) > 0 {
		master.NameKey(g.keys[0].URI)
	}
	text, err := master.Encode()
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
