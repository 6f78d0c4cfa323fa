package folder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"

	"github.com/spool-video/spool/internal/store"
)

// Open reads length bytes from offset; length < 0 means to the end. Past the
// end there is nothing to read.
func (s *Store) Open(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	f, _, err := s.find(ctx, name)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, s.problem("open", name, errors.Join(err, f.Close()))
	}
	if length < 0 {
		return f, nil
	}
	return section{io.LimitReader(f, length), f}, nil
}

// Stat tells size and time of one object.
func (s *Store) Stat(ctx context.Context, name string) (store.Info, error) {
	f, info, err := s.find(ctx, name)
	if err != nil {
		return store.Info{}, err
	}
	if err := f.Close(); err != nil {
		return store.Info{}, s.problem("stat", name, err)
	}
	return store.Info{Name: name, Size: info.Size(), Modified: info.ModTime()}, nil
}

// section is a part of a file.
type section struct {
	io.Reader
	io.Closer
}

// find opens an object: a plain file that is not the store's own.
func (s *Store) find(ctx context.Context, name string) (*os.File, fs.FileInfo, error) {
	if err := errors.Join(ctx.Err(), store.CheckName(name)); err != nil {
		return nil, nil, s.problem("open", name, err)
	}
	root, err := s.live()
	if err != nil {
		return nil, nil, s.problem("open", name, err)
	}
	if own(name) {
		return nil, nil, s.missing(name)
	}
	// Looked at first: opening a pipe or a device would wait or do harm.
	switch info, err := root.Stat(name); {
	case missing(err), err == nil && !info.Mode().IsRegular():
		return nil, nil, s.missing(name)
	case err != nil:
		return nil, nil, s.problem("open", name, err)
	}
	f, err := root.Open(name)
	if missing(err) {
		return nil, nil, s.missing(name)
	}
	if err != nil {
		return nil, nil, s.problem("open", name, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, s.problem("open", name, errors.Join(err, f.Close()))
	}
	return f, info, nil
}

// missing says that an object is not there, unless the whole store is not.
func (s *Store) missing(name string) error {
	if err := s.doubt(); err != nil {
		return err
	}
	return fmt.Errorf("open %s in %s: %w", name, s.dir, store.ErrNotFound)
}

// List yields every object whose name begins with prefix.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		root, err := s.live()
		if err != nil {
			yield(store.Info{}, s.problem("list", prefix, err))
			return
		}
		l := lister{ctx: ctx, prefix: prefix, yield: yield}
		start := "."
		if i := strings.LastIndexByte(prefix, '/'); i > 0 {
			start = path.Clean(prefix[:i])
		}
		if !fs.ValidPath(start) {
			return // no object's name begins so
		}
		err = fs.WalkDir(root.FS(), start, l.visit)
		if err == nil || errors.Is(err, errEnough) {
			return
		}
		if missing(err) {
			if err = s.doubt(); err == nil {
				return // no object's name begins so
			}
		}
		yield(store.Info{}, s.problem("list", prefix, err))
	}
}

// errEnough: whoever ranges over a list has stopped.
var errEnough = errors.New("enough")

// lister is one walk through the folder.
type lister struct {
	ctx    context.Context //nolint:containedctx // lives as long as one List
	prefix string
	yield  func(store.Info, error) bool
}

func (l lister) visit(name string, d fs.DirEntry, err error) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	if err != nil {
		return l.unread(name, err)
	}
	if own(name) || d.IsDir() && !l.below(name) {
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	}
	if !d.Type().IsRegular() || !strings.HasPrefix(name, l.prefix) {
		return nil
	}
	info, err := d.Info()
	if missing(err) {
		return nil // deleted in the meantime
	}
	if err != nil {
		return err
	}
	if !l.yield(store.Info{Name: name, Size: info.Size(), Modified: info.ModTime()}, nil) {
		return errEnough
	}
	return nil
}

// unread: a folder that went away while the list was made is no error; the
// place where the list begins is.
func (l lister) unread(name string, err error) error {
	if missing(err) && name != "." && len(name) >= len(l.prefix) {
		return nil
	}
	return err
}

// below: the folder may hold names that begin with the prefix.
func (l lister) below(dir string) bool {
	return dir == "." || strings.HasPrefix(l.prefix, dir+"/") || strings.HasPrefix(dir+"/", l.prefix)
}
