package sqliteledger

import (
	"context"
	"database/sql"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// keptNotice is how long a notice that was given up stays.
const keptNotice = 30 * 24 * time.Hour

const (
	noticeColumns = "id, callback, video, began, attempts, next, last, given_up"

	// Two searches of an index, merged: what is due, and what a clock that was
	// ahead has put off.
	selectDue = "SELECT " + noticeColumns + " FROM notices WHERE given_up = 0 AND host NOT IN (SELECT value FROM json_each(?)) AND "
	queryDue  = selectDue + "next <= ? UNION ALL " + selectDue + "next > ? ORDER BY next LIMIT ?"

	queryNotices   = "SELECT " + noticeColumns + " FROM notices WHERE host NOT IN (SELECT value FROM json_each(?)) ORDER BY next LIMIT ?"
	queryNoticesOf = "SELECT " + noticeColumns + " FROM notices WHERE folded = ? AND ((next <= ? OR next > ?) AND given_up = 0 OR ?) ORDER BY next LIMIT ?"
)

// Notices gives what is still to be told.
func (l *Ledger) Notices(ctx context.Context, a ledger.NoticeAsk) ([]ledger.Notice, error) {
	limit := a.Limit
	if limit == 0 {
		limit = -1
	}
	except := jsonList(a.Except)
	due, ahead := nanos(a.Due), nanos(a.Due.Add(ledger.LongestPutOff))
	query, args := queryNotices, []any{except, limit}
	switch {
	case a.Video != "":
		query, args = queryNoticesOf, []any{spool.FoldID(a.Video), due, ahead, a.Due.IsZero(), limit}
	case !a.Due.IsZero():
		query, args = queryDue, []any{except, due, except, ahead, limit}
	}
	return collect(ctx, l, query, args, func(rows *sql.Rows) (n ledger.Notice, err error) {
		var video string
		var began, next int64
		if err := rows.Scan(&n.ID, &n.Callback, &video, &began, &n.Attempts, &next, &n.Last, &n.GivenUp); err != nil {
			return n, err
		}
		n.Began, n.Next = moment(began), moment(next)
		n.Video, err = decodeVideo(video)
		return n, err
	})
}

// PutOff keeps what came of a try, and forgets what was given up long ago.
func (l *Ledger) PutOff(ctx context.Context, n ledger.Notice) error {
	return l.change(ctx, "write", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE notices SET began = ?, attempts = ?, next = ?, last = ?, given_up = ? WHERE id = ?",
			nanos(n.Began), n.Attempts, nanos(n.Next), n.Last, n.GivenUp, n.ID)
		if err != nil || !n.GivenUp {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM notices WHERE given_up = 1 AND next < ?", time.Now().Add(-keptNotice).UnixNano())
		return err
	})
}

// Told forgets a notice.
func (l *Ledger) Told(ctx context.Context, id string) error {
	return l.change(ctx, "write", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM notices WHERE id = ?", id)
		return err
	})
}

// saveNotices adds what a change of a video is to tell.
func saveNotices(ctx context.Context, tx *sql.Tx, before, after spool.Video) error {
	for _, n := range ledger.Ended(before, after) {
		video, err := encodeVideo(n.Video)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO notices (id, folded, callback, host, video) VALUES (?, ?, ?, ?, ?)",
			n.ID, video.folded, n.Callback, n.Host(), video.record); err != nil {
			return err
		}
	}
	return nil
}
