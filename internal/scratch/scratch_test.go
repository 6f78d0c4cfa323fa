package scratch

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/disk"
)

func fill(t *testing.T, dir string, n int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x"), make([]byte, n), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSweepKeepsWhatIsBeingMade(t *testing.T) {
	s, err := Open(t.TempDir(), 1000, 0)
	if err != nil {
		t.Fatal(err)
	}
	key := spool.JobKey{Video: "a", Revision: "r2"}
	fill(t, s.Source(key), 1)
	fill(t, s.Revision(key), 1)
	fill(t, s.Revision(spool.JobKey{Video: "a", Revision: "r1"}), 1)
	fill(t, s.Source(spool.JobKey{Video: "gone"}), 1)
	if err := s.Sweep(map[string]string{"a": "r2"}); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(s.Dir(), "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{s.Revision(key), s.Source(key)}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Error(diff)
	}
}

func TestFullAtTheLimit(t *testing.T) {
	dir := t.TempDir()
	fill(t, filepath.Join(dir, "a", "source"), 99)
	s, err := Open(dir, 100, 0)
	if err != nil {
		t.Fatal(err)
	}
	if s.Full() {
		t.Error("99 of 100 bytes are called full")
	}
	fill(t, filepath.Join(dir, "b", "source"), 1)
	again, err := Open(dir, 100, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !again.Full() {
		t.Error("100 of 100 bytes are not called full")
	}
}

func TestShareOfTheDisk(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, 0, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	free, err := disk.Free(dir)
	if err != nil {
		t.Fatal(err)
	}
	if ratio := float64(s.Limit()) / float64(free); ratio < 0.4 || ratio > 0.6 {
		t.Errorf("limit is %.2f of the free space, want about half", ratio)
	}
}

func TestRemoveRefusesWhatIsNoID(t *testing.T) {
	s, err := Open(t.TempDir(), 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"..", "", "../x", "a/b"} {
		if s.Remove(id) == nil {
			t.Errorf("Remove(%q) was not refused", id)
		}
	}
}
