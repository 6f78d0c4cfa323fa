package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// lose takes back what a worker has, or had before it began anew.
func (s *Scheduler) lose(ctx context.Context, m *member, now time.Time) error {
	var theirs, again []spool.JobKey
	for _, key := range s.outAt(m.name) {
		s.Lost(key)
		s.losses.suspects[key]++
		if s.losses.suspects[key] > 1 {
			again = append(again, key)
		} else {
			theirs = append(theirs, key)
		}
	}
	s.losses.add(m, append(slices.Clone(theirs), again...), s.out, now)
	s.Log.WarnContext(ctx, "worker.lost", "worker", m.name, "jobs", len(theirs)+len(again))
	if err := s.takeBack(ctx, 0, theirs...); err != nil {
		return err
	}
	// What two workers were lost with rests, so that the third loss, if it
	// comes, comes alone and can be told from a power cut; and one job longer
	// than another, so that each comes without those that it was lost with.
	for i, key := range again {
		if err := s.takeBack(ctx, time.Duration(min(i, mostRests)+1)*(alone+s.Lease), key); err != nil {
			return err
		}
	}
	return nil
}

// mostRests bounds how long a job rests that others were lost with.
const mostRests = 7

// losses are the workers that were lost of late, and with which jobs.
type losses struct {
	late     []loss
	suspects map[spool.JobKey]int // how many workers were lost with a job
}

// loss is one worker that was lost.
type loss struct {
	worker, session string
	at              time.Time
	jobs            map[spool.JobKey]int // what it was at, with the epochs
	counted         bool
}

// alone is how far apart the losses of two workers are that have nothing to do
// with one another.
const alone = time.Minute

// add notes that a worker was lost with these jobs. Those that were only sent
// are among them: who dies at once says nothing any more.
func (l *losses) add(m *member, keys []spool.JobKey, out map[spool.JobKey]handed, now time.Time) {
	lost := loss{worker: m.name, session: m.beat.Session, at: now, jobs: map[spool.JobKey]int{}}
	for _, key := range keys {
		lost.jobs[key] = out[key].epoch
	}
	l.late = append(l.late, lost)
}

// count counts the losses that turned out to be the only ones in their minute
// as deaths of the jobs that the worker was at.
func (s *Scheduler) count(ctx context.Context, now time.Time) error {
	l := &s.losses
	for i := range l.late {
		lost := &l.late[i]
		if lost.counted || now.Sub(lost.at) < alone {
			continue
		}
		lost.counted = true
		together := slices.ContainsFunc(l.late, func(other loss) bool {
			return (other.worker != lost.worker || other.session != lost.session) && lost.at.Sub(other.at).Abs() < alone
		})
		if together {
			continue
		}
		if err := s.blame(ctx, *lost, now); err != nil {
			return err
		}
	}
	l.late = slices.DeleteFunc(l.late, func(old loss) bool { return now.Sub(old.at) > 2*alone })
	return nil
}

// blame counts the loss of a worker against the jobs that it was at.
func (s *Scheduler) blame(ctx context.Context, lost loss, now time.Time) error {
	session := lost.session
	if session == "" {
		session = lost.worker
	}
	var changes []ledger.Change
	for key := range lost.jobs {
		changes = append(changes, ledger.Change{ID: key.Video, Do: func(rec *ledger.Record) error {
			if rec.Video.Revision != key.Revision || !died(rec, key, session, now) {
				return errUnchanged
			}
			return nil
		}})
	}
	if len(changes) == 0 {
		return nil
	}
	refused, err := s.Ledger.UpdateAll(ctx, changes)
	if err != nil {
		return fmt.Errorf("count the loss of %s: %w", lost.worker, err)
	}
	for i, err := range refused {
		switch {
		case err == nil:
			rec, err := s.Ledger.Get(ctx, changes[i].ID)
			if err != nil {
				return fmt.Errorf("look up %s: %w", changes[i].ID, err)
			}
			s.tell(rec.Video)
		case !isNotFound(err) && !errors.Is(err, errUnchanged):
			return fmt.Errorf("count the loss of %s: %w", lost.worker, err)
		}
	}
	return s.stopEnded(ctx)
}

// died counts the loss of a worker's session against a job, once. The third
// death fails its video.
func died(rec *ledger.Record, key spool.JobKey, session string, now time.Time) bool {
	j := rec.Job(key.Kind, key.Number)
	if j == nil || j.State == spool.JobDone || rec.Video.Status.Ended() || slices.Contains(j.Lost, session) {
		return false
	}
	j.Lost = append(slices.Clone(j.Lost), session)
	j.Deaths++
	rec.Video.Changed = now
	if j.Deaths >= maxDeaths {
		fail(rec, j, poison(j, "workers that were at it were lost"))
	}
	return true
}
