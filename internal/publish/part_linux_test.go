package publish

import (
	"errors"
	"syscall"
	"testing"

	"github.com/spool-video/spool"
)

func TestFullScratch(t *testing.T) {
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=128k")
	if errors.Is(err, syscall.EPERM) {
		t.Skip("a full disk needs the right to mount a small tmpfs")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	p := open(t, dir, "mark")
	_, err = p.Write(Plain{Rendition: "v0-360p"}, make([]byte, 1<<20))
	var e *spool.Error
	if !errors.As(err, &e) || e.Class != spool.Environment || e.Code != "no-space" || e.Hint == "" {
		t.Fatalf("%v", err)
	}
	// What was half-written is gone: there is room again.
	write(t, p, 1)
}
