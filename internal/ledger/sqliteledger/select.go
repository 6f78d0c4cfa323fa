package sqliteledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// List gives videos in the order in which they were accepted.
func (l *Ledger) List(ctx context.Context, f ledger.Filter) (videos []spool.Video, err error) {
	err = l.snapshot(ctx, func(tx *sql.Tx) (err error) {
		videos, err = list(ctx, tx, f)
		return err
	})
	return videos, err
}

// list looks for each status by itself: so an index gives a page of a long
// list without reading the rest. In one transaction, since a video may go from
// one status to another meanwhile: it would be listed twice, or not at all.
func list(ctx context.Context, tx *sql.Tx, f ledger.Filter) ([]spool.Video, error) {
	after, err := placeInLine(ctx, tx, f.After)
	if err != nil {
		return nil, err
	}
	parts := []listPart{{"SELECT seq, record FROM videos WHERE seq > ?", []any{after}}}
	if f.Statuses != nil {
		parts = split(parts, "status", f.Statuses)
	}
	if f.Causes != nil {
		parts = split(parts, "cause", f.Causes)
	}
	limit := f.Limit
	if limit == 0 {
		limit = -1 // SQLite's word for all
	}
	var all []listed
	for _, p := range parts {
		some, err := gather(ctx, tx, p.query+" ORDER BY seq LIMIT ?", append(p.args, limit), scanListed)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(a, b listed) int { return cmp.Compare(a.seq, b.seq) })
	if f.Limit > 0 && len(all) > f.Limit {
		all = all[:f.Limit]
	}
	videos := make([]spool.Video, len(all))
	for i, v := range all {
		videos[i] = v.video
	}
	return videos, nil
}

// placeInLine is the place of a video in the order of acceptance; 0 for "".
func placeInLine(ctx context.Context, q querier, id string) (seq int64, err error) {
	if id == "" {
		return 0, nil
	}
	err = q.QueryRowContext(ctx, "SELECT seq FROM videos WHERE folded = ?", spool.FoldID(id)).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("video %s: %w", id, ledger.ErrNotFound)
	}
	return seq, err
}

// listPart is one query of List.
type listPart struct {
	query string
	args  []any
}

// split makes of each query one for every value of a column.
func split[T ~string](parts []listPart, column string, values []T) []listPart {
	values = slices.Clone(values)
	slices.Sort(values)
	var more []listPart
	for _, p := range parts {
		for _, value := range slices.Compact(values) {
			more = append(more, listPart{p.query + " AND " + column + " = ?", append(slices.Clone(p.args), string(value))})
		}
	}
	return more
}

// listed is a video with its place in the order of acceptance.
type listed struct {
	seq   int64
	video spool.Video
}

func scanListed(rows *sql.Rows) (v listed, err error) {
	var record string
	if err := rows.Scan(&v.seq, &record); err != nil {
		return v, err
	}
	v.video, err = decodeVideo(record)
	return v, err
}

// Ready gives jobs of one kind that may be handed out.
func (l *Ledger) Ready(ctx context.Context, a ledger.Ask) ([]spool.JobRecord, error) {
	rank, known := ranks[a.Kind]
	if !known {
		return nil, fmt.Errorf("ready jobs: no kind %q", a.Kind)
	}
	var all []readyJob
	if err := l.snapshot(ctx, func(tx *sql.Tx) (err error) {
		all, err = ready(ctx, tx, a, rank)
		return err
	}); err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, readyJob.before)
	jobs := make([]spool.JobRecord, len(all))
	for i, j := range all {
		jobs[i] = j.JobRecord
	}
	return jobs, nil
}

// ready looks at each place by itself, by an index.
func ready(ctx context.Context, tx *sql.Tx, a ledger.Ask, rank int) ([]readyJob, error) {
	now, ahead := a.Now.UnixNano(), a.Now.Add(ledger.LongestRest).UnixNano()
	if a.Places == nil {
		return gather(ctx, tx, queryReady, []any{rank, now, ahead, a.Limit}, scanReady)
	}
	var all []readyJob
	for _, p := range a.Places {
		place, err := placeText(p)
		if err != nil {
			return nil, fmt.Errorf("place of ready jobs: %w", err)
		}
		some, err := gather(ctx, tx, queryReadyAt, []any{rank, now, ahead, place, a.Limit}, scanReady)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// readyJob is a job with what its turn depends on.
type readyJob struct {
	spool.JobRecord
	priority int
	seq      int64
}

func (j readyJob) before(k readyJob) int {
	return cmp.Or(-cmp.Compare(j.priority, k.priority), cmp.Compare(j.Turn, k.Turn), cmp.Compare(j.seq, k.seq), cmp.Compare(j.Number, k.Number))
}

func scanReady(rows *sql.Rows) (j readyJob, err error) {
	var id string
	j.JobRecord, err = scanJob(rows, "", &id, &j.priority, &j.seq)
	j.Video = id
	return j, err
}

// Stock gives videos that could be encoded, and of which nothing was begun.
func (l *Ledger) Stock(ctx context.Context, limit int) ([]ledger.Stocked, error) {
	return collect(ctx, l, queryStock, []any{limit}, func(rows *sql.Rows) (s ledger.Stocked, err error) {
		var place string
		if err := rows.Scan(&place, &s.Priority, &s.Chunks); err != nil {
			return s, err
		}
		if s.Place, err = placeOf(place); err != nil {
			return s, fmt.Errorf("place of stocked video: %w", err)
		}
		return s, nil
	})
}

// Places gives the places that ready jobs of a kind have. It goes from one to
// the next by the index, however many jobs there are of each.
func (l *Ledger) Places(ctx context.Context, kind spool.Kind) ([]spool.Place, error) {
	rank, known := ranks[kind]
	if !known {
		return nil, fmt.Errorf("places of jobs: no kind %q", kind)
	}
	var all []spool.Place
	err := l.snapshot(ctx, func(tx *sql.Tx) error {
		query, last := queryPlace, ""
		for {
			err := tx.QueryRowContext(ctx, query, rank, last).Scan(&last)
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			if err != nil {
				return err
			}
			p, err := placeOf(last)
			if err != nil {
				return fmt.Errorf("place of ready jobs: %w", err)
			}
			all, query = append(all, p), queryPlaceAfter
		}
	})
	return all, err
}
