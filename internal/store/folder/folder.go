// Package folder is a store in a folder: on a disk, or on a bucket or a share
// that is mounted as one.
//
// An object is written under a temporary name, synced, renamed, and its folder
// is synced. Mounted buckets refuse some of that. A refused fsync is survived;
// where renaming is refused, objects are written in place and read back, and
// Properties says so. The folder carries a token: without it the destination
// is away (an empty mount point looks just like a new folder), and nothing is
// written.
package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spool-video/spool/internal/store"
)

const (
	tokenName = ".spool-store" // holds a random ID, made once
	tempName  = ".spool-tmp"   // folder of what is being written
)

var _ store.Store = (*Store)(nil)

// Options are how a folder is opened; the zero value is usual.
type Options struct {
	// Token is the Token of an earlier Open of the same destination: a folder
	// with another one, or with none, is not it. "" takes any.
	Token string
	// ReadOnly: nothing is made, probed or swept, and Put and Delete fail. A
	// folder that was never a store can be read too.
	ReadOnly bool
	// SweepAge is how old a temporary file must be for Open to delete it; it
	// must be longer than any one Put. 0 is an hour.
	SweepAge time.Duration
	// CheckEvery is how often the token is looked at while all goes well. 0 is
	// 5 seconds.
	CheckEvery time.Duration
}

// Store is an open folder.
type Store struct {
	dir        string
	o          Options
	properties store.Properties

	// folders is held for reading while an object is put into a folder that
	// must stay, for writing while empty folders are removed.
	folders sync.RWMutex

	mu      sync.Mutex // owns what follows
	token   string     // "" only when reading a folder without one
	root    *os.Root
	retired []*os.Root // earlier roots, which calls may still be using
	checked time.Time  // when the token was last seen
}

// Open opens the folder as a store, and makes it when it is not there.
//
// It writes a small test object, to learn whether the folder renames. A folder
// that is full, read-only or away (see Options.Token) is an Environment
// spool.Error.
func Open(dir string, o Options) (*Store, error) {
	if o.SweepAge == 0 {
		o.SweepAge = time.Hour
	}
	if o.CheckEvery == 0 {
		o.CheckEvery = 5 * time.Second
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder %s: %w", dir, err)
	}
	s := &Store{dir: dir, o: o, properties: store.Properties{Address: dir}}
	if err := s.open(); err != nil {
		_ = s.Close() // the error that matters is the one at hand
		return nil, s.problem("open", "", err)
	}
	return s, nil
}

// Token is what tells this folder from every other; keep it, and give it to
// the next Open. "" when a folder without one is read.
func (s *Store) Token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token
}

// Properties states what the folder can do.
func (s *Store) Properties() store.Properties { return s.properties }

// Close gives the folder back; a store that is closed cannot be used.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	roots := s.retired
	if s.root != nil {
		roots = append(roots, s.root)
	}
	s.retired, s.root = nil, nil
	var errs []error
	for _, root := range roots {
		errs = append(errs, root.Close())
	}
	return errors.Join(errs...)
}

func (s *Store) open() error {
	if err := s.enter(); err != nil {
		return err
	}
	s.checked = time.Now()
	if s.o.ReadOnly {
		return nil
	}
	if err := s.root.Mkdir(tempName, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	atomic, err := probe(s.root)
	if err != nil {
		return err
	}
	s.properties.AtomicPut = atomic
	s.properties.Checksum = !atomic // what is written in place is read back
	if err := s.identify(); err != nil {
		return err
	}
	return s.sweep()
}

// enter opens the folder and looks whether it is the expected one.
func (s *Store) enter() error {
	info, err := os.Stat(s.dir)
	switch {
	case err == nil && !info.IsDir(), errors.Is(err, syscall.ENOTDIR):
		return notAFolder(s.dir)
	case errors.Is(err, fs.ErrNotExist) && (s.o.ReadOnly || s.o.Token != ""):
		return away(s.dir, err)
	case errors.Is(err, fs.ErrNotExist):
		if err := makeFolder(s.dir); err != nil {
			return err
		}
	}
	if s.root, err = os.OpenRoot(s.dir); err != nil {
		return err
	}
	if s.token, err = readToken(s.root); err != nil {
		return err
	}
	if s.o.Token != "" && s.o.Token != s.token {
		return away(s.dir, nil)
	}
	return nil
}

// live gives the folder to work in. Now and then, and after anything went
// wrong, it makes sure that the folder is still the same.
func (s *Store) live() (*os.Root, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.root == nil {
		return nil, fs.ErrClosed
	}
	if time.Since(s.checked) < s.o.CheckEvery {
		return s.root, nil
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	s.checked = time.Now()
	return s.root, nil
}

// doubt makes the next call look at the token, and looks at it now.
func (s *Store) doubt() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checked = time.Time{}
	if s.root == nil {
		return nil
	}
	return s.check()
}

// check looks at the folder by its path, as if for the first time. When it was
// mounted again, the new mount takes the place of the old. The caller holds
// the lock.
func (s *Store) check() error {
	fresh, err := os.OpenRoot(s.dir)
	if err != nil {
		return away(s.dir, err)
	}
	token, err := readToken(fresh)
	if err != nil || token != s.token {
		_ = fresh.Close()
		return away(s.dir, err)
	}
	was, errWas := s.root.Stat(".")
	is, errIs := fresh.Stat(".")
	if errWas == nil && errIs == nil && os.SameFile(was, is) {
		return fresh.Close()
	}
	s.retired = append(s.retired, s.root)
	s.root = fresh
	return nil
}
