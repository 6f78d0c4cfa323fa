package watch_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/watch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFilesSettle looks at files again and again, at times of its own.
func TestFilesSettle(t *testing.T) {
	f := watch.Files{Settle: 10 * time.Second}
	start := time.Unix(1000, 0)
	small, large := spool.SourceStamp{Size: 1, Modified: 5}, spool.SourceStamp{Size: 2, Modified: 5}
	touched := spool.SourceStamp{Size: 2, Modified: 6}
	for i, look := range []struct {
		at    int // seconds
		files map[string]spool.SourceStamp
		whole map[string]bool
		next  int // seconds; -1: nothing is waited for
	}{
		{0, map[string]spool.SourceStamp{"a": small, "empty": {}}, nil, 10},
		{4, map[string]spool.SourceStamp{"a": large, "empty": {}}, nil, 10},
		{8, map[string]spool.SourceStamp{"a": touched, "b": small}, nil, 10},
		{12, map[string]spool.SourceStamp{"a": touched, "b": small}, nil, 6},
		{18, map[string]spool.SourceStamp{"a": touched, "b": small, "empty": {}}, map[string]bool{"a": true, "b": true}, -1},
		{19, map[string]spool.SourceStamp{"b": small}, map[string]bool{"b": true}, -1},
		// It was away for a look: it is a new one.
		{30, map[string]spool.SourceStamp{"a": touched, "b": small}, map[string]bool{"b": true}, 10},
	} {
		now := start.Add(time.Duration(look.at) * time.Second)
		f.Begin()
		for path, stamp := range look.files {
			if got := f.Whole(path, stamp, now); got != look.whole[path] {
				t.Errorf("look %d: %s is whole: %v", i, path, got)
			}
		}
		next, any := f.Next(now)
		if any != (look.next >= 0) || any && next != time.Duration(look.next)*time.Second {
			t.Errorf("look %d: the next is due in %s, %v", i, next, any)
		}
	}
}

// TestBellRings changes a folder, one that is made in it, and the folder of a
// file. A bell that does not ring lets the test wait until it is ended.
func TestBellRings(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	list := filepath.Join(other, "list.txt")
	write := func(path string) {
		t.Helper()
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(list)
	b := watch.NewBell(filepath.Join(dir, "skipped"))
	b.Listen(dir)
	b.Listen(list)
	b.Listen(filepath.Join(dir, "not-there"))
	write(filepath.Join(dir, "a.mp4"))
	<-b.Rings()
	below := filepath.Join(dir, "below")
	if err := os.Mkdir(below, 0o700); err != nil {
		t.Fatal(err)
	}
	<-b.Rings()
	// The folder is listened to some time after it was made.
	for i := 0; ; i++ {
		write(filepath.Join(below, "b.mp4"))
		select {
		case <-b.Rings():
		case <-time.After(50 * time.Millisecond):
			continue
		}
		break
	}
	write(list)
	<-b.Rings()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}
