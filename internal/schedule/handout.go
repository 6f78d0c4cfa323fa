package schedule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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

// handOut gives ready jobs to workers that have room for them. All that is
// handed out at a time is one transaction.
func (s *Scheduler) handOut(ctx context.Context) error {
	now := time.Now()
	rooms := s.rooms(now)
	var picked []*order
	for _, kind := range kinds {
		some, err := s.pick(ctx, kind, rooms[kind], now)
		if err != nil {
			return err
		}
		picked = append(picked, some...)
	}
	if len(picked) == 0 {
		return nil
	}
	return s.handTo(ctx, picked, now)
}

// seat is a worker that has room for jobs of a kind.
type seat struct {
	*member
	free  int // how many more it would take
	given int // how many it gets now
}

// rooms is how many more jobs of each kind each worker would take: what its
// last beat said, less what was sent since and is not in that beat.
func (s *Scheduler) rooms(now time.Time) map[spool.Kind][]*seat {
	under := map[string]map[spool.Kind]int{}
	for key, h := range s.out {
		if h.named {
			continue
		}
		if under[h.worker] == nil {
			under[h.worker] = map[spool.Kind]int{}
		}
		under[h.worker][key.Kind]++
	}
	rooms := map[spool.Kind][]*seat{}
	for _, m := range s.inOrder() {
		if !s.attends(m, now) {
			continue
		}
		for _, kind := range kinds {
			if free := m.beat.Free[kind] - under[m.name][kind]; free > 0 && s.reaches(m, kind) {
				rooms[kind] = append(rooms[kind], &seat{member: m, free: free})
			}
		}
	}
	return rooms
}

// attends reports whether a worker may be given anything.
func (s *Scheduler) attends(m *member, now time.Time) bool {
	return !s.Fleet || m.refused == "" && !m.beat.Draining && !s.view.drained(m.name) && now.Sub(m.said) < s.Lease
}

// reaches reports whether a worker reaches the destination, where jobs of a
// kind need it.
func (s *Scheduler) reaches(m *member, kind spool.Kind) bool {
	return !s.Fleet || s.Destination == "" || kind == spool.Fetch || kind == spool.Draft || slices.Contains(m.beat.Reach, s.Destination)
}

// fits reports whether a job of a kind and place may be given to a worker. The
// class of a fetch is a wish: who fetches a source that others cannot read
// makes its parts, too.
func (m *member) fits(kind spool.Kind, p spool.Place) bool {
	return (p.Worker == "" || p.Worker == m.name) &&
		(p.Store == "" || slices.Contains(m.beat.Reach, p.Store)) &&
		(p.Class == "" || p.Class == m.beat.Class || kind == spool.Fetch)
}

// order is a job on its way to a worker.
type order struct {
	job    spool.JobRecord
	seat   *seat
	number int // of those that the worker gets now, from 0
	whole  *spool.Job
	found  stamp // what was found of its source, and planned, by then
}

// pick chooses ready jobs for workers with room.
func (s *Scheduler) pick(ctx context.Context, kind spool.Kind, seats []*seat, now time.Time) ([]*order, error) {
	ready, err := s.ready(ctx, kind, seats, now)
	if err != nil {
		return nil, err
	}
	hungry := seats
	if kind == spool.Fetch {
		if hungry, err = s.hungry(ctx, seats, ready, now); err != nil {
			return nil, err
		}
	}
	var picked []*order
	for _, j := range ready {
		among := hungry
		if j.Epoch > 0 {
			among = seats
		}
		if to := s.choose(among, j, now); to != nil {
			picked = append(picked, &order{job: j, seat: to, number: to.given})
			to.given++
		}
	}
	return picked, nil
}

// ready are the jobs that there is room for, in their order.
func (s *Scheduler) ready(ctx context.Context, kind spool.Kind, seats []*seat, now time.Time) ([]spool.JobRecord, error) {
	ask := ledger.Ask{Kind: kind, Now: s.clock.now()}
	for _, to := range seats {
		ask.Limit += to.free
	}
	if ask.Limit == 0 {
		return nil, nil
	}
	if s.Fleet {
		places, err := s.Ledger.Places(ctx, kind)
		if err != nil {
			return nil, fmt.Errorf("list places of %s jobs: %w", kind, err)
		}
		ask.Places = slices.DeleteFunc(places, func(p spool.Place) bool {
			return !slices.ContainsFunc(seats, func(to *seat) bool { return to.fits(kind, p) })
		})
		if len(ask.Places) == 0 {
			return nil, nil
		}
	}
	ready, err := s.Ledger.Ready(ctx, ask)
	if err != nil {
		return nil, fmt.Errorf("list ready %s jobs: %w", kind, err)
	}
	return ready, nil
}

// choose finds the worker for a job: one that has its source already, else the
// one with the most room. One that was just sent it in vain comes last: it says
// how it is, and may be deaf.
func (s *Scheduler) choose(seats []*seat, j spool.JobRecord, now time.Time) *seat {
	var best *seat
	rank := func(to *seat) int {
		switch {
		case s.unbegun[j.JobKey] == to.name:
			return -1
		case slices.Contains(to.beat.Holds, j.Held()):
			return 2
		case j.Place.Class != "" && j.Place.Class == to.beat.Class:
			return 1
		}
		return 0
	}
	for _, to := range seats {
		if to.given >= to.free || s.Fleet && (!to.fits(j.Kind, j.Place) || s.lacks(to.member, j, now)) {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(rank(to), rank(best)), cmp.Compare(to.free-to.given, best.free-best.given)) > 0 {
			best = to
		}
	}
	return best
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

// coming reports whether sources are being fetched or planned of which more
// chunks can be made than now.
func (s *Scheduler) coming() bool {
	for key := range s.out {
		if key.Kind == spool.Draft || key.Kind == spool.Fetch && !s.have[key].enough {
			return true
		}
	}
	return false
}

// handTo marks jobs as sent, then sends them. A crash between the two leaves
// jobs that are marked and not out; they do not start, and are taken back.
func (s *Scheduler) handTo(ctx context.Context, picked []*order, now time.Time) error {
	changes := make([]ledger.Change, len(picked))
	videos := make([]spool.Video, len(picked))
	for i, o := range picked {
		changes[i] = ledger.Change{ID: o.job.Video, Do: func(rec *ledger.Record) error {
			if !s.mark(rec, o, now) {
				return errUnchanged
			}
			videos[i] = rec.Video
			return nil
		}}
	}
	refused, err := s.Ledger.UpdateAll(ctx, changes)
	if err != nil {
		return fmt.Errorf("hand out jobs: %w", err)
	}
	var broken []spool.Report
	for i, o := range picked {
		if err := refused[i]; err != nil {
			if !isNotFound(err) && !errors.Is(err, errUnchanged) {
				return fmt.Errorf("hand out %s: %w", o.job.JobKey, err)
			}
			continue
		}
		s.tell(videos[i])
		s.line.handedOut(o.job)
		s.out[o.whole.JobKey] = handed{worker: o.seat.name, epoch: o.whole.Epoch, since: time.Now()}
		delete(s.rests, o.whole.JobKey)
		if err := s.orders.complete(ctx, o.whole, o.found); err != nil {
			broken = append(broken, brokenOrder(o.seat.name, o.whole, err))
			continue
		}
		s.send(o.seat.name, queue.Message{Session: o.seat.beat.Session, Job: o.whole})
	}
	if len(broken) == 0 {
		return nil
	}
	return s.take(ctx, broken)
}

// mark marks a job as sent, if it still may be.
func (s *Scheduler) mark(rec *ledger.Record, o *order, now time.Time) bool {
	j := rec.Job(o.job.Kind, o.job.Number)
	if j == nil || j.Revision != o.job.Revision || j.State != spool.JobReady || rec.Video.Status.Ended() {
		return false
	}
	if s.Fleet {
		if !o.seat.fits(j.Kind, j.Place) {
			return false // another one of this batch has bound the video
		}
		if isPart(j.Kind) && j.Place.Class == "" {
			pin(rec, o.seat.beat.Class)
		}
	}
	j.State, j.Worker, j.Epoch, j.Seen = spool.JobSent, o.seat.name, j.Epoch+1, 0
	rec.Video.Changed = now
	settle(rec)
	o.whole, o.found = begun(rec.Video, j.JobRecord), stampOf(rec)
	if j.Kind == spool.Encode {
		o.whole.Spare = s.spare(o.number, j.Number, o.seat.free-o.seat.given)
	}
	return true
}

func brokenOrder(worker string, job *spool.Job, err error) spool.Report {
	e := spool.AsError(err)
	return spool.Report{
		JobKey: job.JobKey, Epoch: job.Epoch, Worker: worker, Outcome: spool.Broke,
		Failure: &spool.Failure{Class: e.Class, Code: e.Code, Reason: e.Error(), Hint: e.Hint},
	}
}
