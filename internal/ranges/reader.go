package ranges

import (
	"context"
	"io"
	"sync"

	"github.com/spool-video/spool"
)

// reader is one opening of a source.
type reader struct {
	file   *file
	window spool.Span // beyond its end nothing is read ahead
	trails []*trail   // last used first; guarded by the pool's lock
	closed sync.Once
}

// trail is where somebody reads on: requests follow it, each twice as long as
// the one before.
type trail struct {
	from, to int64 // what was asked for, all of it
	step     int64 // the next request
}

// maxTrails is how many places of a file are read on from in turn: pictures and
// sound may lie far apart.
const maxTrails = 4

// firstStep is the first request at a place: who opens a file looks at many
// places of it, and stays at few.
const firstStep = 2 * blockSize

// Size is how many bytes the source has.
func (r *reader) Size() int64 { return r.file.place.size }

// Err is why nothing more can be read.
func (r *reader) Err() error {
	r.file.pool.mu.Lock()
	defer r.file.pool.mu.Unlock()
	return r.file.err
}

// Close ends the reading; whoever reads has come back.
func (r *reader) Close() { r.closed.Do(r.file.leave) }

// ReadAtContext reads up to len(p) bytes at an offset: n ≥ 1, or an error.
func (r *reader) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, changed, err := r.look(p, off)
		if n > 0 || err != nil {
			return n, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// look gives what is here at an offset, else asks for it.
func (r *reader) look(p []byte, off int64) (int, <-chan struct{}, error) {
	f := r.file
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	switch {
	case f.err != nil:
		return 0, nil, f.err
	case off >= f.place.size:
		return 0, nil, io.EOF
	}
	if b := f.blocks[off/blockSize]; b != nil && off%blockSize < int64(len(b.data)) {
		n := copy(p, b.data[off%blockSize:])
		f.use(b)
		r.follow(off + int64(n))
		return n, nil, nil
	}
	if !f.coming(off) {
		r.begin(off)
	}
	return 0, f.changed, nil
}

// begin asks for what lies at an offset, if it is not here.
func (r *reader) begin(off int64) {
	t := r.trail(off)
	if t == nil {
		t = &trail{from: off, to: off, step: firstStep}
		r.trails = append([]*trail{t}, r.trails[:min(len(r.trails), maxTrails-1)]...)
	}
	if r.file.here(off) > off || r.file.coming(off) {
		t.to = max(t.to, off)
		return
	}
	t.to = max(t.to, r.file.request(off, min(t.step, r.file.pool.longest())))
}

// follow reads ahead of who has read up to an offset.
func (r *reader) follow(off int64) {
	t := r.trail(off)
	if t == nil {
		t = &trail{from: off, to: off, step: firstStep}
		r.trails = append([]*trail{t}, r.trails[:min(len(r.trails), maxTrails-1)]...)
	}
	f := r.file
	if t.to-off > t.step/2 {
		return
	}
	end := f.place.size
	if off <= r.window.To {
		end = r.window.To
	}
	next := f.here(max(t.to, off))
	if next >= end || next-off > t.step/2 || f.coming(next) {
		t.to = max(t.to, next)
		return
	}
	t.step = min(2*t.step, f.pool.longest())
	t.to = f.request(next, min(t.step, end-next))
}

// trail finds the one that an offset lies on.
func (r *reader) trail(off int64) *trail {
	for i, t := range r.trails {
		if t.from <= off && off <= t.to {
			copy(r.trails[1:i+1], r.trails[:i])
			r.trails[0] = t
			return t
		}
	}
	return nil
}
