package folder

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// readToken reads the folder's token, "" when it has none.
func readToken(root *os.Root) (string, error) {
	b, err := root.ReadFile(tokenName)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(b)), err
}

// identify gives a new store its token.
func (s *Store) identify() error {
	if s.token != "" {
		return nil
	}
	if err := s.write(s.root, tokenName, strings.NewReader(rand.Text()+"\n")); err != nil {
		return err
	}
	var err error
	s.token, err = readToken(s.root)
	if err == nil && s.token == "" {
		err = fmt.Errorf("token %s: written but not there", tokenName)
	}
	return err
}

// probe learns whether an object can be put by renaming it over another.
func probe(root *os.Root) (atomic bool, err error) {
	from, to := path.Join(tempName, "probe-"+rand.Text()), path.Join(tempName, "probe-"+rand.Text())
	defer func() {
		_ = root.Remove(from) // not there after a rename
		_ = root.Remove(to)
	}()
	for _, name := range []string{from, to} {
		if err := writeFile(root, name, os.O_EXCL, strings.NewReader(name)); err != nil {
			return false, err
		}
	}
	switch err := root.Rename(from, to); {
	case refused(err), errors.Is(err, fs.ErrExist):
		return false, nil
	case err != nil:
		return false, err
	}
	got, err := root.ReadFile(to)
	return string(got) == from, err
}

// sweep deletes what an earlier run was writing when it was killed.
func (s *Store) sweep() error {
	names, err := fs.ReadDir(s.root.FS(), tempName)
	if err != nil {
		return err
	}
	for _, d := range names {
		info, err := d.Info()
		if err != nil || time.Since(info.ModTime()) < s.o.SweepAge {
			continue // gone already, or somebody is at it
		}
		if err := s.root.Remove(path.Join(tempName, d.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// makeFolder makes a folder and those above it, each one durable in its
// parent.
func makeFolder(dir string) error {
	parent := filepath.Dir(dir)
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err := makeFolder(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.Open(parent)
	if err != nil {
		return err
	}
	return errors.Join(syncFile(f), f.Close())
}

// syncFile is fsync, survived where the file system does not know it. Any
// other error means that what was written may be lost.
func syncFile(f *os.File) error {
	if err := f.Sync(); err != nil && !refused(err) {
		return err
	}
	return nil
}

// refused: the file system does not do this at all.
func refused(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || // ENOSYS, ENOTSUP, EOPNOTSUPP
		errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EXDEV)
}
