package finish_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/stage/finish"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/verify"
	"github.com/spool-video/spool/internal/verify/verifytest"
)

// successor is the job of a revision r2 of the same segments, which are there.
func successor(m *verifytest.Memory, job spool.Job) spool.Job {
	second := job
	second.Revision = "r2"
	made := spool.Made{Inits: slices.Clone(job.Made.Inits), Segments: slices.Clone(job.Made.Segments)}
	move := func(o *spool.Object) {
		name := "r2" + strings.TrimPrefix(o.Name, "r1")
		m.Set("vid/"+name, m.Bytes("vid/"+o.Name))
		o.Name = name
	}
	for i := range made.Inits {
		move(&made.Inits[i].Object)
	}
	for i := range made.Segments {
		move(&made.Segments[i].Object)
	}
	second.Made = &made
	return second
}

// gate is a store that stands still before it does one thing.
type gate struct {
	*verifytest.Memory
	before        string        // "stat NAME", "open NAME" or "put NAME"
	reached, open chan struct{} // closed when it stands still, and to let it go on
	once          sync.Once
}

func (g *gate) pass(ctx context.Context, doing string) error {
	if doing != g.before {
		return nil
	}
	g.once.Do(func() { close(g.reached) })
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	}
}

func (g *gate) Stat(ctx context.Context, name string) (store.Info, error) {
	if err := g.pass(ctx, "stat "+name); err != nil {
		return store.Info{}, err
	}
	return g.Memory.Stat(ctx, name)
}

func (g *gate) Open(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	if err := g.pass(ctx, "open "+name); err != nil {
		return nil, err
	}
	return g.Memory.Open(ctx, name, offset, length)
}

func (g *gate) Put(ctx context.Context, name string, body io.ReadSeeker, o store.PutOptions) error {
	if err := g.pass(ctx, "put "+name); err != nil {
		return err
	}
	return g.Memory.Put(ctx, name, body, o)
}

// frozen runs a job up to a point, does something else, and gives what became of
// the job when it went on.
func frozen(t *testing.T, m *verifytest.Memory, job spool.Job, before string, meanwhile func()) error {
	t.Helper()
	g := &gate{Memory: m, before: before, reached: make(chan struct{}), open: make(chan struct{})}
	s := stage(m).Suspicious()
	s.Store = g
	ended := make(chan error, 1)
	go func() {
		_, err := s.Run(t.Context(), job, func(spool.Progress) {})
		ended <- err
	}()
	select {
	case <-g.reached:
		meanwhile()
		close(g.open)
		return <-ended
	case err := <-ended:
		t.Fatalf("it never came to %s: %v", before, err)
		return nil
	}
}

// A worker that was taken for lost while it finished a revision, and wakes when
// another revision is published, leaves players where they are.
func TestOvertakenWorkerPutsNoMaster(t *testing.T) {
	const card = "vid/video.json"
	for name, c := range map[string]struct {
		before string
		swept  bool // the other one has removed the revision
	}{
		"swept":                   {"stat vid/r1/manifest.json", true},
		"not swept yet":           {"open vid/master.m3u8", false},
		"between card and master": {"put " + card, true},
		"so, and it is not swept": {"put " + card, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := verifytest.NewMemory()
			job := verifytest.Job(t, m, verifytest.Options{NoVideo: true})
			second := successor(m, job)
			if c.swept {
				second.GivenUp = []string{"r1"}
			}
			err := frozen(t, m, job, c.before, func() {
				if _, err := run(t, stage(m), second); err != nil {
					t.Error(err)
				}
			})
			if e := spool.AsError(err); err == nil || e.Code != "superseded" || e.Class != spool.Transient {
				t.Errorf("run: %v, want superseded", err)
			}
			r := fast(t, m)
			if c.before == "put "+card { // that was on its way, and nobody could call it back
				r.Findings = slices.DeleteFunc(r.Findings, func(f verify.Finding) bool { return f.Object == card })
			}
			if len(r.Findings) > 0 || r.Revision != "r2" {
				t.Errorf("players see %s: %v", r.Revision, r.Findings)
			}
		})
	}
}

// Nor does it bring back a video that was removed.
func TestOvertakenWorkerLeavesWhatWasRemoved(t *testing.T) {
	m := verifytest.NewMemory()
	job := verifytest.Job(t, m, verifytest.Options{NoVideo: true})
	err := frozen(t, m, job, "stat vid/r1/manifest.json", func() {
		if err := finish.Unpublish(t.Context(), m, "vid", ""); err != nil {
			t.Error(err)
		}
	})
	if e := spool.AsError(err); err == nil || e.Code != "superseded" {
		t.Errorf("run: %v, want superseded", err)
	}
	if left := m.Names(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A master of which the ledger knows nothing is replaced, as long as it is the
// one that was there before, also when it is damaged; the same revision may be
// finished by two.
func TestKnownMastersAreReplaced(t *testing.T) {
	for name, edit := range map[string]func(m *verifytest.Memory){
		"of a ledger that was lost": func(*verifytest.Memory) {},
		"damaged":                   func(m *verifytest.Memory) { m.Set("vid/master.m3u8", []byte("damaged")) },
		"gone":                      func(m *verifytest.Memory) { m.Set("vid/master.m3u8", nil) },
	} {
		m, job := published(t, verifytest.Options{NoVideo: true})
		second := successor(m, job)
		edit(m)
		if _, err := run(t, stage(m), second); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if r := fast(t, m); len(r.Findings) > 0 || r.Revision != "r2" {
			t.Errorf("%s: players see %s: %v", name, r.Revision, r.Findings)
		}
	}
	m := verifytest.NewMemory()
	job := verifytest.Job(t, m, verifytest.Options{NoVideo: true})
	err := frozen(t, m, job, "stat vid/r1/manifest.json", func() {
		if _, err := run(t, stage(m), job); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Errorf("finished by two: %v", err)
	}
}

// pair is a store that confirms what is put, and that answers two questions when
// both are asked.
type pair struct {
	*verifytest.Memory
	of   []string
	both chan struct{} // closed when all of them were asked

	mu    sync.Mutex
	asked []string
}

func (p *pair) Properties() store.Properties {
	return store.Properties{Address: "pair", AtomicPut: true, Checksum: true}
}

func (p *pair) ask(ctx context.Context, question string) error {
	if !slices.Contains(p.of, question) {
		return nil
	}
	p.mu.Lock()
	if p.asked = append(p.asked, question); len(p.asked) == len(p.of) {
		close(p.both)
	}
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	select {
	case <-p.both:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: nothing else was asked", question)
	}
}

func (p *pair) Stat(ctx context.Context, name string) (store.Info, error) {
	if err := p.ask(ctx, "stat "+name); err != nil {
		return store.Info{}, err
	}
	return p.Memory.Stat(ctx, name)
}

func (p *pair) Open(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	if err := p.ask(ctx, "open "+name); err != nil {
		return nil, err
	}
	return p.Memory.Open(ctx, name, offset, length)
}

// To look whether it was overtaken costs a first publishing two small requests,
// at the same time.
func TestLookCostsTwoRequestsTogether(t *testing.T) {
	m := verifytest.NewMemory()
	job := verifytest.Job(t, m, verifytest.Options{NoVideo: true})
	p := &pair{Memory: m, of: []string{"open vid/master.m3u8", "stat vid/r1/manifest.json"}, both: make(chan struct{})}
	s := stage(m)
	s.Store = p
	if _, err := run(t, s, job); err != nil {
		t.Fatal(err)
	}
	slices.Sort(p.asked)
	if !slices.Equal(p.asked, p.of) {
		t.Errorf("asked %q, want %q", p.asked, p.of)
	}
}
