// Package schedule decides what runs: it keeps the ledger by what workers
// report, and hands ready jobs to workers that have a slot for them.
//
// What follows what is the pure function Next; what a report changes is the
// pure function Apply. The Scheduler is the loop around them.
package schedule

import (
	"context"
	"encoding/json"
	"errors"
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
// before Run.
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
	// Patience is how long a worker may leave a job out of its beats that it
	// should have, before the job is taken for lost and handed out again; and
	// how long a job of a paused video runs before the pause is over. Default
	// 10 s.
	Patience time.Duration

	// What follows belongs to Run's goroutine.
	beats   map[string]spool.Beat
	out     map[spool.JobKey]handed
	orders  *orders
	paused  map[string]time.Time  // videos, and since when
	have    map[spool.JobKey]held // fetch jobs: which bytes were here when that was last looked at
	changes int64

	finish chan bool // true: end when all is done; false: end when nothing is out
	wake   chan struct{}
}

// handed is one job that is out.
type handed struct {
	worker  string
	epoch   int
	since   time.Time
	missing time.Time // since when its worker's beats do not name it, or zero
}

// New makes a scheduler that is ready to Run.
func New(s Scheduler) *Scheduler {
	if s.Tick == 0 {
		s.Tick = 500 * time.Millisecond
	}
	if s.Patience == 0 {
		s.Patience = 10 * time.Second
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
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
	s.beats, s.out = map[string]spool.Beat{}, map[spool.JobKey]handed{}
	s.paused, s.have = map[string]time.Time{}, map[spool.JobKey]held{}
	s.orders = &orders{ledger: s.Ledger, keys: s.Keys}
	s.finish, s.wake = make(chan bool, 2), make(chan struct{}, 1)
	return &s
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

// Run schedules until ctx ends, or until FinishAll or Drain is fulfilled. It
// begins by taking back what was out: the caller holds the destination's lock,
// so nobody else is at work.
func (s *Scheduler) Run(ctx context.Context) error {
	if err := s.recover(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reports, beats := make(chan received[spool.Report]), make(chan received[spool.Beat])
	var g errgroup.Group
	g.Go(func() error { return receive(ctx, s.Queue, queue.ReportTopic, reports) })
	g.Go(func() error { return receive(ctx, s.Queue, queue.BeatTopic, beats) })
	err := s.loop(ctx, reports, beats)
	cancel()
	if werr := g.Wait(); err == nil {
		err = werr
	}
	return err
}

func (s *Scheduler) loop(ctx context.Context, reports <-chan received[spool.Report], beats <-chan received[spool.Beat]) error {
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
		case r := <-reports:
			err = errors.Join(s.report(ctx, r.body), r.ack(ctx))
		case b := <-beats:
			err = errors.Join(s.beat(ctx, b.body), b.ack(ctx))
		case all := <-s.finish:
			finishing = true
			handing = handing && all
		case <-tick.C:
			err = s.lookAround(ctx)
		case <-s.wake:
		}
		if err != nil {
			return quiet(ctx, err)
		}
	}
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
	open, err := s.Ledger.List(ctx, ledger.Filter{Statuses: []spool.Status{spool.Waiting, spool.Working, spool.Paused}})
	if err != nil {
		return false, fmt.Errorf("list open videos: %w", err)
	}
	return len(open) == 0, nil
}

// recover takes back every job that is marked as out.
func (s *Scheduler) recover(ctx context.Context) error {
	out, err := s.Ledger.Out(ctx)
	if err != nil {
		return fmt.Errorf("list jobs that are out: %w", err)
	}
	seen := map[string]bool{}
	for _, j := range out {
		if seen[j.Video] {
			continue
		}
		seen[j.Video] = true
		if err := s.update(ctx, j.Video, func(r *ledger.Record) bool { Recover(r); return true }); err != nil {
			return err
		}
	}
	s.changes, err = s.Ledger.Changes(ctx)
	return err
}

// report brings a worker's word into the ledger. Its message is acknowledged
// after that, so that a report is not lost between the two.
func (s *Scheduler) report(ctx context.Context, r spool.Report) error {
	if r.Outcome != spool.Started && r.Outcome != spool.Arrived {
		if h, ok := s.out[r.JobKey]; ok && h.epoch == r.Epoch {
			delete(s.out, r.JobKey)
		}
		// Whatever waits for bytes again is looked at with the next beat.
		delete(s.have, spool.JobKey{Video: r.Video, Revision: r.Revision, Kind: spool.Fetch})
	}
	var revision string
	counted := false
	err := s.update(ctx, r.Video, func(rec *ledger.Record) bool {
		counted = Apply(rec, r, time.Now())
		revision = rec.Video.Revision
		return counted
	})
	s.log(ctx, r)
	if err != nil {
		return err
	}
	if counted && r.Result != nil && (r.Kind == spool.Fetch || r.Kind == spool.Draft) {
		s.orders.forget(r.JobKey)
		delete(s.have, spool.JobKey{Video: r.Video, Revision: r.Revision, Kind: spool.Fetch})
	}
	if counted || r.Outcome == spool.Arrived && revision == r.Revision {
		s.Reported(r)
	}
	if r.Outcome == spool.Broke || revision != r.Revision {
		return s.stopEnded(ctx)
	}
	return nil
}

func (s *Scheduler) log(ctx context.Context, r spool.Report) {
	level, attrs := slog.LevelDebug, []any{"video", r.Video, "stage", string(r.Kind), "chunk", r.Number, "attempt", r.Epoch, "took", r.Took}
	if r.Failure != nil {
		level, attrs = slog.LevelWarn, append(attrs, "code", r.Failure.Code, "reason", r.Failure.Reason)
	}
	s.Log.Log(ctx, level, "job "+string(r.Outcome), attrs...)
}

func (s *Scheduler) stop(ctx context.Context, worker string, key spool.JobKey, epoch int) error {
	return s.send(ctx, worker, queue.Message{Stop: &spool.Stop{JobKey: key, Epoch: epoch}})
}

func (s *Scheduler) send(ctx context.Context, worker string, m queue.Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode message for %s: %w", worker, err)
	}
	if err := s.Queue.Send(ctx, queue.WorkTopic(worker), body); err != nil {
		return fmt.Errorf("send to worker %s: %w", worker, err)
	}
	return nil
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
	for key, h := range s.out {
		rec, err := s.Ledger.Get(ctx, key.Video)
		gone := isNotFound(err)
		if err != nil && !gone {
			return fmt.Errorf("look up %s: %w", key.Video, err)
		}
		if !gone && !rec.Video.Status.Ended() && rec.Video.Revision == key.Revision {
			continue
		}
		if err := s.stop(ctx, h.worker, key, h.epoch); err != nil {
			return err
		}
	}
	return nil
}

// update changes a record and tells of it. A video that is gone is no error:
// somebody removed it while its report was under way.
func (s *Scheduler) update(ctx context.Context, id string, change func(*ledger.Record) bool) error {
	var after spool.Video
	changed := false
	err := s.Ledger.Update(ctx, id, func(r *ledger.Record) error {
		changed = change(r)
		after = r.Video
		if !changed {
			return errUnchanged
		}
		return nil
	})
	switch {
	case isNotFound(err) || !changed:
		return nil
	case err != nil:
		return fmt.Errorf("update %s: %w", id, err)
	}
	if after.Status != spool.Paused {
		delete(s.paused, id)
	} else if _, known := s.paused[id]; !known {
		s.paused[id] = time.Now()
	}
	s.Changed(after)
	return nil
}

// received is a message with its acknowledgement, which follows the commit.
type received[T any] struct {
	body T
	ack  func(context.Context) error
}

// receive decodes the messages of a topic into a channel until ctx ends. A
// message that cannot be read is dropped: the ledger still has its job as out.
func receive[T any](ctx context.Context, q queue.Queue, topic string, to chan<- received[T]) error {
	for {
		d, err := q.Receive(ctx, topic)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("receive %s: %w", topic, err)
		}
		m := received[T]{ack: d.Ack}
		if json.Unmarshal(d.Body, &m.body) != nil {
			if err := d.Ack(ctx); err != nil {
				return fmt.Errorf("drop unreadable %s: %w", topic, err)
			}
			continue
		}
		select {
		case to <- m:
		case <-ctx.Done():
			return nil
		}
	}
}
