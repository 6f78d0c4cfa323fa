package ranges

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/spool-video/spool"
)

// blockSize is how many bytes are kept or dropped together.
const blockSize = 256 << 10

// file is one version of a source, and what of it is here. All but the origin
// and what a request does is guarded by the pool's lock.
type file struct {
	pool   *Pool
	place  place
	origin Origin

	blocks  map[int64]*block // by number
	runs    []*run           // requests that are on their way
	readers int
	err     error         // why nothing more can be read
	changed chan struct{} // closed and replaced when bytes have come or err is set

	// The requests live as long as there are readers.
	ctx    context.Context //nolint:containedctx // ended by the last reader that leaves
	cancel context.CancelFunc
	group  *sync.WaitGroup
}

// block holds the first bytes of a block, or all of them: then len is cap.
type block struct {
	data []byte
	used uint64
}

// run is a request for bytes [at, to), the first of which come next.
type run struct{ at, to int64 }

// enter counts a reader in.
func (f *file) enter() {
	if f.readers == 0 {
		f.ctx, f.cancel = context.WithCancel(context.Background())
		f.group = &sync.WaitGroup{}
	}
	f.readers++
	f.pool.open++
}

// leave counts a reader out. The last one ends all requests, and waits for
// them; what has come is kept.
func (f *file) leave() {
	f.pool.mu.Lock()
	f.readers--
	f.pool.open--
	last, group := f.readers == 0, f.group
	if last {
		f.cancel()
	}
	if last && f.err != nil {
		for n := range f.blocks {
			f.drop(n)
		}
	}
	if last && len(f.blocks) == 0 && f.pool.files[f.place] == f {
		delete(f.pool.files, f.place)
	}
	f.pool.mu.Unlock()
	if last {
		group.Wait()
	}
}

func (f *file) drop(number int64) {
	f.pool.kept -= int64(cap(f.blocks[number].data))
	delete(f.blocks, number)
	if len(f.blocks) == 0 && f.readers == 0 && f.pool.files[f.place] == f {
		delete(f.pool.files, f.place)
	}
}

func (f *file) broadcast() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// here is up to where the bytes from an offset on are here; the offset itself
// when that byte is not.
func (f *file) here(off int64) int64 {
	for {
		b := f.blocks[off/blockSize]
		if b == nil || off%blockSize >= int64(len(b.data)) {
			return off
		}
		off = off/blockSize*blockSize + int64(len(b.data))
		if len(b.data) < cap(b.data) {
			return off
		}
	}
}

// coming reports whether a request is going to bring a byte.
func (f *file) coming(off int64) bool {
	return slices.ContainsFunc(f.runs, func(r *run) bool { return r.at <= off && off < r.to })
}

// request asks for length bytes from an offset on that are not here, to the
// end of a block; it says up to where.
func (f *file) request(off, length int64) int64 {
	from := off / blockSize * blockSize
	if b := f.blocks[off/blockSize]; b != nil {
		from += int64(len(b.data))
	}
	to := min((off+length+blockSize-1)/blockSize*blockSize, f.place.size)
	for next := (from/blockSize + 1) * blockSize; next < to; next += blockSize {
		if f.blocks[next/blockSize] != nil || f.coming(next) {
			to = next
		}
	}
	r := &run{from, to}
	f.runs = append(f.runs, r)
	ctx := f.ctx
	f.group.Go(func() { f.fetch(ctx, r) })
	return to
}

// fetch brings what was asked for, and asks again for what does not come.
func (f *file) fetch(ctx context.Context, r *run) {
	rest, begun := f.rest(), time.Now()
	for {
		before := r.at // only this goroutine changes it
		err := f.bring(ctx, r)
		if r.at > before {
			rest, begun = f.rest(), time.Now()
		}
		if ctx.Err() != nil || err == nil && r.at == r.to {
			break
		}
		if err == nil {
			continue // an origin may give what it has in parts
		}
		why := spool.AsError(err)
		lasting := why.Class != spool.Transient && why.Class != spool.Environment
		if lasting || time.Since(begun) > f.patience() {
			f.pool.mu.Lock()
			f.pool.fail(f, err)
			f.pool.mu.Unlock()
			break
		}
		timer := time.NewTimer(max(min(why.After, f.patience()/2), rest/2+rand.N(rest))) //nolint:gosec // jitter needs no secrecy
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		rest = min(2*rest, 8*time.Second)
	}
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	f.runs = slices.DeleteFunc(f.runs, func(other *run) bool { return other == r })
	f.broadcast() // whoever waits for what did not come asks for it
}

func (f *file) rest() time.Duration {
	if f.pool.Rest > 0 {
		return f.pool.Rest
	}
	return defaultRest
}

func (f *file) patience() time.Duration {
	if f.pool.Patience > 0 {
		return f.pool.Patience
	}
	return defaultPatience
}

// bring sends one request and takes what comes.
func (f *file) bring(ctx context.Context, r *run) (err error) {
	body, err := f.origin.Open(ctx, spool.Span{From: r.at, To: r.to})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	buffer, from := make([]byte, 64<<10), r.at
	for r.at < r.to {
		n, err := body.Read(buffer[:min(int64(len(buffer)), r.to-r.at)])
		f.take(r, buffer[:n])
		switch {
		case r.at == r.to:
		case errors.Is(err, io.EOF) && r.at > from:
			return nil
		case errors.Is(err, io.EOF):
			return &spool.Error{
				Class: spool.Transient, Code: "source-cut-off", Err: io.ErrUnexpectedEOF,
				Reason: "the source ended before its time", Hint: "look at the server that it lies at",
			}
		case err != nil:
			return err
		}
	}
	return nil
}

// take puts bytes that have come where they belong.
func (f *file) take(r *run, p []byte) {
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	for len(p) > 0 {
		number, within := r.at/blockSize, r.at%blockSize
		n := min(int64(len(p)), blockSize-within)
		b := f.blocks[number]
		if b == nil && within == 0 {
			b = &block{data: make([]byte, 0, min(blockSize, f.place.size-r.at))}
			f.blocks[number] = b
			f.pool.kept += int64(cap(b.data))
		}
		// What another request brought is not brought twice.
		if b != nil && int64(len(b.data)) == within {
			b.data = append(b.data, p[:n]...)
			f.use(b)
		}
		r.at, p = r.at+n, p[n:]
	}
	f.pool.spare()
	f.broadcast()
}

func (f *file) use(b *block) {
	f.pool.clock++
	b.used = f.pool.clock
}
