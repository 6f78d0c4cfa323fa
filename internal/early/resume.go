package early

import (
	"context"
	"errors"
	"time"

	"github.com/spool-video/spool/internal/hls"
)

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
