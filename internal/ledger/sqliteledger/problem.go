package sqliteledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/disk"
	"github.com/spool-video/spool/internal/ledger"
)

// codeBusy is the code of an error when another process writes.
const codeBusy = "ledger-busy"

// problem says what an error of the driver or the file system means for what
// happens next. Errors of the contract, of the caller and of contexts pass.
func problem(path, operation string, err error) error {
	var known *spool.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known), errors.Is(err, ledger.ErrNotFound), errors.Is(err, ledger.ErrExists),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	wrapped := fmt.Errorf("%s ledger %s: %w", operation, path, err)
	if why := classify(path, err); why != nil {
		why.Err = wrapped
		return why
	}
	return wrapped
}

// classify knows the errors that a person can do something about.
func classify(path string, err error) *spool.Error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return classifyFile(path, err)
	}
	switch e.Code() & 0xff { // the rest of the code is detail
	case sqlite3.SQLITE_FULL:
		return noSpace(path)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return damaged(path, nil)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
		return readOnly(path)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return &spool.Error{
			Class: spool.Transient, Code: codeBusy,
			Reason: "another process has been writing to the ledger " + path + " for more than 10 s",
		}
	case sqlite3.SQLITE_IOERR:
		if full(filepath.Dir(path)) {
			return noSpace(path)
		}
		return &spool.Error{
			Class: spool.Environment, Code: "ledger-unreadable",
			Reason: "the disk with the ledger " + path + " reports an error",
			Hint:   "look at the system's log for errors of that disk",
		}
	}
	return nil
}

func classifyFile(path string, err error) *spool.Error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return noSpace(path)
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return readOnly(path)
	}
	return nil
}

func noSpace(path string) *spool.Error {
	return &spool.Error{
		Class: spool.Environment, Code: "no-space",
		Reason: "no space is left for the ledger " + path,
		Hint:   "make room on that disk, or name another state folder with --state",
	}
}

func readOnly(path string) *spool.Error {
	return &spool.Error{
		Class: spool.Environment, Code: "ledger-read-only",
		Reason: "the ledger " + path + " cannot be written",
		Hint:   "make its folder writable, or name another one with --state",
	}
}

func damaged(path string, err error) *spool.Error {
	return &spool.Error{
		Class: spool.Permanent, Code: "ledger-corrupt",
		Reason: "the ledger " + path + " is damaged, so nothing is done with it",
		Hint:   "put back a copy of it from a backup; without one, move it away: what is complete in the destination is then adopted",
		Err:    err,
	}
}

// full: less is free than SQLite needs to go on.
func full(dir string) bool {
	free, err := disk.Free(dir)
	return err == nil && free < 1<<20
}
