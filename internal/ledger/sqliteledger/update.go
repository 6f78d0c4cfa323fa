package sqliteledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/spool-video/spool/internal/ledger"
)

// Update is the compare-and-set. The change must not call the ledger's writing
// methods: it holds the connection that they wait for.
func (l *Ledger) Update(ctx context.Context, id string, change func(*ledger.Record) error) error {
	refused, err := l.UpdateAll(ctx, []ledger.Change{{ID: id, Do: change}})
	if err != nil {
		return err
	}
	return refused[0]
}

// UpdateAll is one transaction, and so one sync of the disk, for all changes.
// Those of one video are made to one copy of its record, and saved at once.
func (l *Ledger) UpdateAll(ctx context.Context, changes []ledger.Change) ([]error, error) {
	refused := make([]error, len(changes))
	err := l.change(ctx, "write", func(tx *sql.Tx) error {
		mine := map[string][]int{} // ID → its changes
		var order []string
		for i, c := range changes {
			if mine[c.ID] == nil {
				order = append(order, c.ID)
			}
			mine[c.ID] = append(mine[c.ID], i)
		}
		for _, id := range order {
			if err := updateOne(ctx, tx, changes, mine[id], refused); err != nil {
				return err
			}
		}
		return nil
	})
	return refused, err
}

// updateOne makes the changes with these numbers, which are of one video.
func updateOne(ctx context.Context, tx *sql.Tx, changes []ledger.Change, numbers []int, refused []error) error {
	seq, before, err := load(ctx, tx, changes[numbers[0]].ID)
	if errors.Is(err, ledger.ErrNotFound) {
		for _, i := range numbers {
			refused[i] = err
		}
		return nil
	}
	if err != nil {
		return err
	}
	after, err := copyOf(before)
	if err != nil {
		return err
	}
	for _, i := range numbers {
		next, err := copyOf(after)
		if err != nil {
			return err
		}
		if refused[i] = changes[i].Do(&next); refused[i] == nil {
			refused[i] = sound(before, next)
		}
		if refused[i] == nil {
			after = next
		}
	}
	if err := saveVideo(ctx, tx, seq, before.Video, after.Video); err != nil {
		return err
	}
	return saveJobs(ctx, tx, seq, before, after)
}

// sound reports why a changed record cannot be saved.
func sound(before, after ledger.Record) error {
	if after.Video.ID != before.Video.ID {
		return fmt.Errorf("video %s: an update cannot change its ID to %q", before.Video.ID, after.Video.ID)
	}
	for _, j := range after.Jobs {
		if err := belongs(after.Video, j); err != nil {
			return err
		}
	}
	return nil
}

// copyOf is a record that shares nothing with r, so that what a change does to
// r can be seen.
func copyOf(r ledger.Record) (ledger.Record, error) {
	v, err := encodeVideo(r.Video)
	if err != nil {
		return r, err
	}
	c := ledger.Record{Jobs: append([]ledger.Job{}, r.Jobs...)}
	for i, j := range c.Jobs {
		if j.Failure != nil {
			failure := *j.Failure
			c.Jobs[i].Failure = &failure
		}
	}
	c.Video, err = decodeVideo(v.record)
	return c, err
}
