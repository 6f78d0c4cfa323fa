package disk

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

// /proc is a file system that syncs no folders.
func TestFolderThatCannotBeSynced(t *testing.T) {
	f, err := os.Open("/proc")
	if err != nil {
		t.Skipf("there is no /proc: %v", err)
	}
	defer f.Close()
	if err := f.Sync(); !errors.Is(err, syscall.EINVAL) {
		t.Skipf("/proc takes fsync here: %v", err)
	}
	if err := Sync("/proc"); err != nil {
		t.Errorf("sync = %v, want that it is taken at its word", err)
	}
}

func TestFree(t *testing.T) {
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=20m")
	if errors.Is(err, syscall.EPERM) {
		t.Skip("a disk of a known size needs the right to mount a small tmpfs")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	if free, err := Free(dir); err != nil || free != 20<<20 {
		t.Errorf("free = %d, %v, want %d", free, err, 20<<20)
	}
}
