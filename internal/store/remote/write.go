package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	rclone "github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/hash"
	content "github.com/rclone/rclone/fs/object"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store"
)

var tokenOptions = store.PutOptions{ContentType: "text/plain", CacheControl: "no-store"}

// Put writes an object whole, and asks the store whether it has it.
func (s *Store) Put(ctx context.Context, name string, body io.ReadSeeker, o store.PutOptions) error {
	if err := s.writable(name); err != nil {
		return err
	}
	give, err := s.puts.take(ctx, name)
	if err != nil {
		return s.problem(ctx, "put", name, err)
	}
	defer give()
	return s.again(ctx, "put", name, func(ctx context.Context) error {
		f, err := s.live(ctx)
		if err == nil {
			err = s.check(ctx, f)
		}
		if err == nil {
			err = s.write(ctx, f, name, body, o)
		}
		return err
	})
}

// Delete removes an object, and the folders that it leaves empty.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := s.writable(name); err != nil {
		return err
	}
	return s.again(ctx, "delete", name, func(ctx context.Context) error {
		f, err := s.live(ctx)
		if err != nil {
			return err
		}
		o, err := object(ctx, f, name)
		if err == nil {
			err = o.Remove(ctx)
		}
		switch {
		case missing(err):
			return nil // and what is above it may be a file
		case err == nil && !s.kind.atomicPut: // it has folders
			s.prune(ctx, f, path.Dir(name))
		}
		return err
	})
}

// writable refuses names that no object has, and everything when the store is
// only read.
func (s *Store) writable(name string) error {
	if err := store.CheckName(name); err != nil {
		return err
	}
	if own(name) {
		return &spool.Error{Class: spool.Permanent, Code: "bad-object-name", Reason: "the object name " + name + " is the store's own"}
	}
	if s.o.ReadOnly {
		return &spool.Error{Class: spool.Permanent, Code: "opened-read-only", Reason: "the destination " + s.at.String() + " was opened for reading only"}
	}
	return nil
}

// prune removes folders from dir upwards as long as they are empty.
func (s *Store) prune(ctx context.Context, f rclone.Fs, dir string) {
	s.folders.Lock()
	defer s.folders.Unlock()
	for ; dir != "."; dir = path.Dir(dir) {
		if f.Rmdir(ctx, dir) != nil {
			return // not empty, mostly; an empty folder that stays does no harm
		}
	}
}

// write puts an object once, and confirms it.
func (s *Store) write(ctx context.Context, f rclone.Fs, name string, body io.ReadSeeker, o store.PutOptions) error {
	l, err := s.weigh(body, o)
	if err != nil {
		return err
	}
	if s.kind.atomicPut {
		if err := s.send(ctx, f, name, l); err != nil {
			return err
		}
		_, err := s.confirm(ctx, f, name, l)
		return err
	}
	if f.Features().Move == nil {
		return readOnly(s.at)
	}
	temp := temporary()
	err = s.send(ctx, f, temp, l)
	if err == nil {
		err = s.settle(ctx, f, temp, name, l)
	}
	if err != nil {
		s.discard(ctx, f, temp)
	}
	return err
}

// settle gives a temporary file its place.
func (s *Store) settle(ctx context.Context, f rclone.Fs, temp, name string, l load) error {
	made, err := s.confirm(ctx, f, temp, l)
	if err != nil {
		return err
	}
	s.folders.RLock()
	defer s.folders.RUnlock()
	if s.kind.atomicMove {
		_, err = f.Features().Move(ctx, made, name)
		return err
	}
	return replace(ctx, f, made, name)
}

// replace moves a file to where another one may be. Not every server renames
// over what is there, so that is removed first; whoever is told to stop between
// the two would leave nothing.
func replace(ctx context.Context, f rclone.Fs, made rclone.Object, name string) error {
	old, err := f.NewObject(ctx, name)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	late, end := outlive(ctx, 20*time.Second)
	defer end()
	if err == nil {
		if err := old.Remove(late); err != nil && !missing(err) {
			return err
		}
	}
	_, err = f.Features().Move(late, made, name)
	return err
}

// outlive gives a context that ends some time after ctx has.
func outlive(ctx context.Context, long time.Duration) (late context.Context, end func()) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	forget := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(long)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-late.Done():
		}
	})
	return late, func() { forget(); cancel() }
}

// discard removes what was not finished, also when the time for it is over.
func (s *Store) discard(ctx context.Context, f rclone.Fs, temp string) {
	const long = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), long)
	defer cancel()
	if o, err := f.NewObject(ctx, temp); err == nil {
		_ = o.Remove(ctx) // the next Open sweeps it
	}
}

// load is a body, with what tells whether a store has it.
type load struct {
	body    io.ReadSeeker
	headers store.PutOptions
	size    int64
	sums    map[hash.Type]string // those that the store can be asked for
}

// weigh reads a body from its start.
func (s *Store) weigh(body io.ReadSeeker, o store.PutOptions) (load, error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return load{}, err
	}
	asked, err := hash.NewMultiHasherTypes(hash.NewHashSet(s.checksum()))
	if err != nil {
		return load{}, err
	}
	size, err := io.Copy(asked, body)
	if err != nil {
		return load{}, &bodyError{err}
	}
	return load{body: body, headers: o, size: size, sums: asked.Sums()}, nil
}

// checksum is what the connected store is asked for after a put.
func (s *Store) checksum() hash.Type {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sum
}

// sumOf is the checksum that a store is asked for.
func sumOf(f rclone.Fs) hash.Type {
	for _, t := range []hash.Type{hash.MD5, hash.SHA1} {
		if f.Hashes().Contains(t) {
			return t
		}
	}
	return hash.None
}

// bodyError: what was to be put could not be read. The store is not at fault,
// and to try again does not help.
type bodyError struct{ error }

func (e *bodyError) Unwrap() error { return e.error }

// send uploads a load.
func (s *Store) send(ctx context.Context, f rclone.Fs, name string, l load) error {
	if _, err := l.body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	about := content.NewStaticObjectInfo(name, time.Now(), l.size, true, l.sums, nil).WithMimeType(l.headers.ContentType)
	var headers []rclone.OpenOption
	if cache := l.headers.CacheControl; cache != "" {
		headers = append(headers, &rclone.HTTPOption{Key: "Cache-Control", Value: cache})
	}
	in := &watched{Reader: l.body}
	_, err := f.Put(ctx, in, about, headers...)
	if in.err != nil {
		return &bodyError{in.err}
	}
	return err
}

// watched remembers why reading ended.
type watched struct {
	io.Reader
	err error
}

func (r *watched) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// confirm asks the store what it has, and compares.
func (s *Store) confirm(ctx context.Context, f rclone.Fs, name string, l load) (rclone.Object, error) {
	o, err := f.NewObject(ctx, name)
	if missing(err) {
		return nil, changed(s.at, "does not have "+name+", which it took")
	}
	if err != nil {
		return nil, err
	}
	if o.Size() != l.size {
		return nil, changed(s.at, fmt.Sprintf("has %d of the %d bytes of %s", o.Size(), l.size, name))
	}
	sum := s.checksum()
	got := ""
	if sum != hash.None && !s.o.VerifyRead {
		if got, err = o.Hash(ctx, sum); err != nil && !errors.Is(err, hash.ErrUnsupported) {
			return nil, err
		}
	}
	if got == "" {
		return o, s.readBack(ctx, o, name, l)
	}
	if !strings.EqualFold(got, l.sums[sum]) {
		return nil, changed(s.at, "has other bytes in "+name+" than were sent")
	}
	return o, nil
}

// readBack compares an object with what was sent for it.
func (s *Store) readBack(ctx context.Context, o rclone.Object, name string, l load) error {
	r, err := o.Open(ctx)
	if err != nil {
		return err
	}
	got, sent := sha256.New(), sha256.New()
	_, err = io.Copy(got, r)
	if err := errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("read back %s: %w", name, err)
	}
	if _, err := l.body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(sent, l.body); err != nil {
		return &bodyError{err}
	}
	if !bytes.Equal(got.Sum(nil), sent.Sum(nil)) {
		return changed(s.at, "gives back other bytes for "+name+" than were sent")
	}
	return nil
}
