package sqliteledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// PutKeys keeps wrapped content keys by their IDs; one that is there is not
// replaced. The column of IDs is called revision, because a revision whose key
// does not change has one key of that name.
func (l *Ledger) PutKeys(ctx context.Context, video string, wrapped map[string][]byte) error {
	return l.change(ctx, "write", func(tx *sql.Tx) error {
		for id, key := range wrapped {
			_, err := tx.ExecContext(ctx,
				"INSERT INTO keys (folded, video, revision, wrapped) VALUES (?, ?, ?, ?) ON CONFLICT (folded, revision) DO NOTHING",
				spool.FoldID(video), video, id, key)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Key gives the wrapped content key with an ID.
func (l *Ledger) Key(ctx context.Context, video, id string) ([]byte, error) {
	var wrapped []byte
	err := l.read.QueryRowContext(ctx, "SELECT wrapped FROM keys WHERE folded = ? AND revision = ?",
		spool.FoldID(video), id).Scan(&wrapped)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("key %s of %s: %w", id, video, ledger.ErrNotFound)
	}
	return wrapped, problem(l.path, "read", err)
}

// Keys gives the IDs of all keys of a video, or of all videos.
func (l *Ledger) Keys(ctx context.Context, video string) (map[string][]string, error) {
	type key struct{ video, id string }
	query := "SELECT video, revision FROM keys WHERE ? = '' OR folded = ? ORDER BY folded, revision"
	folded := spool.FoldID(video)
	all, err := collect(ctx, l, query, []any{folded, folded}, func(rows *sql.Rows) (key, error) {
		var k key
		err := rows.Scan(&k.video, &k.id)
		return k, err
	})
	if err != nil {
		return nil, err
	}
	keys := map[string][]string{}
	for _, k := range all {
		keys[k.video] = append(keys[k.video], k.id)
	}
	return keys, nil
}

// Replaced gives the revisions replaced before a time and not yet swept.
func (l *Ledger) Replaced(ctx context.Context, before time.Time) ([]ledger.Replaced, error) {
	query := "SELECT " + videoID + `, r.revision, r.since FROM replaced r JOIN videos v ON v.seq = r.video
		WHERE r.since < ? ORDER BY r.since, v.seq`
	return collect(ctx, l, query, []any{before.UnixNano()}, func(rows *sql.Rows) (ledger.Replaced, error) {
		var r ledger.Replaced
		var since int64
		err := rows.Scan(&r.Video, &r.Revision, &since)
		r.Since = moment(since)
		return r, err
	})
}

// Swept forgets a replaced revision; one that is not known is no error.
func (l *Ledger) Swept(ctx context.Context, video, revision string) error {
	return l.change(ctx, "write", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx,
			"DELETE FROM replaced WHERE revision = ? AND video = (SELECT seq FROM videos WHERE folded = ?)",
			revision, spool.FoldID(video))
		return err
	})
}
