package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/textproto"
	"path"
	"slices"
	"strings"
	"time"

	rclone "github.com/rclone/rclone/fs"

	"github.com/spool-video/spool/internal/store"
)

// Open reads length bytes from offset; length < 0 means to the end. Past the
// end there is nothing to read. What is cut short is asked for again from where
// it was cut.
func (s *Store) Open(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	r, err := s.openOnce(ctx, name, offset, length)
	if err != nil {
		return nil, err
	}
	return &reading{
		ReadCloser: r, tries: tries - 1,
		reopen: func(read int64) (io.ReadCloser, error) {
			if length < 0 {
				return s.openOnce(ctx, name, offset+read, length)
			}
			return s.openOnce(ctx, name, offset+read, length-read)
		},
		problem: func(err error) error { return s.problem(ctx, "read", name, err) },
	}, nil
}

// openOnce is Open without going on.
func (s *Store) openOnce(ctx context.Context, name string, offset, length int64) (r io.ReadCloser, err error) {
	err = s.again(ctx, "open", name, func(ctx context.Context) (err error) {
		if offset == 0 && length != 0 && s.kind.unasked != nil {
			r, err = s.openUnasked(ctx, name, length)
			if status, _ := answer(err); status != http.StatusRequestedRangeNotSatisfiable {
				return err
			} // it is empty: nothing of it can be asked for
		}
		o, err := s.find(ctx, name)
		if err == nil {
			r, err = open(ctx, o, offset, length)
		}
		return err
	})
	return r, err
}

// reading goes on with an object where what was read of it ended too early.
type reading struct {
	io.ReadCloser
	read    int64 // bytes so far
	tries   int   // that are left
	reopen  func(read int64) (io.ReadCloser, error)
	problem func(error) error
}

func (r *reading) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.read += int64(n)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	if r.tries == 0 {
		return n, r.problem(err)
	}
	rest, again := r.reopen(r.read)
	if again != nil {
		return n, again
	}
	_ = r.Close() // it has failed
	r.ReadCloser, r.tries = rest, r.tries-1
	return n, nil
}

// openUnasked opens an object, or the first length bytes of it, in one request.
func (s *Store) openUnasked(ctx context.Context, name string, length int64) (io.ReadCloser, error) {
	f, err := s.sought(ctx, name)
	if err != nil {
		return nil, err
	}
	unasked, err := s.blind(ctx)
	if err != nil {
		return nil, err
	}
	o, err := unasked.NewObject(ctx, name)
	if err != nil {
		return nil, err
	}
	var options []rclone.OpenOption
	if length > 0 { // as a header: of an object whose size it does not know, rclone asks for no range
		options = append(options, &rclone.HTTPOption{Key: "Range", Value: fmt.Sprintf("bytes=0-%d", length-1)})
	}
	r, err := o.Open(ctx, options...)
	if missing(err) {
		return nil, s.absent(ctx, f, err)
	}
	if err != nil || length < 0 {
		return r, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r, length), r}, nil
}

// open reads length bytes of an object from offset; length < 0 means to the
// end.
func open(ctx context.Context, o rclone.Object, offset, length int64) (io.ReadCloser, error) {
	left := o.Size() - offset
	if length >= 0 {
		left = min(left, length)
	}
	if left <= 0 {
		return io.NopCloser(strings.NewReader("")), nil
	}
	var options []rclone.OpenOption
	if offset > 0 || left < o.Size() {
		options = append(options, &rclone.RangeOption{Start: offset, End: offset + left - 1})
	}
	return o.Open(ctx, options...)
}

// Stat tells size and time of one object.
func (s *Store) Stat(ctx context.Context, name string) (info store.Info, err error) {
	err = s.again(ctx, "stat", name, func(ctx context.Context) error {
		o, err := s.find(ctx, name)
		if err == nil {
			info = about(ctx, o)
		}
		return err
	})
	return info, err
}

func about(ctx context.Context, o rclone.Object) store.Info {
	return store.Info{Name: o.Remote(), Size: o.Size(), Modified: o.ModTime(ctx)}
}

// find gives an object that is not the store's own.
func (s *Store) find(ctx context.Context, name string) (rclone.Object, error) {
	f, err := s.sought(ctx, name)
	if err != nil {
		return nil, err
	}
	o, err := object(ctx, f, name)
	if missing(err) {
		return nil, s.absent(ctx, f, err)
	}
	return o, err
}

// sought gives the connected store to look for an object in, whose name is not
// the store's own.
func (s *Store) sought(ctx context.Context, name string) (rclone.Fs, error) {
	if err := store.CheckName(name); err != nil {
		return nil, err
	}
	f, err := s.live(ctx)
	if err == nil && own(name) {
		err = rclone.ErrorObjectNotFound
	}
	return f, err
}

// absent is the error of an object that was not found: nothing is there in a
// bucket that has been removed, either.
func (s *Store) absent(ctx context.Context, f rclone.Fs, notThere error) error {
	if err := s.check(ctx, f); err != nil {
		return err
	}
	return notThere
}

// object asks for an object.
func object(ctx context.Context, f rclone.Fs, name string) (rclone.Object, error) {
	o, err := f.NewObject(ctx, name)
	if status, _ := answer(err); err != nil && status == http.StatusBadRequest {
		// WebDAV servers may say so of a name below a file.
		if _, isFile := f.NewObject(ctx, path.Dir(name)); isFile == nil {
			return nil, rclone.ErrorObjectNotFound
		}
	}
	return o, err
}

// List yields every object whose name begins with prefix.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for o, err := range s.objects(ctx, prefix) {
			info := store.Info{}
			if err == nil {
				info = about(ctx, o)
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// objects yields what List does, as rclone knows it.
func (s *Store) objects(ctx context.Context, prefix string) iter.Seq2[rclone.Object, error] {
	return func(yield func(rclone.Object, error) bool) {
		start := ""
		if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
			if start = prefix[:i]; store.CheckName(start) != nil {
				return // no object's name begins so
			}
		}
		err := ctx.Err()
		if err == nil {
			err = s.list(ctx, prefix, start, yield)
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, s.problem(ctx, "list", prefix, err))
		}
	}
}

func (s *Store) list(ctx context.Context, prefix, start string, yield func(rclone.Object, error) bool) error {
	f, err := s.live(ctx)
	if err != nil {
		return err
	}
	l := lister{ctx: ctx, fs: f, prefix: prefix, yield: yield}
	err = l.walk(start)
	if err == nil || errors.Is(err, errEnough) {
		return err
	}
	if _, isFile := f.NewObject(ctx, start); errors.Is(err, rclone.ErrorDirNotFound) || start != "" && isFile == nil || unlisted(ctx, f, start, err) {
		return s.check(ctx, f) // no object's name begins so, if the store is there
	}
	return err
}

// unlisted reports whether an FTP server that would not list a folder does not
// have it: some do not say so, but that the name is wrong. What is above knows.
func unlisted(ctx context.Context, f rclone.Fs, dir string, err error) bool {
	var said *textproto.Error
	if dir == "" || !errors.As(err, &said) {
		return false
	}
	above := strings.TrimPrefix(path.Dir(dir), ".")
	entries, err := f.List(ctx, above)
	if err != nil {
		return errors.Is(err, rclone.ErrorDirNotFound) || unlisted(ctx, f, above, err)
	}
	return !slices.ContainsFunc(entries, func(e rclone.DirEntry) bool { return e.Remote() == dir })
}

// errEnough: whoever ranges over a list has stopped.
var errEnough = errors.New("enough")

// lister is one walk through the store.
type lister struct {
	ctx    context.Context //nolint:containedctx // lives as long as one List
	fs     rclone.Fs
	prefix string
	yield  func(rclone.Object, error) bool
}

// walk lists all below a folder: in one go where the store can, else folder by
// folder.
func (l lister) walk(dir string) error {
	if all := l.fs.Features().ListR; all != nil {
		return all(l.ctx, dir, l.visit)
	}
	entries, err := l.fs.List(l.ctx, dir)
	if err != nil {
		return err
	}
	if err := l.visit(entries); err != nil {
		return err
	}
	for _, entry := range entries {
		below, isFolder := entry.(rclone.Directory)
		if !isFolder || own(below.Remote()) || !l.within(below.Remote()) {
			continue
		}
		if err := l.walk(below.Remote()); err != nil && !errors.Is(err, rclone.ErrorDirNotFound) {
			return err // a folder that went away in the meantime is no error
		}
	}
	return nil
}

// within: the folder may hold names that begin with the prefix.
func (l lister) within(dir string) bool {
	return strings.HasPrefix(l.prefix, dir+"/") || strings.HasPrefix(dir+"/", l.prefix)
}

func (l lister) visit(entries rclone.DirEntries) error {
	for _, entry := range entries {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		o, ok := entry.(rclone.Object)
		if !ok || own(o.Remote()) || !strings.HasPrefix(o.Remote(), l.prefix) || path.Clean(o.Remote()) != o.Remote() {
			continue
		}
		if !l.yield(o, nil) {
			return errEnough
		}
	}
	return nil
}

// notFound says that an object is not there.
func (s *Store) notFound(operation, name string) error {
	return fmt.Errorf("%s %s in %s: %w", operation, name, s.at, store.ErrNotFound)
}

// Link is an address at which everybody can read an object for a while; "" of
// a store that gives none. It holds a secret.
func (s *Store) Link(ctx context.Context, name string, long time.Duration) (link string, err error) {
	err = s.again(ctx, "link", name, func(ctx context.Context) error {
		f, err := s.live(ctx)
		if err != nil || f.Features().PublicLink == nil {
			return err
		}
		link, err = f.Features().PublicLink(ctx, name, rclone.Duration(long), false)
		return err
	})
	return link, err
}
