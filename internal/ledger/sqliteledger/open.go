// Package sqliteledger is the ledger in one SQLite file, for one machine.
//
// Every change is one IMMEDIATE transaction on the one connection that writes;
// reads have connections of their own and see the last commit. A commit is
// synced to the disk before it returns. Several processes may have the file
// open; they write one after the other.
package sqliteledger

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/disk"
	"github.com/spool-video/spool/internal/ledger"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks a SQLite file as a ledger of Spool: "Spol".
const applicationID = 0x53706f6c

// readers is how many reads run beside each other.
const readers = 4

var _ ledger.Ledger = (*Ledger)(nil)

// Ledger is an open ledger file.
type Ledger struct {
	path  string
	write *sql.DB // one connection
	read  *sql.DB
}

// Open opens the ledger in the file at path, and makes it, with its folder,
// when there is none. The file may hold secrets: it is its owner's alone.
//
// A file that is damaged, is no ledger, or was made by a newer Spool is
// refused with a Permanent spool.Error, and is left as it is; a folder that is
// read-only, full or away is an Environment one.
func Open(ctx context.Context, path string) (*Ledger, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", path, err)
	}
	if err := touch(path); err != nil {
		return nil, problem(path, "open", err)
	}
	// Two that make the same new file into a ledger at the same moment: SQLite
	// sends one of them away at once, however long it would wait.
	for try := 1; ; try++ {
		l := &Ledger{path: path}
		err := l.open(ctx)
		if err == nil {
			return l, nil
		}
		_ = l.Close() // the error that matters is the one at hand
		err = problem(path, "open", err)
		if e := (*spool.Error)(nil); !errors.As(err, &e) || e.Code != codeBusy || try == tries {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(rest):
		}
	}
}

// How often a ledger that is being made by another process is tried, and how
// long is rested between.
const (
	tries = 5
	rest  = 100 * time.Millisecond
)

// Close closes the file. Calls that run end with an error.
func (l *Ledger) Close() error {
	var first error
	for _, db := range []*sql.DB{l.read, l.write} { // the writer last: it leaves no -wal file behind
		if db == nil {
			continue
		}
		if err := db.Close(); err != nil && first == nil {
			first = fmt.Errorf("close ledger %s: %w", l.path, err)
		}
	}
	return first
}

func (l *Ledger) open(ctx context.Context) error {
	var err error
	if l.write, err = sql.Open("sqlite", address(l.path, "synchronous(FULL)", "foreign_keys(1)")); err != nil {
		return err
	}
	l.write.SetMaxOpenConns(1)
	if err := check(ctx, l.write, l.path); err != nil {
		return err
	}
	if err := migrate(ctx, l.write, l.path); err != nil {
		return err
	}
	if err := disk.Sync(filepath.Dir(l.path)); err != nil {
		return err
	}
	if l.read, err = sql.Open("sqlite", address(l.path, "query_only(1)")); err != nil {
		return err
	}
	l.read.SetMaxOpenConns(readers)
	l.read.SetMaxIdleConns(readers)
	return nil
}

// address is the file as the driver wants it. The time that a write waits for
// other processes comes first: setting the journal mode may already wait.
func address(path string, pragmas ...string) string {
	query := url.Values{"_txlock": {"immediate"}}
	query["_pragma"] = append([]string{"busy_timeout(10000)", "journal_mode(WAL)"}, pragmas...)
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: query.Encode()}).String()
}

// touch makes the file and its folder readable by their owner only. SQLite
// gives the files beside it the same mode.
func touch(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if info, err := f.Stat(); err == nil && info.Mode().Perm()&0o077 != 0 {
		if err := f.Chmod(0o600); err != nil {
			_ = f.Close()
			return err
		}
	}
	return f.Close()
}

// check refuses a file that is damaged or not a ledger.
func check(ctx context.Context, db *sql.DB, path string) error {
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return damaged(path, fmt.Errorf("quick_check: %s", verdict))
	}
	var id, tables int
	// A first start that was interrupted leaves goose's own table only.
	row := db.QueryRowContext(ctx, `SELECT application_id,
		(SELECT count(*) FROM sqlite_schema WHERE tbl_name NOT IN ('goose_db_version', 'sqlite_sequence'))
		FROM pragma_application_id`)
	if err := row.Scan(&id, &tables); err != nil {
		return err
	}
	if tables > 0 && id != applicationID {
		return &spool.Error{
			Class: spool.Permanent, Code: "ledger-foreign",
			Reason: fmt.Sprintf("%s is a database, but not one of Spool", path),
			Hint:   "name another state folder with --state",
		}
	}
	return nil
}

// migrate brings an older file to this version's schema. Only one process
// does it at a time; the others then find it done.
func migrate(ctx context.Context, db *sql.DB, path string) error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, folder)
	if err != nil {
		return err
	}
	sources := provider.ListSources()
	known := sources[len(sources)-1].Version
	lock := flock.New(path + ".lock")
	if err := lock.Lock(); err != nil {
		return err
	}
	defer lock.Unlock() //nolint:errcheck // closing the file lets go of it in any case
	have, err := provider.GetDBVersion(ctx)
	switch {
	case err != nil:
		return err
	case have > known:
		return &spool.Error{
			Class: spool.Permanent, Code: "ledger-newer",
			Reason: fmt.Sprintf("%s was written by a newer Spool: its version is %d, this Spool knows up to %d", path, have, known),
			Hint:   "use the newer Spool, or name another state folder with --state",
		}
	case have == known:
		return nil
	}
	_, err = provider.Up(ctx)
	return err
}
