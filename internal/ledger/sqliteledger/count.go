package sqliteledger

import (
	"context"
	"database/sql"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// What is counted is counted in indexes; those of jobs and notices hold nothing
// else.
const (
	countVideos  = "SELECT status, '', count(*) FROM videos GROUP BY status"
	countReady   = "SELECT rank, 'ready', count(*) FROM jobs WHERE state = 'ready' AND live = 1 GROUP BY rank"
	countOut     = "SELECT rank, state, count(*) FROM jobs WHERE state IN ('sent', 'running') GROUP BY rank, state"
	countNotices = "SELECT 'waiting', '', count(*) FROM notices WHERE given_up = 0 UNION ALL SELECT 'given-up', '', count(*) FROM notices WHERE given_up = 1"
)

// counted is a row of a count.
type counted struct {
	what, state string
	rank, n     int
}

// Count counts videos, jobs and notices.
func (l *Ledger) Count(ctx context.Context) (ledger.Counts, error) {
	c := ledger.Counts{Videos: map[spool.Status]int{}, Jobs: map[spool.Kind]map[spool.JobState]int{}}
	err := l.snapshot(ctx, func(tx *sql.Tx) error { return count(ctx, tx, &c) })
	return c, err
}

func count(ctx context.Context, tx *sql.Tx, c *ledger.Counts) error {
	kinds := map[int]spool.Kind{}
	for kind, rank := range ranks {
		kinds[rank] = kind
	}
	byName := func(rows *sql.Rows) (r counted, err error) {
		err = rows.Scan(&r.what, &r.state, &r.n)
		return r, err
	}
	byRank := func(rows *sql.Rows) (r counted, err error) {
		err = rows.Scan(&r.rank, &r.state, &r.n)
		return r, err
	}
	for _, count := range []struct {
		query string
		scan  func(*sql.Rows) (counted, error)
		note  func(counted)
	}{
		{countVideos, byName, func(r counted) { c.Videos[spool.Status(r.what)] = r.n }},
		{countReady, byRank, func(r counted) { c.Note(kinds[r.rank], spool.JobState(r.state), r.n) }},
		{countOut, byRank, func(r counted) { c.Note(kinds[r.rank], spool.JobState(r.state), r.n) }},
		{countNotices, byName, func(r counted) {
			if r.what == "waiting" {
				c.Notices = r.n
			} else {
				c.GivenUp = r.n
			}
		}},
	} {
		rows, err := gather(ctx, tx, count.query, nil, count.scan)
		if err != nil {
			return err
		}
		for _, r := range rows {
			count.note(r)
		}
	}
	return nil
}
