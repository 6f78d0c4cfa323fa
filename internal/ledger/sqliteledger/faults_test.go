package sqliteledger_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/ledger/sqliteledger"
)

func TestOnlyTheOwnerReads(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	path := filepath.Join(dir, "ledger.db")
	l := open(t, path)
	if err := l.Accept(t.Context(), video("a")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 0600", name, info.Mode(), err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v, %v; want mode 0700", info.Mode(), err)
	}
}

func TestModeOfAnExistingFileIsTightened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil { //nolint:gosec // that is the case at hand
		t.Fatal(err)
	}
	open(t, path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want mode 0600", info.Mode(), err)
	}
}

// A path is a path, whatever is in it.
func TestUnusualPaths(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d%41&_pragma=x", "ünï;.db")
	if err := open(t, path).Accept(t.Context(), video("a")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Fatalf("the ledger is not in %s: %v", path, err)
	}
}

func TestDamagedFileIsRefusedAndLeft(t *testing.T) {
	for name, damage := range map[string]func(*testing.T, string){
		"a page overwritten": func(t *testing.T, path string) { scribble(t, path, 8192, 16<<10) },
		"header overwritten": func(t *testing.T, path string) { scribble(t, path, 0, 100) },
		"cut in the middle": func(t *testing.T, path string) {
			if err := os.Truncate(path, 20_000); err != nil {
				t.Fatal(err)
			}
		},
		"not a database": func(t *testing.T, path string) {
			if err := os.WriteFile(path, bytes.Repeat([]byte("my holiday notes\n"), 100), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filled(t)
			damage(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			refused(t, path, spool.Permanent, "ledger-corrupt")
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the damaged file was changed: %v", err)
			}
		})
	}
}

// The end of the log that a power cut tore off was never promised; the rest is
// there.
func TestTornLogIsNoDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := open(t, path)
	for _, id := range []string{"a", "b"} {
		if err := l.Accept(t.Context(), video(id)); err != nil {
			t.Fatal(err)
		}
	}
	torn := filepath.Join(t.TempDir(), "ledger.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if suffix == "-wal" {
			b = b[:len(b)-1000]
		}
		if err := os.WriteFile(torn+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	videos, err := open(t, torn).List(t.Context(), ledger.Filter{})
	if err != nil || len(videos) != 1 || videos[0].ID != "a" {
		t.Errorf("the ledger holds %v, %v; want a", videos, err)
	}
}

func TestNewerLedgerIsRefused(t *testing.T) {
	path := filled(t)
	execute(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (7, 1)")
	err := refused(t, path, spool.Permanent, "ledger-newer")
	for _, want := range []string{path, "its version is 7", "knows up to 4"} {
		if !strings.Contains(err.Reason, want) {
			t.Errorf("%q does not say %q", err.Reason, want)
		}
	}
}

func TestForeignDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.db")
	execute(t, path, "CREATE TABLE accounts (owner TEXT)")
	refused(t, path, spool.Permanent, "ledger-foreign")
}

// Many processes that open a new ledger at the same moment all get it.
func TestOpenedByManyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	var opening sync.WaitGroup
	for range 6 {
		opening.Go(func() {
			l, err := sqliteledger.Open(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	opening.Wait()
}

// A first start that was killed half-way does not make the file a stranger's.
func TestInterruptedFirstStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	execute(t, path, `CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')));
		INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1)`)
	if err := open(t, path).Accept(t.Context(), video("a")); err != nil {
		t.Fatal(err)
	}
}

// A write waits for another process's, for as long as the caller lets it.
func TestWaitsForAnotherWriter(t *testing.T) {
	path := filled(t)
	l := open(t, path)
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	conn, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := l.Accept(short, video("b")); err == nil {
		t.Error("wrote while another process was writing")
	}
	if _, err := l.Get(t.Context(), "a"); err != nil {
		t.Errorf("a read has to wait for a writer: %v", err)
	}
	accepted := make(chan error, 1)
	go func() { accepted <- l.Accept(t.Context(), video("c")) }()
	if _, err := conn.ExecContext(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-accepted; err != nil {
		t.Errorf("accept after the other one: %v", err)
	}
}

// filled gives the path of a closed ledger with some videos, one of them "a".
func filled(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := open(t, path)
	for _, id := range []string{"a", "x1", "x2", "x3"} {
		if err := l.Accept(t.Context(), video(id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func refused(t *testing.T, path string, class spool.Class, code string) *spool.Error {
	t.Helper()
	l, err := sqliteledger.Open(t.Context(), path)
	if err == nil {
		t.Fatal(errors.Join(errors.New("opened"), l.Close()))
	}
	return wantError(t, err, class, code)
}

func wantError(t *testing.T, err error, class spool.Class, code string) *spool.Error {
	t.Helper()
	var e *spool.Error
	if !errors.As(err, &e) || e.Class != class || e.Code != code || e.Hint == "" {
		t.Fatalf("got %#v (%v), want %s %s with a hint", e, err, class, code)
	}
	return e
}

func scribble(t *testing.T, path string, at int64, n int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(bytes.Repeat([]byte{0xa5}, n), at)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func execute(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), statement)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}
