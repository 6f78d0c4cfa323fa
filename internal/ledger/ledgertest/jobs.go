package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// noon is when these tests hand out.
var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func testReady(t *testing.T, open Open) {
	l := open(t)
	for _, id := range []string{"late", "early"} { // the order of acceptance counts, not of names
		r := fresh(id)
		r.Jobs[0].State = spool.JobDone
		for n := 11; n >= 0; n-- {
			r.Jobs = append(r.Jobs, job(id, "r1", spool.Encode, n, spool.JobReady))
		}
		r.Jobs = append(r.Jobs, job(id, "r1", spool.Audio, 1, spool.JobReady), job(id, "r1", spool.Audio, 0, spool.JobReady))
		accept(t, l, r)
	}
	wantReady(t, l, spool.Fetch, 10)
	wantReady(t, l, spool.Audio, 3, "late/r1/audio-0", "late/r1/audio-1", "early/r1/audio-0")
	wantReady(t, l, spool.Encode, 2, "late/r1/encode-0", "late/r1/encode-1")
	var all []string
	for _, id := range []string{"late", "early"} {
		for n := range 12 {
			all = append(all, fmt.Sprintf("%s/r1/encode-%d", id, n))
		}
	}
	wantReady(t, l, spool.Encode, 100, all...)
	got, err := l.Ready(t.Context(), ledger.Ask{Kind: spool.Encode, Now: noon, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]spool.JobRecord{job("late", "r1", spool.Encode, 0, spool.JobReady).JobRecord}, got); diff != "" {
		t.Errorf("ready (-want +got):\n%s", diff)
	}
}

func testReadyLive(t *testing.T, open Open) {
	l := open(t)
	for _, id := range []string{"a", "b", "c"} {
		accept(t, l, fresh(id))
	}
	wantReady(t, l, spool.Fetch, 9, "a/r1/fetch-0", "b/r1/fetch-0", "c/r1/fetch-0")

	setStatus := func(id string, s spool.Status) {
		update(t, l, id, func(r *ledger.Record) { r.Video.Status = s })
	}
	for _, ended := range []spool.Status{spool.Failed, spool.Cancelled, spool.Ready} {
		setStatus("a", ended)
		wantReady(t, l, spool.Fetch, 9, "b/r1/fetch-0", "c/r1/fetch-0")
		setStatus("a", spool.Paused)
		wantReady(t, l, spool.Fetch, 9, "a/r1/fetch-0", "b/r1/fetch-0", "c/r1/fetch-0")
	}

	// Not before its time; at it.
	update(t, l, "b", func(r *ledger.Record) { r.Jobs[0].NotBefore = noon.Add(1) })
	wantReady(t, l, spool.Fetch, 9, "a/r1/fetch-0", "c/r1/fetch-0")
	update(t, l, "b", func(r *ledger.Record) { r.Jobs[0].NotBefore = noon })
	wantReady(t, l, spool.Fetch, 9, "a/r1/fetch-0", "b/r1/fetch-0", "c/r1/fetch-0")

	// A clock that was ahead when it was put off holds up nothing.
	update(t, l, "b", func(r *ledger.Record) { r.Jobs[0].NotBefore = noon.Add(ledger.LongestRest) })
	wantReady(t, l, spool.Fetch, 9, "a/r1/fetch-0", "c/r1/fetch-0")
	update(t, l, "b", func(r *ledger.Record) { r.Jobs[0].NotBefore = noon.Add(ledger.LongestRest + 1) })
	wantReady(t, l, spool.Fetch, 9, "a/r1/fetch-0", "b/r1/fetch-0", "c/r1/fetch-0")

	// Only jobs of the current revision, also after going back to one.
	update(t, l, "c", func(r *ledger.Record) {
		r.Video.Revision = "r2"
		r.Jobs = []ledger.Job{job("c", "r2", spool.Fetch, 0, spool.JobReady)}
	})
	wantReady(t, l, spool.Fetch, 9, "a/r1/fetch-0", "b/r1/fetch-0", "c/r2/fetch-0")
	update(t, l, "c", func(r *ledger.Record) { r.Video.Revision, r.Jobs = "r1", nil })
	wantReady(t, l, spool.Fetch, 9, "a/r1/fetch-0", "b/r1/fetch-0", "c/r1/fetch-0")

	for _, state := range []spool.JobState{spool.JobSent, spool.JobRunning, spool.JobDone, spool.JobFailed} {
		update(t, l, "a", func(r *ledger.Record) { r.Jobs[0].State = state })
		wantReady(t, l, spool.Fetch, 9, "b/r1/fetch-0", "c/r1/fetch-0")
	}
}

func testOut(t *testing.T, open Open) {
	l := open(t)
	r := fresh("a")
	r.Jobs = append(r.Jobs, job("a", "r1", spool.Encode, 1, spool.JobSent), job("a", "r1", spool.Encode, 0, spool.JobRunning),
		job("a", "r1", spool.Encode, 2, spool.JobDone), job("a", "r1", spool.Encode, 3, spool.JobFailed))
	accept(t, l, r)
	wantOut := func(want ...string) {
		t.Helper()
		out, err := l.Out(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, keys(out), cmpopts.SortSlices(func(a, b string) bool { return a < b }), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("out (-want +got):\n%s", diff)
		}
	}
	wantOut("a/r1/encode-0", "a/r1/encode-1")
	// A worker may still be at it.
	update(t, l, "a", func(r *ledger.Record) { r.Video.Status, r.Video.Revision, r.Jobs = spool.Cancelled, "r2", nil })
	wantOut("a/r1/encode-0", "a/r1/encode-1")
	update(t, l, "a", func(r *ledger.Record) { r.Video.Revision, r.Jobs = "r1", nil })
	update(t, l, "a", func(r *ledger.Record) { r.Job(spool.Encode, 1).State = spool.JobDone })
	wantOut("a/r1/encode-0")
}

// testCompareAndSet: of many that hand out the same job at the same time, one
// does.
func testCompareAndSet(t *testing.T, open Open) {
	l := open(t)
	accept(t, l, fresh("a"))
	errTaken := errors.New("taken")
	var mu sync.Mutex
	won := 0
	var trying sync.WaitGroup
	for i := range 16 {
		trying.Go(func() {
			err := l.Update(t.Context(), "a", func(r *ledger.Record) error {
				if r.Jobs[0].State != spool.JobReady {
					return errTaken
				}
				r.Jobs[0].State, r.Jobs[0].Worker = spool.JobSent, fmt.Sprint(i)
				return nil
			})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, errTaken) {
				t.Error(err)
			}
		})
	}
	trying.Wait()
	if won != 1 {
		t.Errorf("%d took the job, want 1", won)
	}
}

// testProcesses: several that have the ledger open lose no update of each
// other.
func testProcesses(t *testing.T, open Open) {
	const processes, each = 3, 20
	first := open(t)
	accept(t, first, fresh("a"))
	var working sync.WaitGroup
	for p := range processes {
		l := open(t)
		working.Go(func() {
			for i := range each {
				if err := l.Update(t.Context(), "a", func(r *ledger.Record) error { r.Jobs[0].Epoch++; return nil }); err != nil {
					t.Errorf("process %d, update %d: %v", p, i, err)
				}
				if err := l.Accept(t.Context(), fresh(fmt.Sprintf("p%d-%d", p, i))); err != nil {
					t.Errorf("process %d, accept %d: %v", p, i, err)
				}
			}
		})
	}
	working.Wait()
	if r, err := first.Get(t.Context(), "a"); err != nil || r.Jobs[0].Epoch != processes*each {
		t.Errorf("epoch %d after %d updates, %v", r.Jobs[0].Epoch, processes*each, err)
	}
	if got := ids(t, first, ledger.Filter{}); len(got) != 1+processes*each {
		t.Errorf("%d videos, want %d", len(got), 1+processes*each)
	}
}

func testChanges(t *testing.T, open Open) {
	mine, other := open(t), open(t)
	number := func() int64 {
		t.Helper()
		n, err := mine.Changes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := number()
	accept(t, mine, fresh("a"))
	if number() != before {
		t.Error("an own write counts as a change by somebody else")
	}
	if _, err := other.Get(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if number() != before {
		t.Error("a read counts as a change")
	}
	seen := map[int64]bool{before: true}
	for range 3 {
		update(t, other, "a", func(r *ledger.Record) { r.Jobs[0].Epoch++ })
		if n := number(); seen[n] {
			t.Errorf("the number %d came before, though another process has written", n)
		} else {
			seen[n] = true
		}
	}
}

func testEndedContext(t *testing.T, open Open) {
	l := open(t)
	accept(t, l, fresh("a"))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, getErr := l.Get(ended, "a")
	_, listErr := l.List(ended, ledger.Filter{})
	_, readyErr := l.Ready(ended, ledger.Ask{Kind: spool.Fetch, Now: noon, Limit: 1})
	for operation, err := range map[string]error{
		"accept": l.Accept(ended, fresh("b")), "get": getErr, "list": listErr, "ready": readyErr,
		"update": l.Update(ended, "a", func(*ledger.Record) error { return nil }),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want canceled", operation, err)
		}
	}

	// A context that ends in the middle of an update saves nothing of it, and
	// the ledger goes on.
	during, cancel := context.WithCancel(t.Context())
	err := l.Update(during, "a", func(r *ledger.Record) error { r.Jobs[0].Epoch = 99; cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("update = %v, want canceled", err)
	}
	check(t, l, "a", fresh("a"))
	accept(t, l, fresh("b"))
}

func wantReady(t *testing.T, l ledger.Ledger, kind spool.Kind, limit int, want ...string) {
	t.Helper()
	got, err := l.Ready(t.Context(), ledger.Ask{Kind: kind, Now: noon, Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, keys(got), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("ready %s (-want +got):\n%s", kind, diff)
	}
}
