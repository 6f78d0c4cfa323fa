//go:build unix

package scratch

import (
	"fmt"

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
