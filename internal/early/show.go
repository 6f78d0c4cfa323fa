package early

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spool-video/spool"
)

const (
	firstRest = time.Second      // before the store is tried again
	longRest  = 15 * time.Second // the longest of these
	lastGrace = 30 * time.Second // for ending lists when Run ends
	never     = time.Duration(-1)
)

// show is one video as far as it can be watched early. All but inbox belongs
// to the goroutine of run.
type show struct {
	keeper *Keeper
	shelf
	wake  chan struct{}
	inbox []func(*show) // owned by keeper.mu

	growth   *growth  // the revision that is being made, or nil
	endings  []ending // lists that must end before anything else
	failures int      // of the store, in a row
	rest     time.Time
}

// ending is what must be done for a revision that grows no more.
type ending struct {
	revision string
	ready    bool   // the lists get all that is left; else they end as they are
	why      string // for a person, when not ready
}

// run does what is due until nothing is left to do or ctx ends.
func (s *show) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if ctx.Err() != nil {
			s.last(ctx)
			return
		}
		wait := s.step(ctx)
		if s.growth == nil && len(s.endings) == 0 && s.keeper.leave(s) {
			return
		}
		timer.Stop()
		if wait >= 0 {
			timer.Reset(wait)
		}
		select {
		case <-s.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// last ends the lists of what has ended, and leaves the others as they are.
func (s *show) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastGrace)
	defer cancel()
	s.hear()
	for len(s.endings) > 0 && ctx.Err() == nil {
		if s.end(ctx) != nil {
			return // the next run is told of the video, too
		}
	}
}

func (s *show) hear() {
	for _, event := range s.keeper.inbox(s) {
		event(s)
	}
}

// step does everything that is due now, and says how long nothing will be.
func (s *show) step(ctx context.Context) time.Duration {
	s.hear()
	now := time.Now()
	if wait := s.rest.Sub(now); wait > 0 {
		return wait
	}
	wait, err := s.work(ctx, now)
	switch {
	case ctx.Err() != nil:
		return never
	case err == nil:
		s.failures, s.rest = 0, time.Time{}
		return wait
	}
	s.failures++
	if s.failures == 2 { // once may be chance
		s.tell(Note{Text: "the early lists wait for the destination: " + spool.AsError(err).Reason})
	}
	pause := min(firstRest<<min(s.failures-1, 10), longRest)
	s.rest = now.Add(pause)
	return pause
}

func (s *show) work(ctx context.Context, now time.Time) (time.Duration, error) {
	for len(s.endings) > 0 {
		if err := s.end(ctx); err != nil {
			return 0, err
		}
	}
	if s.growth == nil {
		return never, nil
	}
	wait, err := s.grow(ctx, s.growth, now)
	var unfit *unfitError
	if errors.As(err, &unfit) {
		s.growth.looked, s.growth.off = true, true
		s.endings = append(s.endings, ending{revision: s.growth.revision, why: unfit.Error()})
		return 0, s.end(ctx)
	}
	return wait, err
}

// end does the first of the endings.
func (s *show) end(ctx context.Context) error {
	e := s.endings[0]
	there, err := false, error(nil)
	if e.ready {
		err = s.complete(ctx, e.revision)
	} else {
		there, err = s.withdraw(ctx, e.revision)
	}
	var unfit *unfitError
	if err != nil && !errors.As(err, &unfit) {
		return fmt.Errorf("end early lists of %s: %w", s.video, err)
	}
	s.endings = s.endings[1:]
	switch {
	case unfit != nil:
		s.tell(Note{Text: "its early lists could not be ended: " + unfit.Error()})
	case there:
		s.tell(Note{Text: "can no longer be watched early: " + e.why + "; who watches sees what is there to its end"})
	}
	return nil
}

func (s *show) tell(n Note) { s.keeper.say(s.video, n) }

// planned is the event of that name.
func (s *show) planned(v spool.Video, p *spool.Plan, keys spool.ContentKeys, had []spool.Made, now time.Time) {
	if v.Status.Ended() {
		return
	}
	if g := s.growth; g != nil && g.revision == v.Revision {
		g.extend(p, keys)
		return
	}
	s.replaced(v.Revision)
	s.growth = newGrowth(v, p, keys, now)
	for _, m := range had {
		s.growth.add(m, now)
	}
	s.growth.measureFrom(now)
}

// made is the event of that name.
func (s *show) made(revision string, m spool.Made, now time.Time) {
	if s.growth != nil && s.growth.revision == revision {
		s.growth.add(m, now)
	}
}

// encoding is the event of that name.
func (s *show) encoding(revision, worker string, frames map[int]int, now time.Time) {
	if s.growth != nil && s.growth.revision == revision {
		s.growth.meter.reads(worker, frames, now)
	}
}

// changed is the event of that name.
func (s *show) changed(v spool.Video) {
	switch v.Status {
	case spool.Ready:
		s.over(ending{revision: v.Published, ready: true})
	case spool.Failed:
		s.over(ending{revision: v.Revision, why: "the video failed"})
	case spool.Cancelled:
		s.over(ending{revision: v.Revision, why: "the video was cancelled"})
	case spool.Waiting, spool.Working, spool.Paused:
		s.replaced(v.Revision)
	}
}

// over: the video has ended.
func (s *show) over(e ending) {
	g := s.growth
	if g != nil && g.revision != e.revision {
		s.replaced(e.revision)
	}
	s.growth = nil
	if g != nil && g.revision == e.revision && g.looked && !g.decided {
		return // there are no lists
	}
	s.endings = append(s.endings, e)
}

// replaced: the revision is made from now on, and no other.
func (s *show) replaced(revision string) {
	if g := s.growth; g != nil && g.revision != revision {
		s.endings = append(s.endings, ending{revision: g.revision, why: "it is made anew"})
		s.growth = nil
	}
}
