package folder

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMountPoint(t *testing.T) {
	for path, want := range map[string]string{"/": "/", "/proc": "/proc", "/proc/self/x": "/proc", "/process-not-there/x": "/"} {
		if got := MountPoint(path); got != want {
			t.Errorf("MountPoint(%s) = %q, want %q", path, got, want)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/proc/self", link); err != nil {
		t.Fatal(err)
	}
	if got := MountPoint(filepath.Join(link, "not there")); got != "/proc" {
		t.Errorf("through a link: %q", got)
	}
}
