package schedule_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// notary sees every change of the ledger, whoever made it, and what no change
// may do.
type notary struct {
	began time.Time

	mu     sync.Mutex
	trace  []string
	faults []string
	done   map[spool.JobKey]int // how often a job became done
	lost   map[spool.JobKey]int // how often one was given back, or was lost, or failed
}

func newNotary() *notary {
	return &notary{began: time.Now(), done: map[spool.JobKey]int{}, lost: map[spool.JobKey]int{}}
}

// watched is a ledger with a notary.
type watched struct {
	ledger.Ledger
	*notary
}

func (w watched) Update(ctx context.Context, id string, change func(*ledger.Record) error) error {
	refused, err := w.UpdateAll(ctx, []ledger.Change{{ID: id, Do: change}})
	if err != nil {
		return err
	}
	return refused[0]
}

func (w watched) UpdateAll(ctx context.Context, changes []ledger.Change) ([]error, error) {
	mine := make([]ledger.Change, len(changes))
	var seen []func()
	for i, c := range changes {
		mine[i] = ledger.Change{ID: c.ID, Do: func(rec *ledger.Record) error {
			before := ledger.Record{Video: rec.Video, Jobs: slices.Clone(rec.Jobs)}
			if err := c.Do(rec); err != nil {
				return err
			}
			after := ledger.Record{Video: rec.Video, Jobs: slices.Clone(rec.Jobs)}
			seen = append(seen, func() { w.compare(before, after) })
			return nil
		}}
	}
	refused, err := w.Ledger.UpdateAll(ctx, mine)
	if err == nil {
		for _, see := range seen {
			see()
		}
	}
	return refused, err
}

func isOut(s spool.JobState) bool { return s == spool.JobSent || s == spool.JobRunning }

func (n *notary) compare(before, after ledger.Record) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if before.Video.Status != after.Video.Status {
		n.say("%s %s", after.Video.ID, after.Video.Status)
	}
	if before.Video.Status.Ended() && !after.Video.Status.Ended() {
		n.fault("%s was %s and is %s", after.Video.ID, before.Video.Status, after.Video.Status)
	}
	if before.Video.Revision != after.Video.Revision {
		n.say("%s begins anew", after.Video.ID)
		return
	}
	if len(after.Jobs) < len(before.Jobs) {
		n.fault("%s lost jobs", after.Video.ID)
	}
	for _, b := range before.Jobs {
		if a := after.Job(b.Kind, b.Number); a != nil && (a.State != b.State || a.Epoch != b.Epoch) {
			n.step(b.JobRecord, a.JobRecord)
		}
	}
}

// step is one change of a job.
func (n *notary) step(b, a spool.JobRecord) {
	key := a.JobKey
	n.say("%s %s→%s epoch %d at %s", name(key), b.State, a.State, a.Epoch, a.Worker)
	switch {
	case a.State == spool.JobDone:
		if n.done[key]++; n.done[key] > 1 && key.Kind != spool.Fetch {
			n.fault("%s is done twice", key)
		}
	case b.State == spool.JobDone && key.Kind == spool.Fetch && a.State == spool.JobReady: // who had the source is gone
		n.lost[key]++
	case b.State == spool.JobDone:
		n.fault("%s was done and is %s", key, a.State)
	case isOut(b.State) && !isOut(a.State):
		n.lost[key]++
	}
	if a.Epoch != b.Epoch && (a.Epoch != b.Epoch+1 || b.State != spool.JobReady || a.State != spool.JobSent) {
		n.fault("%s went from %s, epoch %d, to %s, epoch %d", key, b.State, b.Epoch, a.State, a.Epoch)
	}
}

// name is a job without its revision, whose name is drawn by lot.
func name(k spool.JobKey) string { return fmt.Sprintf("%s/%s-%d", k.Video, k.Kind, k.Number) }

func (n *notary) say(format string, args ...any) {
	n.trace = append(n.trace, fmt.Sprintf("%9s ", time.Since(n.began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

func (n *notary) fault(format string, args ...any) {
	n.faults = append(n.faults, fmt.Sprintf(format, args...))
	n.say("BREACH: "+format, args...)
}
