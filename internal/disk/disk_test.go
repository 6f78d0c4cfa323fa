package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestSyncOfFilesAndFolders(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "x")
	if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{name, dir} {
		if err := Sync(path); err != nil {
			t.Errorf("sync %s: %v", path, err)
		}
	}
}

func TestWhatIsNotThere(t *testing.T) {
	away := filepath.Join(t.TempDir(), "away")
	if err := Sync(away); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("sync = %v, want that it is not there", err)
	}
	if free, err := Free(away); !errors.Is(err, fs.ErrNotExist) || free != 0 {
		t.Errorf("free = %d, %v, want that it is not there", free, err)
	}
}
