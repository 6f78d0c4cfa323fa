// Package schedule decides what runs: it keeps the ledger by what workers
// report, and hands ready jobs to workers that have a slot for them.
//
// What follows what is the pure function Next; what a report changes is the
// pure function Apply. The Scheduler is the loop around them.
//
// With Scheduler.Fleet there are many workers, on other machines, and the
// queue between may lose, double, reorder and delay what it carries. Nothing
// of that is trusted: the ledger compares and sets on state and epoch, and the
// rest is a matter of time, by this process's clock alone.
//
//   - A job that is sent is begun within Patience, or is sent again.
//   - Workers beat. One that is silent for Lease has lost its jobs, but only
//     while the scheduler hears its own pings through the queue: an engine that
//     is away is nobody's death. Leases begin anew when it is back, and when a
//     scheduler starts.
//   - Reports are committed in batches, several with one sync of the disk, then
//     answered. A worker keeps a report until then.
//   - A worker that is lost with a job puts that job under suspicion only when
//     no other worker is lost at about the same time; three such deaths, or
//     deaths of the encoder alone, and the video fails with the cause poison.
//   - Sources are fetched ahead of the encoders, but only as far as keeps those
//     at work.
//   - A source that lies on one worker's disk binds its video to that worker;
//     when it is lost, the source is fetched again elsewhere, and what is done
//     stays done. Chunks of one revision are made by encoders of one class.
package schedule

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/queue"
)

// Keys gives the content keys of segments from..to (exclusive) of an encrypted
// video's revision, making those that there are not.
type Keys interface {
	Content(ctx context.Context, v spool.Video, from, to int) (spool.ContentKeys, error)
}

// Scheduler hands out the jobs of one ledger. Its exported fields are set
// before New, and not changed after it.
type Scheduler struct {
	Ledger ledger.Ledger
	Queue  queue.Queue
	Keys   Keys
	Log    *slog.Logger
	// Changed is told of every video that changed, after the ledger has it.
	// It must not block.
	Changed func(spool.Video)
	// Reported is told of every report that counted. It must not block.
	Reported func(spool.Report)
	// Beat is told of every worker's progress. It must not block.
	Beat func(spool.Beat)
	// Soon is set when somebody waits for the first chunk of each video: it may
	// use slots that others could, at the price of a decode.
	Soon bool
	// Tick is how often the scheduler looks at the clock and at changes that
	// other processes made. Default 500 ms.
	Tick time.Duration
	// Patience is how long a job that was sent may take to start; how long a
	// worker may leave a job out of its beats that it should have, before the
	// job is taken for lost and handed out again; and how long a job of a
	// paused video runs before the pause is over. Default 10 s.
	Patience time.Duration
	// Clock shows the wall's time. Default time.Now.
	Clock func() time.Time

	// Inherits names the worker of this process, when one that had its name may
	// have died of what it was at, with all of its process: what is out at it
	// when Run begins is a loss as those of others. "": nobody is to blame.
	Inherits string

	// Fleet is set when workers live on after Run has returned, and a queue
	// lies between that may be away. What is out when Run begins is then not
	// taken back, but waited for; places and classes count; and a worker is
	// lost by its silence. The fields below are for fleets.
	Fleet bool
	// Version of the program, for the words to a worker that is refused.
	Version string
	// Destination is the identity of the store that is published to, as beats
	// state it (Beat.Reach). "": whoever works here reaches it.
	Destination string
	// Lease is how long a worker may be silent before its jobs are handed out
	// to others. Default 15 s. Silence counts only while the scheduler hears
	// its own messages.
	Lease time.Duration
	// Forsake is how long the only worker that has a source may be silent
	// before the source is fetched anew by another one. Default 1 min.
	Forsake time.Duration
	// Vanish is how long there may be no worker of the class that a video was
	// begun with, before it is begun anew by those that there are. Default
	// 10 min.
	Vanish time.Duration
	// Lost is told of every job that a worker had which fell silent. It must not
	// block.
	Lost func(spool.JobKey)
	// Away is told what is wrong when the queue cannot be used, and nil when
	// it can again. It must not block.
	Away func(error)

	// What follows belongs to Run's goroutine.
	members map[string]*member
	out     map[spool.JobKey]handed
	orders  *orders
	paused  map[string]time.Time       // videos, and since when
	have    map[spool.JobKey]held      // fetch jobs: which bytes were here when that was last looked at
	rests   map[spool.JobKey]time.Time // fetch jobs that rest for long, and until when by the clock
	line    turns
	echo    echo
	losses  losses
	classes map[string]time.Time    // when a worker of that class was last heard
	dead    map[spool.JobKey]bool   // jobs of former revisions that the ledger still has as out
	unheld  map[string]time.Time    // sources that their worker says it has not, and since when
	unbegun map[spool.JobKey]string // jobs that were sent in vain, and to whom the last time
	began   time.Time               // when all leases began
	checked time.Time               // when places and classes were last looked at
	changes int64
	clock   clock

	post   *post
	view   *view
	finish chan bool // true: end when all is done; false: end when nothing is out
	wake   chan struct{}
}

// handed is one job that is out.
type handed struct {
	worker  string
	epoch   int
	since   time.Time
	missing time.Time // since when its worker's beats do not name it, or zero
	begun   bool      // its worker said so
	named   bool      // the last beat of its worker names it
	stopped bool      // its worker was told to stop it, and is again as long as it names it
}

// New makes a scheduler that is ready to Run.
func New(s Scheduler) *Scheduler {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&s.Tick, 500 * time.Millisecond},
		{&s.Patience, 10 * time.Second},
		{&s.Lease, 15 * time.Second},
		{&s.Forsake, time.Minute},
		{&s.Vanish, 10 * time.Minute},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Clock == nil {
		s.Clock = time.Now
	}
	if s.Changed == nil {
		s.Changed = func(spool.Video) {}
	}
	if s.Reported == nil {
		s.Reported = func(spool.Report) {}
	}
	if s.Beat == nil {
		s.Beat = func(spool.Beat) {}
	}
	if s.Lost == nil {
		s.Lost = func(spool.JobKey) {}
	}
	if s.Away == nil {
		s.Away = func(error) {}
	}
	s.view = &view{drains: map[string]bool{}}
	s.finish, s.wake = make(chan bool, 2), make(chan struct{}, 1)
	return &s
}

// forget begins with nothing known.
func (s *Scheduler) forget() {
	now := time.Now()
	s.members, s.out = map[string]*member{}, map[spool.JobKey]handed{}
	s.paused, s.have, s.rests = map[string]time.Time{}, map[spool.JobKey]held{}, map[spool.JobKey]time.Time{}
	s.classes, s.unheld, s.losses = map[string]time.Time{}, map[string]time.Time{}, losses{suspects: map[spool.JobKey]int{}}
	s.orders, s.line = &orders{ledger: s.Ledger, keys: s.Keys}, turns{}
	s.echo = echo{topic: queue.PingTopic(rand.Text()), under: map[int]time.Time{}, away: false}
	s.dead, s.unbegun, s.began, s.checked = map[spool.JobKey]bool{}, map[spool.JobKey]string{}, now, now
	s.clock = newClock(s.Clock)
}

// Wake makes the scheduler look for ready jobs now: something was accepted.
func (s *Scheduler) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// FinishAll makes Run return once every video has ended.
func (s *Scheduler) FinishAll() { s.finish <- true }

// Drain makes Run hand out nothing more and return once nothing is out.
func (s *Scheduler) Drain() { s.finish <- false }

// Run schedules until ctx ends, or until FinishAll or Drain is fulfilled.
// Without a Fleet it begins by taking back what was out: the caller holds the
// destination's lock, so nobody else is at work. With one it waits for the
// beats of those that have it. After an error Run may be called again: what
// matters is in the ledger.
func (s *Scheduler) Run(ctx context.Context) error {
	s.forget()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.post = newPost(ctx, s.Queue)
	if err := s.recover(ctx); err != nil {
		cancel()
		s.post.wait()
		return err
	}
	in := inbox{make(chan received[spool.Report], gathered), make(chan received[spool.Beat], gathered), make(chan received[int])}
	var g errgroup.Group
	g.Go(func() error { return receive(ctx, s, queue.ReportTopic, in.reports) })
	g.Go(func() error { return receive(ctx, s, queue.BeatTopic, in.beats) })
	if s.Fleet {
		g.Go(func() error { return receive(ctx, s, s.echo.topic, in.pings) })
	}
	err := s.loop(ctx, in)
	cancel()
	if werr := g.Wait(); err == nil {
		err = werr
	}
	s.post.wait()
	return err
}

// gathered is how many reports are committed at once, at most.
const gathered = 256

// inbox is what comes to the scheduler.
type inbox struct {
	reports chan received[spool.Report]
	beats   chan received[spool.Beat]
	pings   chan received[int]
}

func (s *Scheduler) loop(ctx context.Context, in inbox) error {
	tick := time.NewTicker(s.Tick)
	defer tick.Stop()
	handing, finishing := true, false
	for {
		if handing {
			if err := s.handOut(ctx); err != nil {
				return quiet(ctx, err)
			}
		}
		ended, err := s.ended(ctx, handing, finishing)
		if err != nil || ended {
			return quiet(ctx, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case r := <-in.reports:
			err = s.reports(ctx, gather(r, in.reports))
		case b := <-in.beats:
			err = s.beat(ctx, b.body)
			s.settled(ctx, b.ack)
		case r := <-s.post.refused:
			err = s.take(ctx, gather(r, s.post.refused))
		case p := <-in.pings:
			s.heardPing(p.body)
			s.settled(ctx, p.ack)
		case all := <-s.finish:
			finishing = true
			handing = handing && all
		case <-tick.C:
			err = s.tick(ctx)
		case <-s.wake:
			err = s.stopEnded(ctx)
		}
		if err != nil {
			return quiet(ctx, err)
		}
	}
}

// settled acknowledges a message. One that comes again does no harm.
func (s *Scheduler) settled(ctx context.Context, ack func(context.Context) error) {
	if err := ack(ctx); err != nil {
		s.Log.DebugContext(ctx, "queue.unacknowledged", "error", err)
	}
}

// tick is what the clock alone brings about.
func (s *Scheduler) tick(ctx context.Context) error {
	if err := s.lookAround(ctx); err != nil {
		return err
	}
	look := s.count
	if s.Fleet {
		look = s.lookAfter
	}
	if err := look(ctx, time.Now()); err != nil {
		return err
	}
	s.stopIdle(time.Now())
	s.show()
	return nil
}

// quiet drops the error of a call that failed because ctx has ended: the
// caller wanted that.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// ended reports whether Run may return.
func (s *Scheduler) ended(ctx context.Context, handing, finishing bool) (bool, error) {
	if !finishing || len(s.out) > 0 {
		return false, nil
	}
	if !handing {
		return true, nil
	}
	open, err := s.Ledger.List(ctx, ledger.Filter{Statuses: []spool.Status{spool.Waiting, spool.Working, spool.Paused}, Limit: 1})
	if err != nil {
		return false, fmt.Errorf("list open videos: %w", err)
	}
	return len(open) == 0, nil
}

// lookAround notices what other processes did to the ledger: a video that was
// cancelled or removed has its jobs stopped.
func (s *Scheduler) lookAround(ctx context.Context) error {
	now, err := s.Ledger.Changes(ctx)
	if err != nil {
		return fmt.Errorf("look for changes: %w", err)
	}
	if now == s.changes {
		return nil
	}
	s.changes = now
	return s.stopEnded(ctx)
}

// stopEnded stops the jobs that are out for videos that have ended, are gone,
// or have moved to another revision.
func (s *Scheduler) stopEnded(ctx context.Context) error {
	current := map[string]string{} // video → revision that is being made, or ""
	for _, key := range s.outInOrder() {
		if _, known := current[key.Video]; !known {
			rec, err := s.Ledger.Get(ctx, key.Video)
			if err != nil && !isNotFound(err) {
				return fmt.Errorf("look up %s: %w", key.Video, err)
			}
			if current[key.Video] = rec.Video.Revision; rec.Video.Status.Ended() {
				current[key.Video] = ""
			}
		}
		if h := s.out[key]; current[key.Video] != key.Revision {
			s.stop(h.worker, key, h.epoch)
		}
	}
	return nil
}
