package sqliteledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// querier is a connection, a transaction or a pool.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// snapshot reads what several queries give as it was at one moment: others
// write meanwhile.
func (l *Ledger) snapshot(ctx context.Context, read func(*sql.Tx) error) error {
	tx, err := l.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return problem(l.path, "read", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	return problem(l.path, "read", read(tx))
}

// Get loads a video with the jobs of its current revision.
func (l *Ledger) Get(ctx context.Context, id string) (r ledger.Record, err error) {
	err = l.snapshot(ctx, func(tx *sql.Tx) (err error) {
		_, r, err = load(ctx, tx, id)
		return err
	})
	return r, err
}

// Find gives the newest video of a canonical source.
func (l *Ledger) Find(ctx context.Context, canonical string) (spool.Video, error) {
	var record string
	err := l.read.QueryRowContext(ctx, queryFind, canonical).Scan(&record)
	if errors.Is(err, sql.ErrNoRows) {
		return spool.Video{}, fmt.Errorf("video of this source: %w", ledger.ErrNotFound)
	}
	if err != nil {
		return spool.Video{}, problem(l.path, "read", err)
	}
	return decodeVideo(record)
}

// Out gives the jobs that are sent or running.
func (l *Ledger) Out(ctx context.Context) ([]spool.JobRecord, error) {
	return collect(ctx, l, queryOut, nil, scanNamedJob)
}

// Results gives the results of all jobs of a revision that have one.
func (l *Ledger) Results(ctx context.Context, video, revision string) ([]ledger.Job, error) {
	args := []any{spool.FoldID(video), revision}
	return collect(ctx, l, queryResults, args, func(rows *sql.Rows) (ledger.Job, error) {
		var id string
		var result sql.NullString
		record, err := scanJob(rows, "", &id, &result)
		record.Video = id
		j := ledger.Job{JobRecord: record}
		if err != nil || !result.Valid {
			return j, err
		}
		if err := json.Unmarshal([]byte(result.String), &j.Result); err != nil {
			return j, fmt.Errorf("result of job %s: %w", j.JobKey, err)
		}
		return j, nil
	})
}

// Changes gives a number that differs from an earlier one when another process
// has written since. It is asked for on the connection that writes, whose own
// commits do not count.
func (l *Ledger) Changes(ctx context.Context) (int64, error) {
	var version int64
	err := l.write.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version)
	return version, problem(l.path, "read", err)
}

// The queries whose plans a test looks at: none may read a whole table.
const (
	queryFind = "SELECT record FROM videos WHERE canonical = ? ORDER BY seq DESC LIMIT 1"

	videoID = "json_extract(v.record, '$.id')"

	// What comes after the columns of a job is what Ready merges places by.
	selectReady = "SELECT " + jobColumns + ", " + videoID + `, j.priority, j.video
		FROM jobs j CROSS JOIN videos v ON v.seq = j.video
		WHERE j.state = 'ready' AND j.live = 1 AND j.rank = ? AND (j.not_before <= ? OR j.not_before > ?)`
	orderReady = " ORDER BY j.priority DESC, j.turn, j.video, j.number LIMIT ?"

	queryReady   = selectReady + orderReady
	queryReadyAt = selectReady + " AND j.place = ?" + orderReady

	// The first place, and the next one after a place.
	queryPlace = `SELECT place FROM jobs
		WHERE state = 'ready' AND live = 1 AND rank = ? AND place >= ? ORDER BY place LIMIT 1`
	queryPlaceAfter = `SELECT place FROM jobs
		WHERE state = 'ready' AND live = 1 AND rank = ? AND place > ? ORDER BY place LIMIT 1`

	// The first jobs of what comes after a fetch. What was never handed out has
	// no epoch.
	queryStock = `SELECT min(j.place), j.priority,
			coalesce((SELECT max(c.number) + 1 FROM jobs c WHERE c.video = j.video AND c.revision = j.revision AND c.rank = 2), 0)
		FROM jobs j INDEXED BY jobs_stock WHERE j.state = 'ready' AND j.live = 1 AND j.epoch = 0 AND j.number = 0 AND j.rank IN (1, 2, 3)
		GROUP BY j.video ORDER BY j.video LIMIT ?`

	queryOut = "SELECT " + jobColumns + ", " + videoID + `
		FROM jobs j CROSS JOIN videos v ON v.seq = j.video
		WHERE j.state IN ('sent', 'running')
		ORDER BY j.video`

	queryResults = "SELECT " + jobColumns + ", " + videoID + `, j.result
		FROM videos v CROSS JOIN jobs j ON j.video = v.seq
		WHERE v.folded = ? AND j.revision = ? AND j.result IS NOT NULL
		ORDER BY j.rank, j.number`

	queryJobs = "SELECT " + jobColumns + " FROM jobs j WHERE j.video = ? AND j.revision = ? ORDER BY j.rank, j.number"
)

// load reads a video, its place in the order of acceptance, and its jobs.
func load(ctx context.Context, q querier, id string) (seq int64, r ledger.Record, err error) {
	var record string
	row := q.QueryRowContext(ctx, "SELECT seq, record FROM videos WHERE folded = ?", spool.FoldID(id))
	if err := row.Scan(&seq, &record); errors.Is(err, sql.ErrNoRows) {
		return 0, r, fmt.Errorf("video %s: %w", id, ledger.ErrNotFound)
	} else if err != nil {
		return 0, r, err
	}
	if r.Video, err = decodeVideo(record); err != nil {
		return 0, r, err
	}
	r.Jobs, err = gather(ctx, q, queryJobs, []any{seq, r.Video.Revision}, func(rows *sql.Rows) (ledger.Job, error) {
		j, err := scanJob(rows, r.Video.ID)
		return ledger.Job{JobRecord: j}, err
	})
	return seq, r, err
}

func scanNamedJob(rows *sql.Rows) (spool.JobRecord, error) {
	var id string
	j, err := scanJob(rows, "", &id)
	j.Video = id
	return j, err
}

// collect is gather on a connection that reads.
func collect[T any](ctx context.Context, l *Ledger, query string, args []any, scan func(*sql.Rows) (T, error)) ([]T, error) {
	all, err := gather(ctx, l.read, query, args, scan)
	return all, problem(l.path, "read", err)
}

// gather reads all rows of a query.
func gather[T any](ctx context.Context, q querier, query string, args []any, scan func(*sql.Rows) (T, error)) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// jsonList is a list as json_each takes it: one argument, however many. Of none
// it is [], since null would be one.
func jsonList(items []string) string {
	list, err := json.Marshal(append([]string{}, items...))
	if err != nil {
		panic(err) // strings always have a form in JSON
	}
	return string(list)
}
