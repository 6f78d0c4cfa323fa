package schedule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/queue"
)

var errUnchanged = errors.New("nothing to change")

func isNotFound(err error) bool { return errors.Is(err, ledger.ErrNotFound) }

// kinds in the order in which free slots are filled: what ends a video first,
// then what feeds the others.
var kinds = []spool.Kind{spool.Finish, spool.Texts, spool.Audio, spool.Encode, spool.Draft, spool.Fetch}

// handOut gives ready jobs to workers that have room for them.
func (s *Scheduler) handOut(ctx context.Context) error {
	for _, kind := range kinds {
		for worker, free := range s.room(kind) {
			if err := s.fill(ctx, worker, kind, free); err != nil {
				return err
			}
		}
	}
	return nil
}

// room is how many more jobs of a kind each worker would take: what its last
// beat said, less what was sent since and is not in that beat.
func (s *Scheduler) room(kind spool.Kind) map[string]int {
	room := map[string]int{}
	for name, b := range s.beats {
		if b.Free[kind] > 0 {
			room[name] = b.Free[kind]
		}
	}
	for key, h := range s.out {
		if key.Kind == kind && !running(s.beats[h.worker], key) {
			room[h.worker]--
		}
	}
	for name, n := range room {
		if n <= 0 {
			delete(room, name)
		}
	}
	return room
}

func running(b spool.Beat, key spool.JobKey) bool {
	for _, r := range b.Running {
		if r.JobKey == key {
			return true
		}
	}
	return false
}

// fill hands out what is ready.
func (s *Scheduler) fill(ctx context.Context, worker string, kind spool.Kind, free int) error {
	ready, err := s.Ledger.Ready(ctx, ledger.Ask{Kind: kind, Now: time.Now(), Limit: free})
	if err != nil {
		return fmt.Errorf("list ready %s jobs: %w", kind, err)
	}
	for i, j := range ready {
		if err := s.handTo(ctx, worker, j.JobKey, s.spare(i, j.Number, free-len(ready))); err != nil {
			return err
		}
	}
	return nil
}

// allSlots is more than any worker has.
const allSlots = 1 << 10

// spare is how many slots more than its own the job with a number may use,
// which is the i-th of those that are handed out. Those that are left over are
// the first one's when nothing is coming that could use them better.
func (s *Scheduler) spare(i, number, left int) int {
	switch {
	case s.Soon && number == 0:
		return allSlots // who waits to watch waits for this one
	case i == 0 && !s.coming():
		return left
	}
	return 0
}

// coming reports whether sources are being fetched or planned.
func (s *Scheduler) coming() bool {
	for key := range s.out {
		if key.Kind == spool.Fetch || key.Kind == spool.Draft {
			return true
		}
	}
	return false
}

// handTo marks a job as sent, then sends it. A crash between the two leaves a
// job that is marked and not out; the next start takes it back.
func (s *Scheduler) handTo(ctx context.Context, worker string, key spool.JobKey, spare int) error {
	var job *spool.Job
	now := time.Now()
	err := s.update(ctx, key.Video, func(rec *ledger.Record) bool {
		j := rec.Job(key.Kind, key.Number)
		if j == nil || j.Revision != key.Revision || j.State != spool.JobReady || rec.Video.Status.Ended() {
			return false
		}
		j.State, j.Worker, j.Epoch = spool.JobSent, worker, j.Epoch+1
		rec.Video.Changed = now
		settle(rec)
		job = order(rec.Video, j.JobRecord)
		return true
	})
	if err != nil || job == nil {
		return err
	}
	if key.Kind == spool.Encode {
		job.Spare = spare
	}
	s.out[key] = handed{worker: worker, epoch: job.Epoch, since: time.Now()}
	if err := s.orders.complete(ctx, job); err != nil {
		return s.report(ctx, brokenOrder(worker, job, err))
	}
	return s.send(ctx, worker, queue.Message{Job: job})
}

func brokenOrder(worker string, job *spool.Job, err error) spool.Report {
	e := spool.AsError(err)
	return spool.Report{
		JobKey: job.JobKey, Epoch: job.Epoch, Worker: worker, Outcome: spool.Broke,
		Failure: &spool.Failure{Class: e.Class, Code: e.Code, Reason: e.Error(), Hint: e.Hint},
	}
}
