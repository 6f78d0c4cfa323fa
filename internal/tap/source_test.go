package tap_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/tap"
)

func span(from, to int64) spool.Span { return spool.Span{From: from, To: to} }

// wanted waits until a reader wants something.
func wanted(t *testing.T, s *tap.Source) spool.Span {
	t.Helper()
	for {
		changed := s.WantChanged()
		if all := s.Wants(); len(all) > 0 {
			return all[0]
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatal("nothing is wanted")
		}
	}
}

type answer struct {
	text string
	err  error
}

// read reads in a goroutine that the answer ends.
func read(ctx context.Context, s *tap.Source, off int64) <-chan answer {
	got := make(chan answer, 1)
	go func() {
		p := make([]byte, 4)
		n, err := s.ReadAtContext(ctx, p, off)
		got <- answer{string(p[:n]), err}
	}()
	return got
}

func TestReadersWaitForTheirBytes(t *testing.T) {
	var taps tap.Taps
	s := taps.Open("a.mp4", bytes.NewReader([]byte("0123456789")), 10)
	if taps.Find("a.mp4") != s || taps.Find("b.mp4") != nil {
		t.Fatal("the source is not found by its path")
	}
	s.Arrived(spool.Spans{span(0, 2)})
	first := read(t.Context(), s, 0)
	if a := <-first; a.text != "01" || a.err != nil {
		t.Errorf("got %+v, want what is there", a)
	}
	later := read(t.Context(), s, 6)
	if w := wanted(t, s); w != span(6, 10) {
		t.Errorf("wanted %v", w)
	}
	s.Arrived(spool.Spans{span(0, 2), span(8, 10)})
	if w := wanted(t, s); w != span(6, 8) {
		t.Errorf("wanted %v, want what is missing of it", w)
	}
	s.Arrived(spool.Spans{span(0, 2), span(6, 10)})
	if a := <-later; a.text != "6789" || a.err != nil {
		t.Errorf("got %+v", a)
	}
	if len(s.Wants()) > 0 {
		t.Error("something is wanted, though none waits")
	}
	if a := <-read(t.Context(), s, 10); a.err != io.EOF {
		t.Errorf("at the end: %+v", a)
	}
}

func TestReadersAreReleased(t *testing.T) {
	var taps tap.Taps
	open := func() *tap.Source { return taps.Open("a", bytes.NewReader([]byte("0123456789")), -1) }
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		release func(*tap.Source, context.CancelFunc)
		want    error
	}{
		"error":    {func(s *tap.Source, _ context.CancelFunc) { s.End(boom) }, boom},
		"end":      {func(s *tap.Source, _ context.CancelFunc) { s.End(nil) }, io.EOF},
		"cancel":   {func(_ *tap.Source, cancel context.CancelFunc) { cancel() }, context.Canceled},
		"replaced": {func(*tap.Source, context.CancelFunc) { open() }, tap.ErrReplaced},
		"short":    {func(s *tap.Source, _ context.CancelFunc) { s.Sized(8); s.End(nil) }, tap.ErrGone},
	} {
		s := open()
		s.Arrived(spool.Spans{span(0, 5)})
		ctx, cancel := context.WithCancel(t.Context())
		got := read(ctx, s, 5)
		wanted(t, s)
		c.release(s, cancel)
		if a := <-got; !errors.Is(a.err, c.want) {
			t.Errorf("%s: got %+v, want %v", name, a, c.want)
		}
		if len(s.Wants()) > 0 {
			t.Errorf("%s: something is wanted still", name)
		}
		cancel()
	}
	s := open()
	s.Arrived(spool.Spans{span(0, 10)})
	s.End(nil)
	s.End(boom)
	if s.Size() != 10 || s.Err() != nil {
		t.Errorf("size %d, error %v", s.Size(), s.Err())
	}
	taps.Forget(s)
	if taps.Find("a") != nil {
		t.Error("a forgotten source is found")
	}
	if a := <-read(t.Context(), s, 8); a.text != "89" || a.err != nil {
		t.Errorf("after it was forgotten: %+v", a)
	}
	s = open()
	s.Arrived(spool.Spans{span(0, 10)})
	s.End(boom)
	if a := <-read(t.Context(), s, 0); !errors.Is(a.err, boom) {
		t.Errorf("of a source that broke: %+v", a)
	}
}

// vanishing is a file whose bytes are discarded while they are first read.
type vanishing struct {
	io.ReaderAt
	first func()
}

func (v *vanishing) ReadAt(p []byte, off int64) (int, error) {
	if v.first != nil {
		v.first()
		v.first = nil
		return len(p), nil // zeros of a hole
	}
	return v.ReaderAt.ReadAt(p, off)
}

func TestDiscardedBytesAreNotTakenForReal(t *testing.T) {
	var taps tap.Taps
	file := &vanishing{ReaderAt: bytes.NewReader([]byte("0123456789"))}
	s := taps.Open("a", file, 10)
	file.first = func() { s.Arrived(nil) }
	s.Arrived(spool.Spans{span(0, 10)})
	got := read(t.Context(), s, 2)
	wanted(t, s)
	s.Arrived(spool.Spans{span(0, 10)})
	if a := <-got; a.text != "2345" || a.err != nil {
		t.Errorf("got %+v", a)
	}
	// Nor when they are here again by the end of the read.
	file.first = func() {
		s.Arrived(nil)
		s.Arrived(spool.Spans{span(0, 10)})
	}
	if a := <-read(t.Context(), s, 2); a.text != "2345" || a.err != nil {
		t.Errorf("got %+v", a)
	}
	// A file that is shorter than was said is not a source that ends early.
	s = taps.Open("b", bytes.NewReader([]byte("012")), 10)
	s.Arrived(spool.Spans{span(0, 10)})
	if a := <-read(t.Context(), s, 5); !errors.Is(a.err, io.ErrUnexpectedEOF) {
		t.Errorf("got %+v", a)
	}
}
