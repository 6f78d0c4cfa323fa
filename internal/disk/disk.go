// Package disk is what the file system of a path is asked by all who write to
// one: to keep what was written, and how much more it takes.
package disk

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Sync makes what was written survive a power cut: a file's bytes, or the names
// in a folder. A file system that does not know how, as some network mounts
// do not for folders, is taken at its word; any other error means that it may
// be lost.
func Sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	if err = f.Sync(); errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) { // ENOSYS, ENOTSUP, EOPNOTSUPP
		err = nil
	}
	return errors.Join(err, f.Close())
}

// Free is how many bytes this user can still write on the file system of a
// path.
func Free(path string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", path, err)
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:unconvert,gosec // the types differ between systems; both are far below 2^63
}
