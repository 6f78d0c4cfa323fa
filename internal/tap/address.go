package tap

import (
	"context"
	"os"
	"time"

	"github.com/spool-video/spool"
)

// Desk is where the jobs of a worker ask for their sources. Nil is a worker
// whose sources are complete files of its own.
type Desk struct {
	Taps   Taps
	Server Server
	// Remotes opens sources that lie elsewhere. Nil: this worker reaches none.
	Remotes Remotes
}

// Remotes opens sources that any worker can read, by their ranges.
type Remotes interface {
	// Open opens a source whose Remote is set. Whoever opened it closes it. Most
	// of what is read lies in a window, and nothing beyond it is read ahead; an
	// empty one says nothing.
	Open(f *spool.Fetched, window spool.Span) (Remote, error)
	// Stamp asks what lies at a place now, for Fetched.Size and Tag.
	Stamp(ctx context.Context, at spool.Remote) (size int64, tag string, err error)
	// Confirm looks whether a source is what it was when it was fetched, and
	// whether it could be read since a time. Its errors are *spool.Error, or
	// that of ctx.
	Confirm(ctx context.Context, f *spool.Fetched, since time.Time) error
}

// Remote is a source that lies elsewhere, opened.
type Remote interface {
	Reader
	// Err is why nothing more of it can be read; nil while it can.
	Err() error
	Close()
}

// Tapped reports whether a source is read through the tap: it is arriving, or
// it lies elsewhere. Others are complete files, read by their paths.
func (d *Desk) Tapped(f *spool.Fetched) bool { return f.Remote != nil || d.arriving(f.Path) != nil }

// Address says where a program finds a source: at a loopback address when it
// is read through the tap, else at its path. close is called when the program
// has ended.
func (d *Desk) Address(f *spool.Fetched) (address string, close func(), err error) {
	return d.address(f, spool.Span{})
}

func (d *Desk) address(f *spool.Fetched, window spool.Span) (address string, close func(), err error) {
	if f.Remote != nil {
		src, err := d.open(f, window)
		if err != nil {
			return "", nil, err
		}
		address, leave := d.Server.Open(src)
		return address, func() { leave(); src.Close() }, nil
	}
	if src := d.arriving(f.Path); src != nil {
		address, close = d.Server.Open(src)
		return address, close, nil
	}
	return f.Path, func() {}, nil
}

// Confirm looks whether a source that lies elsewhere is still what it was when
// it was fetched, and whether it could be read since a time. There is nothing
// to say of others.
func (d *Desk) Confirm(ctx context.Context, f *spool.Fetched, since time.Time) error {
	if d == nil || d.Remotes == nil || f.Remote == nil {
		return nil
	}
	return d.Remotes.Confirm(ctx, f, since)
}

// open opens a source that lies elsewhere.
func (d *Desk) open(f *spool.Fetched, window spool.Span) (Remote, error) {
	if d == nil || d.Remotes == nil {
		return nil, &spool.Error{
			Class: spool.Environment, Code: "source-out-of-reach",
			Reason: "the source lies in a store, and this worker reaches none",
			Hint:   "give the worker the remote that the source names",
		}
	}
	return d.Remotes.Open(f, window)
}

// arriving gives the source that is arriving at a path; nil when it is to be
// read by its path.
func (d *Desk) arriving(path string) *Source {
	if d == nil {
		return nil
	}
	if src := d.Taps.Find(path); src != nil && !src.whole() {
		return src
	}
	return nil
}

// whole reports whether the source is complete under its path.
func (s *Source) whole() bool {
	s.mu.Lock()
	ended := s.ended && s.err == nil
	s.mu.Unlock()
	if !ended {
		return false
	}
	_, err := os.Stat(s.path)
	return err == nil
}
