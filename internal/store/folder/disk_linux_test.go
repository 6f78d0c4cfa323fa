package folder_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/folder"
)

func TestFullDisk(t *testing.T) {
	dir := mountDisk(t, "size=20m")
	s := open(t, dir, folder.Options{})
	mustPut(t, s, "v/old")
	big := bytes.NewReader(make([]byte, 30<<20))
	err := s.Put(t.Context(), "v/big", big, store.PutOptions{})
	e := wantError(t, "put", err, spool.Environment, "no-space")
	if !strings.Contains(e.Reason, dir) || !strings.Contains(e.Reason, "free: ") {
		t.Errorf("%q does not say where, or how much is free", e.Reason)
	}
	if left, err := os.ReadDir(filepath.Join(dir, ".spool-tmp")); err != nil || len(left) != 0 {
		t.Errorf("temporary files: %v, %v; want none, they take the room", left, err)
	}
	if _, err := s.Stat(t.Context(), "v/big"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("stat of what did not fit = %v, want ErrNotFound", err)
	}
	mustPut(t, s, "v/small") // there is room again by itself
}

func TestFullDiskAtTheStart(t *testing.T) {
	dir := mountDisk(t, "size=64k")
	if err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 128<<10), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	refused(t, dir, folder.Options{}, "no-space")
}

func TestReadOnlyDisk(t *testing.T) {
	dir := mountDisk(t, "size=4m")
	s := open(t, dir, folder.Options{})
	mustPut(t, s, "v/a")
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	put := s.Put(t.Context(), "v/b", strings.NewReader("x"), store.PutOptions{})
	wantError(t, "put", put, spool.Environment, "dest-read-only")
	wantError(t, "delete", s.Delete(t.Context(), "v/a"), spool.Environment, "dest-read-only")
	refused(t, dir, folder.Options{}, "dest-read-only")
	refused(t, filepath.Join(dir, "new"), folder.Options{}, "dest-read-only")
	if _, err := s.Stat(t.Context(), "v/a"); err != nil {
		t.Errorf("reading: %v", err)
	}
}

// mountDisk gives a small disk of its own.
func mountDisk(t *testing.T, options string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small disk")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("may not mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
