package tap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/spool-video/spool"
)

// Ahead is how many bytes a blocked reader is taken to want, from the first
// that is missing on.
const Ahead = 2 << 20

var (
	// ErrReplaced ends a source when its path is opened anew.
	ErrReplaced = errors.New("the source is fetched anew")
	// ErrGone is returned for bytes that are not here when nothing more is
	// going to arrive.
	ErrGone = errors.New("the bytes are not here and will not arrive")
)

// Taps knows the sources of a worker that are still arriving. The zero value
// is ready for use; all methods are safe for concurrent use.
type Taps struct {
	mu      sync.Mutex
	sources map[string]*Source // guarded by mu
}

// Open registers a source under its path, which readers look it up by. Its
// bytes are read from file, of size bytes; -1 when that is not known. A source
// that stands there already ends with ErrReplaced. The caller owns the file
// and closes it after Forget.
func (t *Taps) Open(path string, file io.ReaderAt, size int64) *Source {
	s := &Source{path: path, file: file, size: size, changed: make(chan struct{}), asked: make(chan struct{})}
	t.mu.Lock()
	old := t.sources[path]
	if t.sources == nil {
		t.sources = map[string]*Source{}
	}
	t.sources[path] = s
	t.mu.Unlock()
	if old != nil {
		old.End(ErrReplaced)
	}
	return s
}

// Find gives the source that is arriving at a path. Nil: the file is complete,
// or not known here; read it by its path.
func (t *Taps) Find(path string) *Source {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sources[path]
}

// Forget removes a source that has ended. Readers that hold it go on reading.
func (t *Taps) Forget(s *Source) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sources[s.path] == s {
		delete(t.sources, s.path)
	}
}

// Source is a file that is still arriving. Whoever fetches it calls Arrived
// and End; readers call ReadAtContext. All methods are safe for
// concurrent use.
type Source struct {
	path string
	file io.ReaderAt

	mu      sync.Mutex    // guards all below
	size    int64         // -1: not known
	have    spool.Spans   // never changed in place
	losses  int           // how often bytes of have were discarded
	ended   bool          // nothing more arrives
	err     error         // why; nil when the file is complete
	changed chan struct{} // closed and replaced when have, size, ended or err change
	waiting []*want       // oldest first
	asked   chan struct{} // closed and replaced when waiting changes
}

// want is what one reader waits for.
type want struct {
	span  spool.Span
	since time.Time
}

// Arrived says which bytes are on disk now: all of them, not only the new
// ones. Bytes that are going to be discarded are left out before they are.
func (s *Source) Arrived(have spool.Spans) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.have, func(had spool.Span) bool { return !have.Has(had) }) {
		s.losses++
	}
	s.have = have
	s.broadcast()
}

// Sized says how many bytes the file has, once that is known.
func (s *Source) Sized(size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.size = size
	s.broadcast()
}

// End says that nothing more arrives. Nil: the file is complete, and when its
// size was not known it is what has arrived. With an error all readers get
// that error, also for bytes that are here. The first End counts.
func (s *Source) End(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ended, s.err = true, err
	if err == nil && s.size < 0 {
		s.size = 0
		if n := len(s.have); n > 0 {
			s.size = s.have[n-1].To
		}
	}
	s.broadcast()
}

// broadcast wakes whoever waits. The caller holds the lock.
func (s *Source) broadcast() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Path is the file's path, by which it was opened.
func (s *Source) Path() string { return s.path }

// Have gives the bytes that are on disk.
func (s *Source) Have() spool.Spans {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.have)
}

// Size is how many bytes the whole file has; -1 while that is not known.
func (s *Source) Size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// Err is the error that the source ended with, nil while it arrives and when
// it is complete.
func (s *Source) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Changed gives a channel that is closed when bytes have arrived, the size is
// known or the source has ended. Take it before looking at any of these.
func (s *Source) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Wants is what all blocked readers wait for, the first bytes that each misses,
// in the order in which they began to wait.
func (s *Source) Wants() []spool.Span { return s.Longed(0) }

// Longed is Wants of readers that have waited so long.
func (s *Source) Longed(least time.Duration) []spool.Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []spool.Span
	for _, w := range s.waiting {
		if time.Since(w.since) < least {
			continue
		}
		if missing := s.have.Missing(w.span); missing.Len() > 0 && !slices.Contains(all, missing) {
			all = append(all, missing)
		}
	}
	return all
}

// WantChanged gives a channel that is closed when a reader begins or ceases to
// wait. Take it before calling Wants.
func (s *Source) WantChanged() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// ReadAtContext reads up to len(p) bytes at an offset. It blocks until at
// least one is there and gives those that are: n ≥ 1, or an error. io.EOF is
// given at the end of the file only.
func (s *Source) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		before := s.lost()
		n, err := s.await(ctx, off)
		if err != nil {
			return 0, err
		}
		n = min(n, int64(len(p)))
		read, err := s.file.ReadAt(p[:n], off)
		if int64(read) < n {
			return 0, fmt.Errorf("read %s at %d: %w", s.path, off, noEOF(err))
		}
		if s.lost() == before {
			return read, nil
		}
		// Something was discarded meanwhile: what was read may be zeros, also
		// when it is here again.
	}
}

// noEOF keeps the end of a file that is shorter than it should be from being
// taken for the end of the source.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// await blocks until the byte at an offset is there and gives how many from it
// on are. Meanwhile it and those Ahead are wanted.
func (s *Source) await(ctx context.Context, off int64) (int64, error) {
	var mine *want
	defer func() { s.unwant(mine) }()
	for {
		n, changed, err := s.look(off)
		if err != nil || n > 0 {
			return n, err
		}
		if mine == nil {
			mine = s.want(spool.Span{From: off, To: off + Ahead})
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// look gives how many bytes are there from an offset on; where none is, 0 and
// what is closed when that may be otherwise.
func (s *Source) look(off int64) (int64, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, nil, s.err
	}
	if s.size >= 0 && off >= s.size {
		return 0, nil, io.EOF
	}
	if n := s.have.After(off) - off; n > 0 {
		return n, nil, nil
	}
	if s.ended {
		return 0, nil, ErrGone
	}
	return 0, s.changed, nil
}

// lost is how often bytes were discarded.
func (s *Source) lost() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.losses
}

func (s *Source) want(span spool.Span) *want {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.size >= 0 {
		span.To = min(span.To, s.size)
	}
	w := &want{span, time.Now()}
	s.waiting = append(s.waiting, w)
	s.ask()
	return w
}

func (s *Source) unwant(w *want) {
	if w == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = slices.DeleteFunc(s.waiting, func(other *want) bool { return other == w })
	s.ask()
}

// ask wakes whoever fetches. The caller holds the lock.
func (s *Source) ask() {
	close(s.asked)
	s.asked = make(chan struct{})
}
