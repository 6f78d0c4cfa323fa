package folder

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store"
)

// Put writes an object. A folder keeps no headers: whoever serves it goes by
// the names.
func (s *Store) Put(ctx context.Context, name string, body io.ReadSeeker, _ store.PutOptions) error {
	root, err := s.writable(ctx, name)
	if err != nil {
		return s.problem("put", name, err)
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("put %s: rewind what is to be written: %w", name, err)
	}
	var from io.Reader = body
	if s.properties.AtomicPut { // else what was there is gone as soon as it is begun
		from = &stoppable{ctx, body}
	}
	return s.problem("put", name, s.write(root, name, from))
}

// Delete removes an object, and the folders that are empty without it.
func (s *Store) Delete(ctx context.Context, name string) error {
	root, err := s.writable(ctx, name)
	if err != nil {
		return s.problem("delete", name, err)
	}
	info, err := root.Lstat(name)
	if missing(err) || err == nil && info.IsDir() {
		return s.doubt() // not there, or the whole store is not
	}
	if err == nil {
		err = root.Remove(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.problem("delete", name, err)
	}
	s.folders.Lock()
	defer s.folders.Unlock()
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if root.Remove(dir) != nil {
			break // not empty
		}
	}
	return nil
}

// writable gives the folder when name can be written in it.
func (s *Store) writable(ctx context.Context, name string) (*os.Root, error) {
	if err := errors.Join(ctx.Err(), store.CheckName(name)); err != nil {
		return nil, err
	}
	if own(name) {
		return nil, &spool.Error{
			Class: spool.Permanent, Code: "bad-object-name",
			Reason: "the object name " + name + " is one that the store keeps for itself",
		}
	}
	if s.o.ReadOnly {
		return nil, &spool.Error{
			Class: spool.Permanent, Code: "store-read-only",
			Reason: "the folder " + s.dir + " was opened for reading only",
		}
	}
	return s.live()
}

// own: the store's own files, which are no objects.
func own(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return first == tokenName || first == tempName
}

func (s *Store) write(root *os.Root, name string, body io.Reader) error {
	if s.properties.AtomicPut {
		return s.writeAside(root, name, body)
	}
	return s.writeInPlace(root, name, body)
}

// writeAside writes under another name and renames.
func (s *Store) writeAside(root *os.Root, name string, body io.Reader) error {
	temp := path.Join(tempName, rand.Text())
	err := writeFile(root, temp, os.O_EXCL, body)
	if errors.Is(err, fs.ErrNotExist) { // somebody tidied up; nothing of body was read yet
		if err = mkdirs(root, tempName); err == nil {
			err = writeFile(root, temp, os.O_EXCL, body)
		}
	}
	if err == nil {
		err = s.inFolder(root, name, func() error { return root.Rename(temp, name) })
	}
	if err != nil {
		_ = root.Remove(temp) // else the next Open sweeps it
		return err
	}
	return nil
}

// writeInPlace writes under the object's own name, and reads back. What is not
// whole is removed.
func (s *Store) writeInPlace(root *os.Root, name string, body io.Reader) error {
	sum := &summed{Reader: body, sum: sha256.New()}
	begun := false
	err := s.inFolder(root, name, func() error {
		if begun {
			return errors.New("its folder went away while it was written")
		}
		err := writeFile(root, name, os.O_TRUNC, sum)
		begun = !errors.Is(err, fs.ErrNotExist)
		return err
	})
	if err == nil {
		err = readBack(root, name, sum)
	}
	if err != nil && begun {
		_ = root.Remove(name)
	}
	return err
}

// inFolder does what makes an object appear, with its folder there, and syncs
// the folder. Another process may remove the folder, while it is empty,
// between the two; then it is made again.
func (s *Store) inFolder(root *os.Root, name string, do func() error) error {
	s.folders.RLock()
	defer s.folders.RUnlock()
	var err error
	for range 3 {
		if err = mkdirs(root, path.Dir(name)); err != nil {
			return err
		}
		if err = do(); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return err
	}
	return syncFolder(root, path.Dir(name))
}

// mkdirs makes a folder below root and those above it, each one durable in its
// parent.
func mkdirs(root *os.Root, dir string) error {
	if info, err := root.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if parent := path.Dir(dir); parent != dir {
		if err := mkdirs(root, parent); err != nil {
			return err
		}
	}
	if err := root.Mkdir(dir, 0o755); err != nil {
		if info, statErr := root.Stat(dir); statErr == nil && info.IsDir() {
			return nil // somebody else made it
		}
		return err
	}
	return syncFolder(root, path.Dir(dir))
}

func syncFolder(root *os.Root, dir string) error {
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(syncFile(f), f.Close())
}

// writeFile writes a file and syncs it.
func writeFile(root *os.Root, name string, flag int, body io.Reader) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|flag, 0o644)
	if err != nil {
		return err
	}
	if _, err = io.Copy(f, body); err == nil {
		err = syncFile(f)
	}
	// Some network mounts tell only now that the bytes were not taken.
	return errors.Join(err, f.Close())
}

// readBack compares an object with what was read for it.
func readBack(root *os.Root, name string, want *summed) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	if err != nil {
		return err
	}
	if n != want.read || !bytes.Equal(sum.Sum(nil), want.sum.Sum(nil)) {
		return fmt.Errorf("read back: %d bytes that are not the %d written", n, want.read)
	}
	return nil
}

// summed counts and sums what is read through it.
type summed struct {
	io.Reader
	sum  hash.Hash
	read int64 // bytes
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.read += int64(n)
	s.sum.Write(p[:n])
	return n, err
}

// stoppable ends reading when ctx ends.
type stoppable struct {
	ctx context.Context //nolint:containedctx // lives as long as one Put
	io.Reader
}

func (s *stoppable) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.Reader.Read(p)
}
