package publish

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/folder"
)

// watched is a store that keeps what it is asked for, and says of itself what a
// test wants.
type watched struct {
	store.Store
	properties store.Properties
	// stop, when set, ends a Put in the middle of its body, as it does where
	// objects are written in place.
	stop func()

	mu                 sync.Mutex // owns what follows
	puts, stats, opens []string
}

func (w *watched) Properties() store.Properties { return w.properties }

func (w *watched) note(what *[]string, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*what = append(*what, name)
}

func (w *watched) Put(ctx context.Context, name string, body io.ReadSeeker, o store.PutOptions) error {
	w.note(&w.puts, name)
	if w.stop != nil {
		w.stop()
		return errors.Join(ctx.Err(), w.Delete(context.WithoutCancel(ctx), name))
	}
	return w.Store.Put(ctx, name, body, o)
}

func (w *watched) Stat(ctx context.Context, name string) (store.Info, error) {
	w.note(&w.stats, name)
	return w.Store.Stat(ctx, name)
}

func (w *watched) Open(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	w.note(&w.opens, name)
	return w.Store.Open(ctx, name, offset, length)
}

func (w *watched) forget() { w.puts, w.stats, w.opens = nil, nil, nil }

func watch(t *testing.T, p store.Properties) *watched {
	t.Helper()
	s, err := folder.Open(t.TempDir(), folder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &watched{Store: s, properties: p}
}

// part runs a part of two segments and an init section on a worker that has
// nothing of it yet.
func (w *watched) part(t *testing.T, job spool.Job) (spool.Made, error) {
	t.Helper()
	target := Publisher{Store: w, Uploads: flow.NewSlots(2)}.Target(job)
	p := open(t, t.TempDir(), "mark")
	return target.Run(t.Context(), p, 2, nil, func(_ context.Context, done func(Plain) error) (Record, error) {
		r := Record{Inits: []Init{{InitSection: spool.InitSection{Rendition: "v0-360p"}, Bytes: []byte("init")}}}
		for n := range 2 {
			r.Segments = append(r.Segments, write(t, p, n))
			if err := done(r.Segments[n]); err != nil {
				return r, err
			}
		}
		return r, nil
	})
}

func segments(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return strings.HasPrefix(path.Base(name), "init-") })
}

// A job that is handed out again puts nothing that is there; one that is handed
// out for the first time asks for nothing where a put in one step harms no one.
func TestJobHandedOutAgainPutsNothingTwice(t *testing.T) {
	for name, c := range map[string]struct {
		properties store.Properties
		asks       bool // the first one does
		reads      bool // who finds something reads it
	}{
		"bucket": {store.Properties{AtomicPut: true, Checksum: true}, false, false},
		"disk":   {store.Properties{AtomicPut: true}, false, true},
		"share":  {store.Properties{Checksum: true}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := watch(t, c.properties)
			job := spool.Job{JobKey: key, Epoch: 1, Keys: spool.ContentKeys{{ID: "k", Bytes: []byte("0123456789abcdef")}}}
			first, err := w.part(t, job)
			if err != nil {
				t.Fatal(err)
			}
			if len(w.puts) != 3 || (len(segments(w.stats)) > 0) != c.asks {
				t.Errorf("the first one put %q and asked for %q", w.puts, w.stats)
			}
			w.forget()
			job.Epoch = 2
			second, err := w.part(t, job)
			if diff := cmp.Diff(first, second); err != nil || diff != "" {
				t.Errorf("%v; the second one made something else: %s", err, diff)
			}
			if len(w.puts) > 0 || (len(w.opens) > 0) != c.reads {
				t.Errorf("the second one put %q and read %q", w.puts, w.opens)
			}
		})
	}
}

// Whoever is told to stop, because another worker's segment counts, does not
// take it away with its own.
func TestStoppedWorkerLeavesWhatCounts(t *testing.T) {
	w := watch(t, store.Properties{Checksum: true})
	target := Publisher{Store: w, Uploads: flow.NewSlots(1)}.Target(spool.Job{JobKey: key, Epoch: 1})
	plain := Plain{Rendition: "v0-360p", SHA256: sum([]byte("media")), Size: 5}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	counts, err := target.Segment(ctx, plain, []byte("media"))
	if err != nil {
		t.Fatal(err)
	}
	w.stop = cancel
	if _, err := target.Segment(ctx, plain, []byte("media")); err != nil {
		t.Errorf("published again: %v", err)
	}
	if there, err := target.Has(t.Context(), spool.Made{Segments: []spool.Segment{counts}}); !there || err != nil {
		t.Errorf("it is there: %v, %v", there, err)
	}
}

// An object that has the name and the size of what is published, but not its
// bytes, is put again where it may have been left by a put that broke off.
func TestDamagedObjectIsPutAgain(t *testing.T) {
	w := watch(t, store.Properties{Checksum: true})
	target := Publisher{Store: w, Uploads: flow.NewSlots(1)}.Target(spool.Job{JobKey: key, Epoch: 1})
	plain := Plain{Rendition: "v0-360p", SHA256: sum([]byte("media")), Size: 5}
	for range 2 {
		made, err := target.Segment(t.Context(), plain, []byte("media"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := target.hash(t.Context(), made.Object); got != made.SHA256 {
			t.Errorf("the store has other bytes, %v", err)
		}
		if err := w.Store.Put(t.Context(), path.Join("v", made.Name), bytes.NewReader(make([]byte, 5)), store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}
