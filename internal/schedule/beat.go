package schedule

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/queue"
)

// member is a worker as its beats have it.
type member struct {
	name    string
	beat    spool.Beat
	heard   time.Time            // its last beat, or when all leases began anew
	said    time.Time            // its last beat
	lost    bool                 // its jobs were given to others
	refused string               // why it gets none
	former  map[string]time.Time // its sessions that have ended, and when that was seen
}

// member finds a worker, or makes one whose lease begins now.
func (s *Scheduler) member(name string) *member {
	m := s.members[name]
	if m == nil {
		m = &member{name: name, heard: time.Now(), former: map[string]time.Time{}}
		s.members[name] = m
	}
	return m
}

// beat keeps a worker's sign of life and answers only what is wrong with it.
func (s *Scheduler) beat(ctx context.Context, b spool.Beat) error {
	now := time.Now()
	m := s.member(b.Worker)
	if !s.admit(m, b, now) {
		return nil
	}
	if m.beat.Session != "" && m.beat.Session != b.Session {
		m.former[m.beat.Session] = now
		if err := s.lose(ctx, m, now); err != nil {
			return err
		}
	}
	m.beat, m.heard, m.said, m.lost = b, now, now, false
	s.classes[b.Class] = now
	s.Beat(b)
	if err := s.named(ctx, b); err != nil {
		return err
	}
	for _, key := range s.outAt(b.Worker) {
		if s.out[key].named {
			if err := s.alive(ctx, key, far(b, key), now); err != nil {
				return err
			}
		} else if err := s.missed(ctx, key, now); err != nil {
			return err
		}
	}
	if s.view.drained(b.Worker) && !b.Draining {
		s.send(b.Worker, queue.Message{Drain: true})
	}
	return nil
}

// admit reports whether a beat is one to go by: not of another protocol, not an
// old one that comes late, and not of two workers that have one name.
func (s *Scheduler) admit(m *member, b spool.Beat, now time.Time) bool {
	refuse := func(code, reason, hint string) bool {
		m.refused = reason
		s.send(b.Worker, queue.Message{Refused: &spool.Refused{Session: b.Session, Code: code, Reason: reason, Hint: hint}})
		return false
	}
	if s.Fleet && b.Protocol != spool.Protocol {
		return refuse("version-mismatch", fmt.Sprintf("the worker %s is Spool %s (protocol %d), the scheduler is Spool %s (protocol %d)",
			b.Worker, b.Version, b.Protocol, s.Version, spool.Protocol), "run the same version of Spool on both")
	}
	if since, former := m.former[b.Session]; former && b.Session != "" {
		if now.Sub(since) > s.Lease {
			return refuse("worker-name-taken", fmt.Sprintf("another worker is called %s", b.Worker), "give each worker a name of its own")
		}
		return false
	}
	m.refused = ""
	return b.Session != m.beat.Session || b.Serial == 0 || b.Serial > m.beat.Serial
}

// named goes through the jobs that a worker says it has. What is not its own
// is stopped.
func (s *Scheduler) named(ctx context.Context, b spool.Beat) error {
	for key, h := range s.out {
		if h.worker == b.Worker && h.named {
			h.named = false
			s.out[key] = h
		}
	}
	for _, run := range b.Running {
		h, out := s.out[run.JobKey]
		if s.Fleet && !run.Over && (!out || h.epoch < run.Epoch || h.worker != b.Worker) {
			var err error
			if h, out, err = s.adopt(ctx, b.Worker, run); err != nil {
				return err
			}
		}
		switch {
		case out && h.epoch == run.Epoch && h.worker == b.Worker:
			h.named, h.begun = true, true
			s.out[run.JobKey] = h
			if h.stopped && !run.Over { // the word was lost, or is under way
				s.stop(b.Worker, run.JobKey, run.Epoch)
			}
			if err := s.heard(ctx, run); err != nil {
				return err
			}
		case !run.Over: // else its report is under way
			s.stop(b.Worker, run.JobKey, run.Epoch)
		}
	}
	return nil
}

// adopt asks the ledger for a job that a worker has and nobody here knows of:
// another scheduler may have handed it out.
func (s *Scheduler) adopt(ctx context.Context, worker string, run spool.Running) (handed, bool, error) {
	rec, err := s.Ledger.Get(ctx, run.Video)
	if isNotFound(err) {
		return handed{}, false, nil
	}
	if err != nil {
		return handed{}, false, fmt.Errorf("look up %s: %w", run.Video, err)
	}
	j := rec.Job(run.Kind, run.Number)
	theirs := j != nil && j.Revision == run.Revision && j.Epoch == run.Epoch && j.Worker == worker &&
		(j.State == spool.JobSent || j.State == spool.JobRunning) && !rec.Video.Status.Ended()
	return handed{worker: worker, epoch: run.Epoch, since: time.Now()}, theirs, nil
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
	return s.takeBack(ctx, 0, key)
}

// takeBack makes jobs ready again that are out.
func (s *Scheduler) takeBack(ctx context.Context, after time.Duration, keys ...spool.JobKey) error {
	if len(keys) == 0 {
		return nil
	}
	words := make([]spool.Report, len(keys))
	for i, key := range keys {
		h := s.out[key]
		words[i] = spool.Report{JobKey: key, Epoch: h.epoch, Worker: h.worker, Outcome: spool.Returned, After: after}
	}
	return s.take(ctx, words)
}

// alive notes that a job runs. One that was begun after its video was paused,
// and has run for a while, shows that what it was paused for is over: a
// download says nothing of a destination that is away. A fetch may wait for a
// name server for that long; it shows it by bytes that come.
func (s *Scheduler) alive(ctx context.Context, key spool.JobKey, got int64, now time.Time) error {
	h := s.out[key]
	h.missing = time.Time{}
	s.out[key] = h
	since, paused := s.paused[key.Video]
	if !paused || h.since.Before(since) || now.Sub(h.since) < s.Patience {
		return nil
	}
	return s.update(ctx, key.Video, func(rec *ledger.Record) bool { return !vainly(rec, key, got) && resume(rec, now) })
}

// far is how much a job has done, as a beat has it.
func far(b spool.Beat, key spool.JobKey) int64 {
	for _, run := range b.Running {
		if run.JobKey == key {
			return run.Progress.Done
		}
	}
	return 0
}

// vainly reports whether a job is a fetch that waited for the environment, and
// has got no byte since.
func vainly(rec *ledger.Record, key spool.JobKey, got int64) bool {
	j := rec.Job(key.Kind, key.Number)
	if j == nil || j.Kind != spool.Fetch || j.Failure == nil || j.Failure.Class != spool.Environment {
		return false
	}
	return got == 0 || got == j.Failure.Had
}

// outInOrder are the jobs that are out, in an order that is always the same.
func (s *Scheduler) outInOrder() []spool.JobKey {
	keys := make([]spool.JobKey, 0, len(s.out))
	for key := range s.out {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, compareKeys)
	return keys
}

func compareKeys(a, b spool.JobKey) int {
	return cmp.Or(strings.Compare(a.Video, b.Video), strings.Compare(a.Revision, b.Revision), strings.Compare(string(a.Kind), string(b.Kind)), cmp.Compare(a.Number, b.Number))
}
