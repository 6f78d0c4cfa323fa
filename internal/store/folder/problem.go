package folder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"syscall"

	"github.com/dustin/go-humanize"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/disk"
)

// problem says what an error of the file system means for what happens next.
func (s *Store) problem(operation, name string, err error) error {
	var known *spool.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	// Whatever it was: when the folder is not there, that is the reason.
	if err := s.doubt(); err != nil {
		return err
	}
	wrapped := fmt.Errorf("%s %s in %s: %w", operation, name, s.dir, err)
	if why := s.classify(name, err); why != nil {
		why.Err = wrapped
		return why
	}
	return wrapped
}

// classify knows the errors that a person can do something about.
func (s *Store) classify(name string, err error) *spool.Error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return s.noSpace()
	case errors.Is(err, syscall.ENOTCONN), errors.Is(err, syscall.ESTALE), errors.Is(err, syscall.ENODEV),
		errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, syscall.EHOSTDOWN):
		return away(s.dir, nil)
	}
	if errno := syscall.Errno(0); !errors.As(err, &errno) || slices.Contains(standing, errno) {
		if way := s.inTheWay(name); way != nil {
			return way
		}
	}
	if errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission) {
		return &spool.Error{
			Class: spool.Environment, Code: "dest-read-only",
			Reason: "the destination " + s.dir + " cannot be written",
			Hint:   "make it writable for this user, or name another one with --to",
		}
	}
	return nil
}

func (s *Store) noSpace() *spool.Error {
	reason := "no space is left in the destination " + s.dir
	if free, err := disk.Free(s.dir); err == nil {
		reason += " (free: " + humanize.Bytes(uint64(free)) + ")" //nolint:gosec // never negative
	}
	return &spool.Error{
		Class: spool.Environment, Code: "no-space", Reason: reason,
		Hint: "make room there; Spool goes on by itself",
	}
}

// standing are the system's errors for something that stands in the way. A
// link that leads out of the folder is refused by os.Root, without a number.
var standing = []syscall.Errno{syscall.ENOTDIR, syscall.EISDIR, syscall.EEXIST, syscall.ENOTEMPTY, syscall.ELOOP}

// inTheWay finds what stands where an object or its folder must be: a link,
// which could lead anywhere, or something of the wrong kind.
func (s *Store) inTheWay(name string) *spool.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.root == nil || name == "" {
		return nil
	}
	for part := name; part != "." && part != "/"; part = path.Dir(part) {
		info, err := s.root.Lstat(part)
		if err != nil {
			continue
		}
		what := ""
		switch {
		case info.Mode()&os.ModeSymlink != 0:
			what = "a link"
		case part == name && info.IsDir():
			what = "a folder"
		case part != name && !info.IsDir():
			what = "a file where a folder must be"
		default:
			continue
		}
		return &spool.Error{
			Class: spool.Permanent, Code: "object-in-the-way",
			Reason: fmt.Sprintf("%s in the destination %s is %s, which Spool does not replace", part, s.dir, what),
			Hint:   "move it away",
		}
	}
	return nil
}

// away: the folder is not there, or is not the one it was.
func away(dir string, err error) *spool.Error {
	return &spool.Error{
		Class: spool.Environment, Code: "dest-away",
		Reason: "the destination " + dir + " is away: it is not there, or it is not the folder that it was",
		Hint:   "mount or connect it again; Spool goes on by itself",
		Err:    err,
	}
}

func notAFolder(dir string) error {
	return &spool.Error{
		Class: spool.Permanent, Code: "dest-not-a-folder",
		Reason: "the destination " + dir + " is a file, or lies below one",
		Hint:   "name a folder with --to",
	}
}

// missing: there is nothing of that name. A file where a folder would be says
// the same.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
