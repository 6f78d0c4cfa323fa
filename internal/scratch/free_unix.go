//go:build unix

package scratch

import (
	"fmt"
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// Free is how many bytes an ordinary user can still write to the disk of a
// path.
func Free(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", path, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:unconvert,gosec // the types differ between systems; both are far below 2^63
}

// occupied is how much of the disk a file takes: downloads have holes where
// nothing has arrived yet.
func occupied(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return min(info.Size(), int64(st.Blocks)*512) //nolint:unconvert // the type differs between systems
	}
	return info.Size()
}
