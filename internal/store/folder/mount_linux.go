package folder

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// MountPoint is where the file system is mounted that a path lies on, or would
// lie on if it were there; "" when that cannot be told. When it is the same as
// before, a destination that is missing was deleted; when it is another one,
// what held the destination is not mounted.
func MountPoint(path string) string {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // it was only read
	path, longest := resolve(path), ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		const mountPoint = 4 // proc_pid_mountinfo(5), counted from 0
		if len(fields) <= mountPoint {
			continue
		}
		at := unescape.Replace(fields[mountPoint])
		if len(at) >= len(longest) && within(path, at) {
			longest = at
		}
	}
	return longest
}

// resolve follows the symbolic links of as much of a path as is there.
func resolve(path string) string {
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		return real
	}
	if parent := filepath.Dir(path); parent != path {
		return filepath.Join(resolve(parent), filepath.Base(path))
	}
	return path
}

// unescape undoes what mountinfo writes in place of what separates its fields.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
