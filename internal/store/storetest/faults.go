package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/spool-video/spool/internal/store"
)

// broken is a body that fails after some bytes.
type broken struct {
	*bytes.Reader
	left int
	fail func() error
}

func (b *broken) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, b.fail()
	}
	n, err := b.Reader.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func testBrokenBody(t *testing.T, s store.Store) {
	put(t, s, "v/a", []byte("old"))
	errBroken := errors.New("the disk it is read from has gone")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for want, fail := range map[error]func() error{
		errBroken:        func() error { return errBroken },
		context.Canceled: func() error { cancel(); return ctx.Err() },
	} {
		for _, name := range []string{"v/a", "w/new"} {
			body := &broken{bytes.NewReader(make([]byte, 1<<20)), 512 << 10, fail}
			use := t.Context()
			if want == context.Canceled {
				use = ctx
			}
			if err := s.Put(use, name, body, store.PutOptions{}); !errors.Is(err, want) {
				t.Errorf("put %s = %v, want %v", name, err, want)
			}
		}
	}
	left := list(t, s, "")
	if len(left) == 0 && !s.Properties().AtomicPut {
		return // written in place: the old one is lost, a part is not left
	}
	if want := []string{"v/a"}; !slices.Equal(left, want) {
		t.Errorf("the store holds %q, want %q", left, want)
	}
	if got := read(t, s, "v/a", 0, -1); string(got) != "old" {
		t.Errorf("v/a holds %d bytes, want the old ones", len(got))
	}
}

// stopping is a body whose first bytes are the last that are wanted.
type stopping struct {
	io.ReadSeeker
	stop func()
}

func (s *stopping) Read(p []byte) (int, error) {
	n, err := s.ReadSeeker.Read(p[:min(len(p), 64<<10)])
	s.stop()
	return n, err
}

// testStoppedPut: whoever is told to stop while it puts what is there already
// leaves the old one or the new one.
func testStoppedPut(t *testing.T, s store.Store) {
	put(t, s, "v/a", version(0))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := s.Put(ctx, "v/a", &stopping{bytes.NewReader(version(1)), cancel}, store.PutOptions{})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("put = %v, want nil or canceled", err)
	}
	if got := list(t, s, ""); !slices.Equal(got, []string{"v/a"}) {
		t.Fatalf("the store holds %q, want v/a", got)
	}
	if err := whole(read(t, s, "v/a", 0, -1)); err != nil {
		t.Errorf("the object %v", err)
	}
}

// version is an object that tells by any of its bytes which one it is.
func version(n int) []byte { return bytes.Repeat([]byte{byte('a' + n)}, 300_000+1000*n) }

// whole says what is wrong with an object that should be one version.
func whole(b []byte) error {
	if len(b) == 0 {
		return errors.New("is empty")
	}
	if n := int(b[0]) - 'a'; !bytes.Equal(b, version(n)) {
		return fmt.Errorf("is not version %d, nor another: %d bytes", n, len(b))
	}
	return nil
}

func testConcurrentPuts(t *testing.T, s store.Store) {
	if !s.Properties().AtomicPut {
		return // two that write in place can only spoil it: no promise to test
	}
	var putting sync.WaitGroup
	for i := range 8 {
		putting.Go(func() {
			if err := s.Put(t.Context(), "v/a", bytes.NewReader(version(i)), store.PutOptions{}); err != nil {
				t.Errorf("put version %d: %v", i, err)
			}
		})
	}
	putting.Wait()
	if err := whole(read(t, s, "v/a", 0, -1)); err != nil {
		t.Errorf("the object %v", err)
	}
}

// testNoParts reads and lists an object all the while it is put again and
// again.
func testNoParts(t *testing.T, s store.Store) {
	if !s.Properties().AtomicPut {
		return // the store says of itself that readers may see a part
	}
	ctx := t.Context()
	put(t, s, "v/a", version(0))
	done := make(chan struct{})
	var putting sync.WaitGroup
	putting.Go(func() {
		defer close(done)
		for i := range 25 {
			if err := s.Put(ctx, "v/a", bytes.NewReader(version(i)), store.PutOptions{}); err != nil {
				t.Errorf("put version %d: %v", i, err)
			}
		}
	})
	reads := 0
	for over := false; !over; reads++ {
		select {
		case <-done:
			over = true
		default:
		}
		if err := look(ctx, s); err != nil {
			t.Errorf("read %d: %v", reads, err)
			break
		}
	}
	putting.Wait()
}

func look(ctx context.Context, s store.Store) error {
	r, err := s.Open(ctx, "v/a", 0, -1)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	if err := whole(b); err != nil {
		return fmt.Errorf("v/a %w", err)
	}
	for info, err := range s.List(ctx, "") {
		if err != nil {
			return err
		}
		if info.Name != "v/a" || info.Size < int64(len(version(0))) {
			return fmt.Errorf("list shows %s with %d bytes", info.Name, info.Size)
		}
	}
	return nil
}

// testPutBesideDelete: removing the last object of a folder does not take the
// folder from under another one that is being put.
func testPutBesideDelete(t *testing.T, s store.Store) {
	var working sync.WaitGroup
	for w := range 4 {
		working.Go(func() {
			for i := range 30 {
				name := fmt.Sprintf("v/r%d/%d-%d", i%3, w, i)
				err := s.Put(t.Context(), name, strings.NewReader(name), store.PutOptions{})
				if err == nil {
					err = s.Delete(t.Context(), name)
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	working.Wait()
	if got := list(t, s, ""); len(got) != 0 {
		t.Errorf("the store holds %q", got)
	}
}
