package sqliteledger_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

func TestFullDisk(t *testing.T) {
	dir := mount(t, "size=1m")
	path := filepath.Join(dir, "ledger.db")
	l := open(t, path)
	if err := l.Accept(t.Context(), video("a")); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	var err error
	accepted := 0
	for n := 0; err == nil && n < 1000; n++ {
		if err = l.Accept(t.Context(), video("more-"+strings.Repeat("x", n%50)+time.Now().Format("150405-000000000"))); err == nil {
			accepted++
		}
	}
	wantError(t, err, spool.Environment, "no-space")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := l.Accept(t.Context(), video("after")); err != nil {
		t.Errorf("accept when there is room again: %v", err)
	}
	if videos, err := l.List(t.Context(), ledger.Filter{}); err != nil || len(videos) != 2+accepted {
		t.Errorf("the ledger holds %d videos, %v; want %d", len(videos), err, 2+accepted)
	}
}

func TestFullDiskAtTheStart(t *testing.T) {
	dir := mount(t, "size=1m")
	fill(t, filepath.Join(dir, "ballast"))
	refused(t, filepath.Join(dir, "ledger.db"), spool.Environment, "no-space")
}

func TestReadOnlyDisk(t *testing.T) {
	dir := mount(t, "size=4m")
	path := filepath.Join(dir, "ledger.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	refused(t, path, spool.Environment, "ledger-read-only")
	refused(t, filepath.Join(dir, "new", "ledger.db"), spool.Environment, "ledger-read-only")
}

// mount gives a small disk of its own.
func mount(t *testing.T, options string) string {
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

// fill takes all that is left on a disk.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if closeErr := f.Close(); closeErr != nil || !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err, closeErr)
	}
}
