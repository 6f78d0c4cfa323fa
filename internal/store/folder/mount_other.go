//go:build !linux

package folder

// MountPoint is where the file system is mounted that a path lies on; it is
// told on Linux only, and "" here.
func MountPoint(string) string { return "" }
