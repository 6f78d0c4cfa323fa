package ledgertest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// parts is a video whose fetch is done, with ready chunks whose turns begin at
// first.
func parts(id string, priority int, first int64, place spool.Place) ledger.Record {
	r := fresh(id)
	r.Video.Priority = priority
	r.Jobs[0].State = spool.JobDone
	for n := range 3 {
		j := job(id, "r1", spool.Encode, n, spool.JobReady)
		j.Turn, j.Place = first+int64(n), place
		r.Jobs = append(r.Jobs, j)
	}
	return r
}

// testTurns: a priority goes before a turn, a turn before the order of
// acceptance, and a priority can change.
func testTurns(t *testing.T, open Open) {
	l := open(t)
	accept(t, l, parts("late", 0, 2, spool.Place{}))
	accept(t, l, parts("even", 0, 2, spool.Place{}))
	accept(t, l, parts("first", 0, 1, spool.Place{}))
	accept(t, l, parts("low", -1, 0, spool.Place{}))
	accept(t, l, parts("high", 1, 9, spool.Place{}))
	at := func(id string, n int) string { return fmt.Sprintf("%s/r1/encode-%d", id, n) }
	wantReady(t, l, spool.Encode, 9, at("high", 0), at("high", 1), at("high", 2), at("first", 0),
		at("late", 0), at("even", 0), at("first", 1), at("late", 1), at("even", 1))
	update(t, l, "low", func(r *ledger.Record) { r.Video.Priority = 2 })
	wantReady(t, l, spool.Encode, 2, at("low", 0), at("low", 1))
	check(t, l, "first", parts("first", 0, 1, spool.Place{}))
}

// testPlaces: jobs are found by the workers that they may be given to.
func testPlaces(t *testing.T, open Open) {
	l := open(t)
	disk, class, store := spool.Place{Worker: "w\"1"}, spool.Place{Class: "x"}, spool.Place{Store: "nas:", Class: "x"}
	accept(t, l, parts("a", 0, 1, disk), parts("b", 0, 1, class), parts("c", 1, 1, store), parts("d", 0, 1, spool.Place{}))
	places, err := l.Places(t.Context(), spool.Encode)
	if err != nil {
		t.Fatal(err)
	}
	less := func(a, b spool.Place) bool { return fmt.Sprint(a) < fmt.Sprint(b) }
	if diff := cmp.Diff([]spool.Place{disk, class, store, {}}, places, cmpopts.SortSlices(less)); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	if places, err := l.Places(t.Context(), spool.Audio); err != nil || len(places) > 0 {
		t.Errorf("places of no jobs: %v, %v", places, err)
	}
	want := func(limit int, places []spool.Place, want ...string) {
		t.Helper()
		got, err := l.Ready(t.Context(), ledger.Ask{Kind: spool.Encode, Now: noon, Places: places, Limit: limit})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, keys(got), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("ready at %v (-want +got):\n%s", places, diff)
		}
	}
	want(9, []spool.Place{})
	want(1, []spool.Place{disk}, "a/r1/encode-0")
	want(1, []spool.Place{disk, store, {}}, "c/r1/encode-0", "a/r1/encode-0", "d/r1/encode-0")
	want(2, []spool.Place{class, {}}, "b/r1/encode-0", "d/r1/encode-0", "b/r1/encode-1", "d/r1/encode-1")
	update(t, l, "b", func(r *ledger.Record) { r.Jobs[1].Place = disk })
	want(1, []spool.Place{class}, "b/r1/encode-1")
}

// testStock: what could be encoded and was not begun is found, each video once.
func testStock(t *testing.T, open Open) {
	l := open(t)
	disk := spool.Place{Worker: "w"}
	sound, unplanned := fresh("sound"), fresh("unplanned")
	sound.Jobs = append(sound.Jobs, job("sound", "r1", spool.Audio, 0, spool.JobReady), job("sound", "r1", spool.Audio, 1, spool.JobReady))
	unplanned.Jobs = append(unplanned.Jobs, job("unplanned", "r1", spool.Draft, 0, spool.JobReady))
	unplanned.Jobs[1].Place = disk
	both := parts("both", 2, 1, disk)
	both.Jobs = append(both.Jobs, job("both", "r1", spool.Audio, 0, spool.JobReady))
	both.Jobs[4].Place = disk
	begun, ended, former := parts("begun", 0, 1, disk), parts("ended", 0, 1, disk), parts("former", 0, 1, disk)
	begun.Jobs[1].Epoch, ended.Video.Status, former.Video.Revision = 1, spool.Failed, "r2"
	accept(t, l, fresh("waits"), sound, begun, unplanned, ended, both, former, parts("late", 0, 1, spool.Place{}))
	want := []ledger.Stocked{{}, {Place: disk}, {Place: disk, Priority: 2, Chunks: 3}, {Chunks: 3}}
	for _, limit := range []int{9, 3} {
		got, err := l.Stock(t.Context(), limit)
		if diff := cmp.Diff(want[:min(limit, len(want))], got); diff != "" || err != nil {
			t.Errorf("stock of %d, %v (-want +got):\n%s", limit, err, diff)
		}
	}
	update(t, l, "both", func(r *ledger.Record) {
		for i := range r.Jobs {
			r.Jobs[i].Epoch++
		}
	})
	if got, err := l.Stock(t.Context(), 9); err != nil || len(got) != 3 {
		t.Errorf("stock after one was begun: %v, %v", got, err)
	}
}

// testUpdateAll: of a batch, what is refused is left out, and nothing else.
func testUpdateAll(t *testing.T, open Open) {
	l := open(t)
	accept(t, l, fresh("a"), fresh("b"))
	errMine := errors.New("not like this")
	more := func(r *ledger.Record) error { r.Jobs[0].Epoch++; return nil }
	refused, err := l.UpdateAll(t.Context(), []ledger.Change{
		{ID: "A", Do: more},
		{ID: "nobody", Do: more},
		{ID: "a", Do: func(r *ledger.Record) error {
			r.Jobs[0].Epoch, r.Video.Title, r.Jobs[0].Failure = 99, "no", &spool.Failure{}
			return errMine
		}},
		{ID: "b", Do: more},
		{ID: "a", Do: func(r *ledger.Record) error {
			if r.Jobs[0].Epoch != 1 {
				t.Errorf("a change sees epoch %d after one that was made, and one that was refused", r.Jobs[0].Epoch)
			}
			return more(r)
		}},
		{ID: "b", Do: func(r *ledger.Record) error { r.Video.ID = "c"; return nil }},
	})
	if err != nil || len(refused) != 6 {
		t.Fatalf("update all = %v, %v", refused, err)
	}
	for i, want := range []error{nil, ledger.ErrNotFound, errMine, nil, nil} {
		if !errors.Is(refused[i], want) {
			t.Errorf("change %d = %v, want %v", i, refused[i], want)
		}
	}
	if refused[5] == nil {
		t.Error("a change of the ID was made")
	}
	for id, epoch := range map[string]int{"a": 2, "b": 1} {
		want := fresh(id)
		want.Jobs[0].Epoch = epoch
		check(t, l, id, want)
	}
	if refused, err := l.UpdateAll(t.Context(), nil); err != nil || len(refused) > 0 {
		t.Errorf("update of nothing = %v, %v", refused, err)
	}
}

// testPages: a long list is read a page at a time, and failures by their cause.
func testPages(t *testing.T, open Open) {
	l := open(t)
	for i, id := range []string{"a", "b", "c", "d", "e", "f"} {
		r := fresh(id)
		if i%2 == 1 {
			r.Video.Status, r.Video.Failure = spool.Failed, &spool.Failure{Code: []string{"http-404", "poison"}[i/2%2]}
		}
		accept(t, l, r)
	}
	failed := []spool.Status{spool.Failed, spool.Failed}
	for _, c := range []struct {
		filter ledger.Filter
		want   []string
	}{
		{ledger.Filter{Limit: 2}, []string{"a", "b"}},
		{ledger.Filter{Limit: 2, After: "B"}, []string{"c", "d"}},
		{ledger.Filter{Limit: 9, After: "e"}, []string{"f"}},
		{ledger.Filter{After: "f"}, nil},
		{ledger.Filter{Statuses: failed}, []string{"b", "d", "f"}},
		{ledger.Filter{Statuses: append(failed, spool.Waiting), Limit: 3, After: "a"}, []string{"b", "c", "d"}},
		{ledger.Filter{Statuses: failed, Causes: []string{"poison"}}, []string{"d"}},
		{ledger.Filter{Causes: []string{"poison", "http-404"}, Limit: 2}, []string{"b", "d"}},
		{ledger.Filter{Causes: []string{"http-404"}, After: "B"}, []string{"f"}},
	} {
		if diff := cmp.Diff(c.want, ids(t, l, c.filter), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("list %+v (-want +got):\n%s", c.filter, diff)
		}
	}
	if _, err := l.List(t.Context(), ledger.Filter{After: "nobody"}); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("list after nobody = %v, want ErrNotFound", err)
	}
	update(t, l, "d", func(r *ledger.Record) { r.Video.Status, r.Video.Failure = spool.Waiting, nil })
	if got := ids(t, l, ledger.Filter{Causes: []string{"poison"}}); len(got) > 0 {
		t.Errorf("a cause outlived its failure: %q", got)
	}
}
