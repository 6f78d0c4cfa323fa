package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"

	"github.com/spool-video/spool/internal/store"
)

// place is where published files lie: a folder, or a store. Errors for what is
// not there wrap fs.ErrNotExist.
type place interface {
	// open opens a regular file; anything else is as good as not there.
	open(ctx context.Context, name string) (io.ReadSeekCloser, fs.FileInfo, error)
	stat(ctx context.Context, name string) (fs.FileInfo, error)
	// folders are the names of what may be videos.
	folders() ([]string, error)
	Close() error
}

// folder is a folder of this machine.
type folder struct{ *os.Root }

// open does not block on a pipe that someone left in the folder.
func (f folder) open(_ context.Context, name string) (io.ReadSeekCloser, fs.FileInfo, error) {
	file, err := f.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, missing(err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, info, nil
}

func (f folder) stat(_ context.Context, name string) (fs.FileInfo, error) { return f.Stat(name) }

func (f folder) folders() ([]string, error) {
	entries, err := fs.ReadDir(f.FS(), ".")
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names, err
}

// inStore is a store, whose owner closes it.
type inStore struct{ store.Store }

func (b inStore) open(ctx context.Context, name string) (io.ReadSeekCloser, fs.FileInfo, error) {
	info, err := b.stat(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	return &object{ctx: ctx, store: b.Store, name: name, size: info.Size()}, info, nil
}

func (b inStore) stat(ctx context.Context, name string) (fs.FileInfo, error) {
	info, err := b.Stat(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return about{info}, err
}

// folders are none: a store is not listed to find out. The ledger knows its
// videos.
func (b inStore) folders() ([]string, error) { return nil, nil }

func (b inStore) Close() error { return nil }

// object reads one object of a store, from wherever it was sought to.
type object struct {
	ctx   context.Context //nolint:containedctx // lives as long as one request
	store store.Store
	name  string
	size  int64
	at    int64
	body  io.ReadCloser // nil until something is read from at
}

func (o *object) Read(p []byte) (int, error) {
	if o.at >= o.size {
		return 0, io.EOF
	}
	if o.body == nil {
		body, err := o.store.Open(o.ctx, o.name, o.at, -1)
		if err != nil {
			return 0, err
		}
		o.body = body
	}
	n, err := o.body.Read(p)
	o.at += int64(n)
	return n, err
}

func (o *object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += o.size
	}
	if offset < 0 {
		return o.at, fs.ErrInvalid
	}
	if offset == o.at {
		return o.at, nil
	}
	o.at = offset
	return o.at, o.Close()
}

func (o *object) Close() error {
	if o.body == nil {
		return nil
	}
	err := o.body.Close()
	o.body = nil
	return err
}

// about is what a store knows of an object, as a file's.
type about struct{ store.Info }

func (a about) Name() string       { return path.Base(a.Info.Name) }
func (a about) Size() int64        { return a.Info.Size }
func (a about) ModTime() time.Time { return a.Modified }
func (a about) Mode() fs.FileMode  { return 0o444 }
func (a about) IsDir() bool        { return false }
func (a about) Sys() any           { return nil }
