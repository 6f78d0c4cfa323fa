package sqliteledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// Accept adds videos with their first jobs, in one transaction.
func (l *Ledger) Accept(ctx context.Context, rs ...ledger.Record) error {
	return l.change(ctx, "write", func(tx *sql.Tx) error {
		for _, r := range rs {
			if err := add(ctx, tx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

func add(ctx context.Context, tx *sql.Tx, r ledger.Record) error {
	if !spool.ValidID(r.Video.ID) {
		return fmt.Errorf("accept video: %q is no ID", r.Video.ID)
	}
	v, err := encodeVideo(r.Video)
	if err != nil {
		return err
	}
	added, err := tx.ExecContext(ctx,
		"INSERT INTO videos (folded, canonical, status, revision, cause, record) VALUES (?, ?, ?, ?, ?, ?)",
		v.folded, v.canonical, v.status, v.revision, v.cause, v.record)
	if isUnique(err) {
		return fmt.Errorf("video %s: %w", r.Video.ID, ledger.ErrExists)
	}
	if err != nil {
		return err
	}
	seq, err := added.LastInsertId()
	if err != nil {
		return err
	}
	if err := saveNotices(ctx, tx, spool.Video{}, r.Video); err != nil {
		return err
	}
	return saveJobs(ctx, tx, seq, ledger.Record{Video: r.Video}, r)
}

// Remove forgets a video, its jobs and, unless keepKeys, its keys.
func (l *Ledger) Remove(ctx context.Context, id string, keepKeys bool) error {
	return l.change(ctx, "write", func(tx *sql.Tx) error {
		removed, err := tx.ExecContext(ctx, "DELETE FROM videos WHERE folded = ?", spool.FoldID(id))
		if err != nil {
			return err
		}
		if n, err := removed.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return fmt.Errorf("video %s: %w", id, ledger.ErrNotFound)
		}
		if keepKeys {
			return nil
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM keys WHERE folded = ?", spool.FoldID(id))
		return err
	})
}

// refusal is an error of the caller's own: it goes back as it came.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// change is one transaction that writes: all of it or nothing.
func (l *Ledger) change(ctx context.Context, operation string, do func(*sql.Tx) error) error {
	tx, err := l.write.BeginTx(ctx, nil)
	if err != nil {
		return problem(l.path, operation, err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing; before, the error at hand matters
	err = do(tx)
	var mine refusal
	if errors.As(err, &mine) {
		return mine.error
	}
	if err == nil {
		err = tx.Commit()
	}
	return problem(l.path, operation, err)
}

func saveVideo(ctx context.Context, tx *sql.Tx, seq int64, before, after spool.Video) error {
	was, err := encodeVideo(before)
	if err != nil {
		return err
	}
	is, err := encodeVideo(after)
	if err != nil || is == was {
		return err
	}
	if _, err := tx.ExecContext(ctx,
		"UPDATE videos SET canonical = ?, status = ?, revision = ?, cause = ?, record = ? WHERE seq = ?",
		is.canonical, is.status, is.revision, is.cause, is.record, seq); err != nil {
		return err
	}
	if was.revision != is.revision || before.Status.Ended() != after.Status.Ended() {
		if _, err := tx.ExecContext(ctx, "UPDATE jobs SET live = (revision = ? AND ?) WHERE video = ?",
			is.revision, !after.Status.Ended(), seq); err != nil {
			return err
		}
	}
	if err := saveNotices(ctx, tx, before, after); err != nil {
		return err
	}
	return savePublished(ctx, tx, seq, before.Published, after.Published)
}

// savePublished notes the published revision that another one has taken the
// place of.
func savePublished(ctx context.Context, tx *sql.Tx, seq int64, before, after string) error {
	if before == after {
		return nil
	}
	// What is published now is not to be swept, even if it was replaced once.
	if _, err := tx.ExecContext(ctx, "DELETE FROM replaced WHERE video = ? AND revision = ?", seq, after); err != nil {
		return err
	}
	if before == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO replaced (video, revision, since) VALUES (?, ?, ?)",
		seq, before, time.Now().UnixNano())
	return err
}

// saveJob adds a job or changes it; without a result the one that is there
// stays.
const saveJob = `
	INSERT INTO jobs (video, revision, kind, rank, number, live, state, epoch, attempts, deaths, not_before, worker, failure,
		priority, turn, place, seen, lost, result)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (video, revision, rank, number) DO UPDATE SET
		live = excluded.live, state = excluded.state, epoch = excluded.epoch, attempts = excluded.attempts, deaths = excluded.deaths,
		not_before = excluded.not_before, worker = excluded.worker, failure = excluded.failure,
		priority = excluded.priority, turn = excluded.turn, place = excluded.place, seen = excluded.seen, lost = excluded.lost,
		result = coalesce(excluded.result, result)`

// saveJobs writes the jobs of after that are not, or are different, in before.
func saveJobs(ctx context.Context, tx *sql.Tx, seq int64, before, after ledger.Record) error {
	known := make(map[spool.JobKey]jobRow, len(before.Jobs))
	for _, j := range before.Jobs {
		row, err := encodeJob(before.Video, j)
		if err != nil {
			return err
		}
		known[j.JobKey] = row
	}
	for _, j := range after.Jobs {
		row, err := encodeJob(after.Video, j)
		if err != nil {
			return err
		}
		if was, ok := known[j.JobKey]; ok && was == row {
			continue
		}
		if _, err := tx.ExecContext(ctx, saveJob, seq, row.revision, row.kind, row.rank, row.number, row.live, row.state,
			row.epoch, row.attempts, row.deaths, row.notBefore, row.worker, row.failure,
			row.priority, row.turn, row.place, row.seen, row.lost, row.result); err != nil {
			return err
		}
	}
	return nil
}

func isUnique(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}
