package schedule

import (
	"context"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// beat keeps a worker's sign of life and answers only what is wrong with it.
func (s *Scheduler) beat(ctx context.Context, b spool.Beat) error {
	s.beats[b.Worker] = b
	s.Beat(b)
	named := map[spool.JobKey]int{} // job → epoch
	for _, run := range b.Running {
		named[run.JobKey] = run.Epoch
		if h, ok := s.out[run.JobKey]; ok && h.epoch == run.Epoch {
			if err := s.heard(ctx, run); err != nil {
				return err
			}
			continue
		}
		if err := s.stop(ctx, b.Worker, run.JobKey, run.Epoch); err != nil {
			return err
		}
	}
	now := time.Now()
	for key, h := range s.out {
		if h.worker != b.Worker {
			continue
		}
		note := s.missed
		if named[key] == h.epoch {
			note = s.alive
		}
		if err := note(ctx, key, now); err != nil {
			return err
		}
	}
	return nil
}

// missed notes that a job is out, and its worker does not name it. For a
// moment that is so of every job that is sent or has just ended; after that
// a message was lost, and the job is taken back.
func (s *Scheduler) missed(ctx context.Context, key spool.JobKey, now time.Time) error {
	h := s.out[key]
	if h.missing.IsZero() {
		h.missing = now
		s.out[key] = h
	}
	if now.Sub(h.missing) < s.Patience {
		return nil
	}
	return s.report(ctx, spool.Report{JobKey: key, Epoch: h.epoch, Worker: h.worker, Outcome: spool.Returned})
}

// alive notes that a job runs. One that was begun after its video was paused,
// and has run for a while, shows that what it was paused for is over: a
// download says nothing of a destination that is away.
func (s *Scheduler) alive(ctx context.Context, key spool.JobKey, now time.Time) error {
	h := s.out[key]
	h.missing = time.Time{}
	s.out[key] = h
	since, paused := s.paused[key.Video]
	if !paused || h.since.Before(since) || now.Sub(h.since) < s.Patience {
		return nil
	}
	return s.update(ctx, key.Video, func(rec *ledger.Record) bool { return resume(rec, now) })
}
