package download

import (
	"context"
	"errors"
	"os"

	"github.com/spool-video/spool"
)

// Space is the bounded room that a file has while it arrives. A download asks
// it before bytes come. Where the server sends ranges, bytes that nobody needs
// any more can be given back, so that a file fits that is larger than the room.
// All methods may be called at once; errors are *spool.Error, or that of ctx.
type Space interface {
	// Sized tells how long the file is. partly: it can be fetched by ranges. It
	// says whether bytes are to be given back; then the file is not complete
	// under its path in the end, and Get goes on until nothing of it is needed.
	Sized(size int64, partly bool) (gives bool, err error)
	// Room waits until bytes may come: up to want, and not less than least,
	// which is 0 for who does not wait.
	// urgent are bytes that readers wait for. waits is called, by the caller's
	// goroutine, each time that there is no room yet.
	Room(ctx context.Context, want, least int64, urgent bool, waits func()) (int64, error)
	// Held tells how many bytes lie here, and how many that Room has granted
	// are among them, or do not come.
	Held(held, granted int64)
	// Needed is what of the file is still to be read; false: nobody knows yet,
	// and nothing is given back.
	Needed() (Needed, bool)
	// Changed gives a channel that is closed when Needed gives something else.
	Changed() <-chan struct{}
	// Free gives the room of bytes of the part's file back.
	Free(f *os.File, s spool.Span) error
	// Limit is how large all of the room is, in bytes.
	Limit() int64
}

// Needed is what of a file is still to be read.
type Needed struct {
	Windows []spool.Span // in any order; none: the file is not needed any more
	Keep    spool.Spans  // stays as long as the file does
}

const (
	// spareLeast is what is worth to be given back, and askLeast what is worth a
	// request, in bytes.
	spareLeast = 64 << 10
	askLeast   = 256 << 10
	// askMost is what is asked for at once of a file whose bytes are given back.
	askMost = 8 << 20
)

// errRoom ends an answer for which there is no room.
var errRoom = errors.New("there is no room for all of the answer")

// lodge makes what an earlier Get left fit for the use that the file has now.
// What bytes were given back of for another use begins anew, and what came
// when there was more room than there is now is missing again: what lies behind
// the next bytes that are needed would take their room.
func (p *part) lodge(r Request) error {
	if r.Space == nil {
		if len(p.gone) > 0 {
			p.gone, p.Gone = nil, nil
			p.digest, p.Hashed, p.Hash = newDigest(), 0, nil
		}
		return nil
	}
	other, less := p.Use != r.Use, p.Limit == 0 || p.Limit > r.Space.Limit()
	p.Use, p.Limit = r.Use, r.Space.Limit()
	switch {
	case len(p.gone) > 0 && other, less && len(p.gone) == 0 && p.held() > 0:
		return p.reset()
	case less && p.held() > 0:
		return p.drop(r.Space, p.here)
	}
	return p.free(r.Space, p.gone)
}

// drop makes bytes that are here, and nobody reads, missing.
func (p *part) drop(room Space, all spool.Spans) error {
	p.lose(all)
	defer p.settled()
	if err := p.checkpoint(); err != nil {
		return err
	}
	return p.free(room, all)
}

// lose takes bytes out of what is here, of which a hole is made until settled
// is called.
func (p *part) lose(all spool.Spans) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.here, p.goes = p.here.Without(all), all
}

// parting are the runs of bytes, durably given back, that all are among and
// that nobody has wanted again. A hole is made of them until settled is called.
func (p *part) parting(all spool.Spans) spool.Spans {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.goes = nil
	for _, run := range p.Gone {
		if len(all.In(run)) > 0 {
			p.goes = p.goes.With(p.gone.In(run))
		}
	}
	return p.goes
}

// settled: no hole is being made any more.
func (p *part) settled() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.goes = nil
}

func (p *part) free(room Space, all spool.Spans) error {
	for _, s := range all {
		if err := room.Free(p.file, s); err != nil {
			return diskFault("give back bytes of", p.file.Name(), err)
		}
	}
	return nil
}

// spare are the bytes that can be given back: those before the first that is
// needed, as far as they are hashed, but for the last ones, by which a server
// may have to show that it has the same file.
func (p *part) spare(n Needed) (spool.Spans, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.follow(followMost); err != nil {
		return nil, err
	}
	end := p.digest.at
	if end < p.Length {
		end -= spareLeast
	}
	for _, w := range n.Windows {
		end = min(end, w.From)
	}
	all := p.here.In(spool.Span{To: end})
	return all.Without(n.Keep), nil
}

// give takes bytes out of what is here; the file still has them.
func (p *part) give(all spool.Spans) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.here, p.gone = p.here.Without(all), p.gone.With(all)
}

// beyond are the bytes that are here behind a place, but for some.
func (p *part) beyond(at int64, but spool.Spans) spool.Spans {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.here.In(spool.Span{From: at, To: p.Length}).Without(but)
}

// lacks reports whether bytes were given back.
func (p *part) lacks(s spool.Span) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.gone.In(s)) > 0
}

// recall makes bytes that were given back missing.
func (p *part) recall(s spool.Span) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = p.gone.Cut(s)
}

// gaveBack: bytes were given back.
func (p *part) gaveBack() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.gone) > 0
}
