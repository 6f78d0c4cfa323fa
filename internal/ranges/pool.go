// Package ranges reads sources that lie elsewhere: in a store, at a web server,
// in staging. Only the bytes that somebody reads are fetched, by ranges, and
// ahead of whoever reads on; they are kept in memory, so much of them as a
// bound allows. What fails in passing is asked for again, and a source that is
// not the one it was is an error and never a part of another.
package ranges

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/tap"
)

// Origin is a file that lies elsewhere. Its errors are *spool.Error, or that of
// the context. It is safe for concurrent use.
type Origin interface {
	// Open gives the bytes of a span, which lies within the file, or the first
	// of them. Of another version of the file it gives none.
	Open(ctx context.Context, span spool.Span) (io.ReadCloser, error)
	// Stamp asks what the file is now: its size, and a tag that another version
	// of it does not have.
	Stamp(ctx context.Context) (size int64, tag string, err error)
}

// Pool opens sources that lie elsewhere, for all jobs of a worker: what one has
// read is there for the next. Set its fields before its first use; it is safe
// for concurrent use.
type Pool struct {
	// Origin says where the bytes of a source come from.
	Origin func(f *spool.Fetched) (Origin, error)
	// Memory is how many bytes are kept; 48 MiB when 0. It is exceeded only by
	// what is just arriving.
	Memory int64
	// Patience is for how long a range is asked for again that does not come; 40
	// seconds when 0. It should be shorter than encoders are waited for.
	Patience time.Duration
	// Rest is how long to wait before a second try; each next one waits twice
	// as long. 250 ms when 0.
	Rest time.Duration

	mu     sync.Mutex        // guards all that follows, and all of the files
	files  map[place]*file   // those that can be read
	failed map[place]failure // those that could not, until an hour has gone
	kept   int64             // bytes in blocks
	clock  uint64            // counts uses of blocks
	open   int               // readers
}

var _ tap.Remotes = (*Pool)(nil)

// place is one version of a file.
type place struct {
	at   spool.Remote
	size int64
	tag  string
}

func placeOf(f *spool.Fetched) place { return place{*f.Remote, f.Size, f.Tag} }

// failure is why a source could not be read, and when.
type failure struct {
	err error
	at  time.Time
}

const (
	defaultMemory   = 48 << 20
	defaultPatience = 40 * time.Second
	defaultRest     = 250 * time.Millisecond
	remembered      = time.Hour
)

// Open opens a source. It asks for nothing but the beginning of the window.
func (p *Pool) Open(f *spool.Fetched, window spool.Span) (tap.Remote, error) {
	origin, err := p.Origin(f)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at := placeOf(f)
	src := p.files[at]
	if src == nil {
		src = &file{pool: p, place: at, origin: origin, blocks: map[int64]*block{}, changed: make(chan struct{})}
		if p.files == nil {
			p.files = map[place]*file{}
		}
		p.files[at] = src
	}
	src.enter()
	h := &reader{file: src, window: window}
	if window.Len() > 0 {
		h.begin(window.From)
	}
	return h, nil
}

// Stamp asks what a source is now.
func (p *Pool) Stamp(ctx context.Context, at spool.Remote) (size int64, tag string, err error) {
	origin, err := p.Origin(&spool.Fetched{Remote: &at})
	if err != nil {
		return 0, "", err
	}
	return origin.Stamp(ctx)
}

// Confirm looks whether a source is still what it was when it was fetched, and
// whether all of it could be read since a time.
func (p *Pool) Confirm(ctx context.Context, f *spool.Fetched, since time.Time) error {
	size, tag, err := p.Stamp(ctx, *f.Remote)
	if err != nil {
		return err
	}
	if size != f.Size || tag != f.Tag {
		return &spool.Error{
			Class: spool.Replan, Code: spool.SourceChanged,
			Reason: "the source was replaced while it was being read",
			Hint:   "it is read anew; if that happens again, wait until the file is complete there",
			Err:    fmt.Errorf("%d bytes with the tag %q, and were %d with %q", size, tag, f.Size, f.Tag),
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if why, found := p.failed[placeOf(f)]; found && why.at.After(since) {
		return why.err
	}
	return nil
}

// fail notes that a source cannot be read. Whoever opens it next begins anew.
// The caller holds the lock.
func (p *Pool) fail(f *file, err error) {
	if f.err != nil {
		return
	}
	f.err = err
	if p.files[f.place] == f {
		delete(p.files, f.place)
	}
	for at, why := range p.failed {
		if time.Since(why.at) > remembered {
			delete(p.failed, at)
		}
	}
	if p.failed == nil {
		p.failed = map[place]failure{}
	}
	p.failed[f.place] = failure{err, time.Now()}
	f.broadcast()
}

func (p *Pool) memory() int64 {
	if p.Memory > 0 {
		return p.Memory
	}
	return defaultMemory
}

// longest is how many bytes one request asks for at most, so that what all
// readers have read ahead fits into memory. The caller holds the lock.
func (p *Pool) longest() int64 {
	const most = 8 << 20
	return min(most, max(p.memory()/int64(4*max(p.open, 1)), 2*blockSize))
}

// spare makes room: the blocks go that were not used for the longest time. The
// caller holds the lock.
func (p *Pool) spare() {
	for p.kept > p.memory() {
		var oldest *file
		number, used := int64(-1), p.clock+1
		for _, f := range p.files {
			for n, b := range f.blocks {
				if b.used < used && len(b.data) == cap(b.data) {
					oldest, number, used = f, n, b.used
				}
			}
		}
		if oldest == nil {
			return
		}
		oldest.drop(number)
	}
}
