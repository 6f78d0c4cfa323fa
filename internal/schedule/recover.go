package schedule

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// recover takes back every job that is marked as out, or waits for those who
// have them.
func (s *Scheduler) recover(ctx context.Context) (err error) {
	// First of all: what others change from here on is looked at.
	if s.changes, err = s.Ledger.Changes(ctx); err != nil {
		return fmt.Errorf("look for changes: %w", err)
	}
	out, err := s.Ledger.Out(ctx)
	if err != nil {
		return fmt.Errorf("list jobs that are out: %w", err)
	}
	if err := s.inherit(ctx, out); err != nil {
		return err
	}
	if s.Fleet {
		for _, j := range out {
			if j.Worker == s.Inherits {
				continue
			}
			s.out[j.JobKey] = handed{worker: j.Worker, epoch: j.Epoch, since: s.began}
			s.member(j.Worker)
		}
		return s.stopEnded(ctx) // nobody may have said so to those who have them
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
	return nil
}

// inherit takes back what the worker had that this process's own takes the
// place of. It may have died of one of these jobs as soon as it began that; what
// was handed out before is under suspicion, since nobody knows what came of it.
func (s *Scheduler) inherit(ctx context.Context, out []spool.JobRecord) error {
	if s.Inherits == "" {
		return nil
	}
	for _, j := range out {
		if j.Worker != s.Inherits {
			continue
		}
		s.out[j.JobKey] = handed{worker: j.Worker, epoch: j.Epoch, since: s.began}
		if j.Epoch > 1 {
			s.losses.suspects[j.JobKey]++
		}
	}
	if len(s.out) == 0 {
		return nil
	}
	return s.lose(ctx, &member{name: s.Inherits, beat: spool.Beat{Session: rand.Text()}}, s.began)
}
