package schedule

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// lookAfter is what time alone does to a fleet: leases end, deaths are counted,
// and what waits for those who are gone is given to others.
func (s *Scheduler) lookAfter(ctx context.Context, now time.Time) error {
	s.ping(now)
	if !s.listen(now) {
		return nil // whoever is silent may only be unheard
	}
	if err := s.expire(ctx, now); err != nil {
		return err
	}
	if err := s.count(ctx, now); err != nil {
		return err
	}
	if now.Sub(s.checked) < s.Patience/2 {
		return nil
	}
	s.checked = now
	if err := s.reconcile(ctx, now); err != nil {
		return err
	}
	for _, kind := range []spool.Kind{spool.Draft, spool.Encode, spool.Audio, spool.Texts} {
		if err := s.rescue(ctx, kind, now); err != nil {
			return err
		}
	}
	return nil
}

// reconcile notes what is out and was handed out by another scheduler, whose
// place this one takes, or which has not noticed yet that it did.
func (s *Scheduler) reconcile(ctx context.Context, now time.Time) error {
	out, err := s.Ledger.Out(ctx)
	if err != nil {
		return fmt.Errorf("list jobs that are out: %w", err)
	}
	for _, j := range out {
		if h, known := s.out[j.JobKey]; known && h.epoch >= j.Epoch || s.dead[j.JobKey] {
			continue
		}
		rec, err := s.Ledger.Get(ctx, j.Video)
		if err != nil && !isNotFound(err) {
			return fmt.Errorf("look up %s: %w", j.Video, err)
		}
		if rec.Video.Revision != j.Revision {
			s.dead[j.JobKey] = true // nobody asks for it any more
			continue
		}
		s.member(j.Worker)
		s.out[j.JobKey] = handed{worker: j.Worker, epoch: j.Epoch, since: now}
		if rec.Video.Status.Ended() {
			s.stop(j.Worker, j.JobKey, j.Epoch)
		}
	}
	return nil
}

// renew begins all leases anew.
func (s *Scheduler) renew(now time.Time) {
	s.began = now
	for _, m := range s.members {
		m.heard = now
	}
	for key, h := range s.out {
		h.missing = time.Time{}
		if !h.begun {
			h.since = now
		}
		s.out[key] = h
	}
	for class := range s.classes {
		s.classes[class] = now
	}
}

// expire takes back what was sent and did not start, and what those have who
// are silent.
func (s *Scheduler) expire(ctx context.Context, now time.Time) error {
	var late []spool.JobKey
	for _, key := range s.outInOrder() {
		h := s.out[key]
		// One who has not beaten since may be dead, and then that is what the job
		// is taken back for.
		if !h.begun && now.Sub(h.since) >= s.Patience && s.member(h.worker).heard.After(h.since) {
			late = append(late, key)
			s.unbegun[key] = h.worker
		}
	}
	if err := s.takeBack(ctx, 0, late...); err != nil {
		return err
	}
	for _, m := range s.inOrder() {
		if !s.silent(m.name, now) {
			continue
		}
		theirs := s.outAt(m.name)
		if (m.left() || m.lost) && len(theirs) == 0 {
			if now.Sub(m.heard) >= s.remembers(m) {
				delete(s.members, m.name)
			}
			continue
		}
		if m.lost { // another scheduler did not know
			if err := s.takeBack(ctx, 0, theirs...); err != nil {
				return err
			}
			continue
		}
		m.lost = true
		if err := s.lose(ctx, m, now); err != nil {
			return err
		}
	}
	return nil
}

// lostFor is how long a worker that is lost is remembered, for those who wonder
// where it is. Names that never come back, as those of pods, would pile up.
const lostFor = time.Hour

// remembers is how long a silent worker is remembered that has nothing to do.
// It may come back to what it has on its disk.
func (s *Scheduler) remembers(m *member) time.Duration {
	if m.left() {
		return s.Forsake
	}
	return max(s.Forsake, lostFor)
}

// left: the last that was heard of it was that it had drained.
func (m *member) left() bool { return m.beat.Draining && len(m.beat.Running) == 0 }

// silent reports whether a worker's lease has ended.
func (s *Scheduler) silent(name string, now time.Time) bool {
	return now.Sub(s.member(name).heard) >= s.Lease
}

// inOrder are the workers by name.
func (s *Scheduler) inOrder() []*member {
	all := make([]*member, 0, len(s.members))
	for _, m := range s.members {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *member) int { return strings.Compare(a.name, b.name) })
	return all
}

// outAt are the jobs that are out at a worker.
func (s *Scheduler) outAt(worker string) []spool.JobKey {
	return slices.DeleteFunc(s.outInOrder(), func(key spool.JobKey) bool { return s.out[key].worker != worker })
}

// rescue looks for ready jobs that wait for somebody who is gone.
func (s *Scheduler) rescue(ctx context.Context, kind spool.Kind, now time.Time) error {
	places, err := s.Ledger.Places(ctx, kind)
	if err != nil {
		return fmt.Errorf("list places of %s jobs: %w", kind, err)
	}
	for _, p := range places {
		change := s.remedy(p, now)
		if change == nil {
			continue
		}
		jobs, err := s.Ledger.Ready(ctx, ledger.Ask{Kind: kind, Now: now, Places: []spool.Place{p}, Limit: gathered})
		if err != nil {
			return fmt.Errorf("list ready %s jobs: %w", kind, err)
		}
		for i, j := range jobs {
			if slices.ContainsFunc(jobs[:i], func(k spool.JobRecord) bool { return k.Video == j.Video }) {
				continue
			}
			if err := s.update(ctx, j.Video, change); err != nil {
				return err
			}
			s.orders.forget(j.JobKey)
		}
	}
	return s.refetchUnheld(ctx, now)
}

// remedy is what is to be done about videos whose jobs wait at a place; nil:
// they only have to wait.
func (s *Scheduler) remedy(p spool.Place, now time.Time) func(*ledger.Record) bool {
	if p.Worker != "" {
		m, heard := s.members[p.Worker], s.began
		if m != nil {
			heard = m.heard
		}
		switch {
		case now.Sub(heard) >= s.Forsake:
			return func(rec *ledger.Record) bool { return refetch(rec, p.Worker) }
		case p.Class != "" && m != nil && m.beat.Session != "" && m.beat.Class != p.Class:
			// The one who has the source encodes otherwise than those who made
			// the first parts of it.
			return func(rec *ledger.Record) bool { return unpin(rec, p.Class, now) }
		}
	}
	if p.Class != "" {
		seen, known := s.classes[p.Class]
		if !known {
			seen = s.began
		}
		if now.Sub(seen) >= s.Vanish && s.otherClass(p.Class, now) {
			return func(rec *ledger.Record) bool { return unpin(rec, p.Class, now) }
		}
	}
	return nil
}

// otherClass reports whether somebody is here who encodes, of another class.
func (s *Scheduler) otherClass(class string, now time.Time) bool {
	for _, m := range s.members {
		_, encodes := m.beat.Free[spool.Encode]
		if encodes && m.beat.Class != class && now.Sub(m.heard) < s.Lease {
			return true
		}
	}
	return false
}

// lacks reports whether a worker says that it has not the source of a job that
// is to read it from its disk. For a moment that is so of every source that was
// just fetched.
func (s *Scheduler) lacks(m *member, j spool.JobRecord, now time.Time) bool {
	if j.Place.Worker != m.name || m.beat.Holds == nil || slices.Contains(m.beat.Holds, j.Held()) {
		delete(s.unheld, j.Held())
		return false
	}
	for _, r := range m.beat.Running {
		if r.Kind == spool.Fetch && r.Held() == j.Held() {
			return false
		}
	}
	if _, known := s.unheld[j.Held()]; !known {
		s.unheld[j.Held()] = now
	}
	return true
}

// refetchUnheld has sources fetched again that their worker has lost.
func (s *Scheduler) refetchUnheld(ctx context.Context, now time.Time) error {
	for held, since := range s.unheld {
		if now.Sub(since) < s.Patience {
			continue
		}
		delete(s.unheld, held)
		video, revision, _ := strings.Cut(held, "/")
		err := s.update(ctx, video, func(rec *ledger.Record) bool {
			if rec.Video.Revision != revision || rec.Job(spool.Fetch, 0) == nil {
				return false
			}
			return refetch(rec, rec.Job(spool.Fetch, 0).Worker)
		})
		if err != nil {
			return err
		}
		s.orders.forget(spool.JobKey{Video: video, Revision: revision})
	}
	return nil
}
