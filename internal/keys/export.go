package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/disk"
)

// Path is where Export puts a key: <dir>/<video>/<keyID>.key.
func Path(dir, video, keyID string) string {
	return filepath.Join(dir, video, keyID+".key")
}

// Export writes a content key where players' key server finds it, exactly 16
// bytes that only the owner may read. When it returns nil the key survives a
// power cut. A key that is there already is left alone; another key of that
// name is an error, because something published needs it.
func Export(dir, video, keyID string, key []byte) error {
	if !spool.ValidID(video) || !spool.ValidID(keyID) {
		return fmt.Errorf("export key %q of %q: not a plain name", keyID, video)
	}
	if len(key) != ContentKeySize {
		return fmt.Errorf("export key %s of %s: %d bytes, want %d", keyID, video, len(key), ContentKeySize)
	}
	path := Path(dir, video, keyID)
	there, err := os.ReadFile(path)
	switch {
	case err == nil && bytes.Equal(there, key):
		return nil
	case err == nil && len(there) == ContentKeySize:
		return &spool.Error{
			Class: spool.Permanent, Code: "key-differs",
			Reason: fmt.Sprintf("the key file %s holds another key", path),
			Hint:   "give every destination a --keys folder of its own",
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return exportError(path, err)
	}
	if err := writeKey(path, key); err != nil {
		return exportError(path, err)
	}
	return nil
}

// Remove deletes the exported keys of a video, but not those of keep; keys
// that are not there are no error.
func Remove(dir, video string, keep ...string) error {
	if !spool.ValidID(video) {
		return fmt.Errorf("remove keys of %q: not a plain name", video)
	}
	folder := filepath.Join(dir, video)
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove keys of %s: %w", video, err)
	}
	kept := map[string]bool{}
	for _, id := range keep {
		kept[id] = true
	}
	left := 0
	for _, e := range entries {
		id, isKey := strings.CutSuffix(e.Name(), ".key")
		if !isKey || kept[id] {
			left++
			continue
		}
		if err := os.Remove(filepath.Join(folder, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove keys of %s: %w", video, err)
		}
	}
	if left > 0 {
		return disk.Sync(folder)
	}
	if err := os.Remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove keys of %s: %w", video, err)
	}
	return nil
}

func exportError(path string, err error) error {
	return &spool.Error{
		Class: spool.Environment, Code: "keys-not-writable",
		Reason: fmt.Sprintf("the content key cannot be written to %s", path),
		Hint:   "make the --keys folder writable, with room on its disk",
		Err:    err,
	}
}

func writeKey(path string, key []byte) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	temp, err := writeTemp(folder, key)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := disk.Sync(folder); err != nil {
		return err
	}
	return disk.Sync(filepath.Dir(folder))
}

// writeTemp writes and syncs a file of mode 0600 in folder and gives its name.
func writeTemp(folder string, content []byte) (string, error) {
	f, err := os.CreateTemp(folder, ".key-*.part") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}
