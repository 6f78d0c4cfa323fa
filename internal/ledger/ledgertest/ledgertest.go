// Package ledgertest is the conformance suite of ledgers: what every ledger
// must do for no video to be lost and no job to be done wrong.
package ledgertest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// Open opens one ledger, as one process does; a second call opens the same
// one. It closes it at the end of the test.
type Open func(t *testing.T) ledger.Ledger

// Run holds a ledger against the contract; start gives a new empty one.
func Run(t *testing.T, start func(t *testing.T) Open) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Open)
	}{
		{"keeps a record as it was accepted", testAccept},
		{"accepts several or none", testAcceptSeveral},
		{"refuses what cannot be accepted", testRefuse},
		{"finds by source", testFind},
		{"lists and filters", testList},
		{"lists what moves", testMovingList},
		{"lists a page", testPages},
		{"updates", testUpdate},
		{"saves nothing of a refused update", testUpdateRefused},
		{"updates several", testUpdateAll},
		{"keeps results", testResults},
		{"hands out in order", testReady},
		{"hands out only what is to be done", testReadyLive},
		{"hands out by priority and turn", testTurns},
		{"knows places", testPlaces},
		{"knows its stock", testStock},
		{"knows what is out", testOut},
		{"keeps keys", testKeys},
		{"remembers replaced revisions", testReplaced},
		{"keeps notices until they are told", testNotices},
		{"counts", testCount},
		{"forgets", testRemove},
		{"is still there when opened again", testReopen},
		{"compares and sets", testCompareAndSet},
		{"serves several processes", testProcesses},
		{"tells of other processes", testChanges},
		{"obeys ended contexts", testEndedContext},
		{"does as a model does", testModel},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, start(t)) })
	}
}

// full is a record with something in every field.
func full(id string) ledger.Record {
	v := spool.Video{
		ID: id, Source: "https://user:secret@example.org/a.mp4?token=x", Canonical: "https://example.org/" + id,
		Title: "Ünï 日本 \"quoted\"", Status: spool.Working, Revision: "r1", Published: "r0",
		Priority: 3, Settings: spool.Settings{Ladder: "default", Sizes: []int{360, 720}, Preset: "medium", Encrypt: true, KeyURI: "/k/{key}"},
		Failure: &spool.Failure{Class: spool.Environment, Code: "no-space", Reason: "no space", Hint: "make room"},
		Stamp:   spool.SourceStamp{Size: 7, Modified: 8}, Sizes: []string{"360p"}, LeftOut: []string{"subtitles (eng)"}, Replans: 2,
		Callbacks: []string{"https://u:p@example.org/hook"},
		Added:     time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC), Changed: time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC),
	}
	fetch := job(id, "r1", spool.Fetch, 0, spool.JobDone)
	fetch.Result = &spool.Result{Fetched: &spool.Fetched{Path: "/scratch/a", Size: 9, SHA256: "ab", Scratch: true}}
	encode := job(id, "r1", spool.Encode, 3, spool.JobRunning)
	encode.Epoch, encode.Attempts, encode.Deaths, encode.Worker = 4, 5, 6, "w1"
	encode.NotBefore = time.Date(2026, 5, 6, 7, 8, 9, 123456789, time.UTC)
	encode.Place, encode.Turn, encode.Seen = spool.Place{Worker: "w1", Store: "nas:", Class: "x"}, 1<<40, 7
	encode.Lost = []string{"s1", "s2"}
	encode.Failure = &spool.Failure{Class: spool.Transient, Code: "http-500", Reason: "the server"}
	return ledger.Record{Video: v, Jobs: []ledger.Job{fetch, encode}}
}

// fresh is a video that was just accepted: one ready fetch job.
func fresh(id string) ledger.Record {
	return ledger.Record{
		Video: spool.Video{ID: id, Canonical: "c/" + id, Status: spool.Waiting, Revision: "r1"},
		Jobs:  []ledger.Job{job(id, "r1", spool.Fetch, 0, spool.JobReady)},
	}
}

func job(id, revision string, kind spool.Kind, number int, state spool.JobState) ledger.Job {
	key := spool.JobKey{Video: id, Revision: revision, Kind: kind, Number: number}
	return ledger.Job{JobRecord: spool.JobRecord{JobKey: key, State: state}}
}

func testAccept(t *testing.T, open Open) {
	l := open(t)
	want := full("Cat-1")
	accept(t, l, want)
	for _, id := range []string{"Cat-1", "cat-1"} { // as IDs clash, so they are found
		got, err := l.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(withoutResults(want), got); diff != "" {
			t.Errorf("get %s (-accepted +got):\n%s", id, diff)
		}
	}
}

func testAcceptSeveral(t *testing.T, open Open) {
	l := open(t)
	if err := l.Accept(t.Context(), fresh("b"), fresh("a"), fresh("c")); err != nil {
		t.Fatal(err)
	}
	check(t, l, "c", fresh("c"))
	if got := ids(t, l, ledger.Filter{}); !slices.Equal(got, []string{"b", "a", "c"}) {
		t.Errorf("the ledger lists %q, not in the order of acceptance", got)
	}
	for name, r := range map[string]ledger.Record{"a taken ID": fresh("A"), "no ID": {}, "twice one ID": fresh("D")} {
		err := l.Accept(t.Context(), fresh("d"), r)
		if err == nil || errors.Is(err, ledger.ErrExists) != (name != "no ID") {
			t.Errorf("accept with %s = %v", name, err)
		}
	}
	if err := l.Accept(t.Context()); err != nil {
		t.Errorf("accept of nothing = %v", err)
	}
	if got := ids(t, l, ledger.Filter{}); len(got) != 3 {
		t.Errorf("the ledger holds %q: what was refused left something", got)
	}
}

func withoutResults(r ledger.Record) ledger.Record {
	jobs := append([]ledger.Job{}, r.Jobs...)
	for i := range jobs {
		jobs[i].Result = nil
	}
	return ledger.Record{Video: r.Video, Jobs: jobs}
}

func testRefuse(t *testing.T, open Open) {
	l := open(t)
	accept(t, l, fresh("cat"))
	if err := l.Accept(t.Context(), fresh("CAT")); !errors.Is(err, ledger.ErrExists) {
		t.Errorf("accept CAT beside cat = %v, want ErrExists", err)
	}
	foreign := fresh("dog")
	foreign.Jobs[0].Video = "cat"
	unknown := fresh("dog")
	unknown.Jobs[0].Kind = "dance"
	for name, r := range map[string]ledger.Record{
		"no ID": {}, "ID with ..": fresh("../x"), "job of another video": foreign, "job of no kind": unknown,
	} {
		if err := l.Accept(t.Context(), r); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := l.Get(t.Context(), "dog"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("get dog = %v, want ErrNotFound: a refused video leaves nothing", err)
	}
	if got := ids(t, l, ledger.Filter{}); len(got) != 1 {
		t.Errorf("the ledger holds %q, want cat alone", got)
	}
}

func testFind(t *testing.T, open Open) {
	l := open(t)
	if _, err := l.Find(t.Context(), "c/cat"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("find in an empty ledger = %v, want ErrNotFound", err)
	}
	for _, id := range []string{"cat", "zebra", "bird"} {
		r := fresh(id)
		r.Video.Canonical = "same"
		accept(t, l, r)
	}
	if v, err := l.Find(t.Context(), "same"); err != nil || v.ID != "bird" {
		t.Errorf("find = %s, %v; want bird, the last one accepted", v.ID, err)
	}
	if _, err := l.Find(t.Context(), "SAME"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("find in capitals = %v, want ErrNotFound: addresses are not folded", err)
	}
}

func testList(t *testing.T, open Open) {
	l := open(t)
	statuses := []spool.Status{spool.Waiting, spool.Working, spool.Ready, spool.Failed}
	for i, id := range []string{"d", "c", "b", "a"} {
		r := fresh(id)
		r.Video.Status = statuses[i]
		accept(t, l, r)
	}
	for _, c := range []struct {
		filter ledger.Filter
		want   []string
	}{
		{ledger.Filter{}, []string{"d", "c", "b", "a"}},
		{ledger.Filter{Statuses: []spool.Status{spool.Failed, spool.Waiting}}, []string{"d", "a"}},
		{ledger.Filter{Statuses: []spool.Status{spool.Cancelled}}, nil},
	} {
		if diff := cmp.Diff(c.want, ids(t, l, c.filter), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("list %+v (-want +got):\n%s", c.filter, diff)
		}
	}
}

// testMovingList: a video that goes from one status to another all the time is
// listed once by who asks for both.
func testMovingList(t *testing.T, open Open) {
	l := open(t)
	accept(t, l, full("cat"))
	statuses := []spool.Status{spool.Paused, spool.Waiting, spool.Working}
	moved := make(chan struct{})
	go func() {
		defer close(moved)
		for i := range 300 {
			move := func(r *ledger.Record) error { r.Video.Status = statuses[i%len(statuses)]; return nil }
			if err := l.Update(t.Context(), "cat", move); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for moving := true; moving; {
		select {
		case <-moved:
			moving = false
		default:
		}
		if listed := ids(t, l, ledger.Filter{Statuses: statuses}); len(listed) != 1 {
			t.Errorf("a video that moves was listed as %q", listed)
			break
		}
	}
	<-moved
}

func testUpdate(t *testing.T, open Open) {
	l := open(t)
	accept(t, l, full("cat"))
	update(t, l, "CAT", func(r *ledger.Record) {
		r.Video.Status, r.Video.Failure = spool.Paused, nil
		r.Job(spool.Encode, 3).Epoch++
		r.Jobs = append(r.Jobs, job("cat", "r1", spool.Encode, 0, spool.JobReady), job("cat", "r1", spool.Finish, 0, spool.JobReady))
	})
	want := withoutResults(full("cat"))
	want.Video.Status, want.Video.Failure = spool.Paused, nil
	want.Jobs[1].Epoch++
	want.Jobs = []ledger.Job{
		want.Jobs[0], job("cat", "r1", spool.Encode, 0, spool.JobReady), want.Jobs[1], job("cat", "r1", spool.Finish, 0, spool.JobReady),
	}
	check(t, l, "cat", want)

	// A new revision has jobs of its own; those of the old one stay.
	update(t, l, "cat", func(r *ledger.Record) {
		r.Video.Revision = "r2"
		r.Jobs = []ledger.Job{job("cat", "r2", spool.Draft, 0, spool.JobReady)}
	})
	again := want
	again.Video.Revision, again.Jobs = "r2", []ledger.Job{job("cat", "r2", spool.Draft, 0, spool.JobReady)}
	check(t, l, "cat", again)
	update(t, l, "cat", func(r *ledger.Record) { r.Video.Revision, r.Jobs = "r1", nil })
	check(t, l, "cat", want)
}

func testUpdateRefused(t *testing.T, open Open) {
	l := open(t)
	accept(t, l, full("cat"))
	errMine := errors.New("not like this")
	for name, change := range map[string]func(*ledger.Record) error{
		"own error": func(r *ledger.Record) error {
			r.Video.Status, r.Video.Failure.Code, r.Video.Settings.Sizes[0] = spool.Failed, "x", 1
			r.Jobs[1].Epoch, r.Jobs[1].Failure.Code = 99, "x"
			return errMine
		},
		"other ID":           func(r *ledger.Record) error { r.Video.ID = "dog"; return nil },
		"job of another one": func(r *ledger.Record) error { r.Jobs[0].Video = "dog"; return nil },
	} {
		err := l.Update(t.Context(), "cat", change)
		if err == nil || name == "own error" && err != errMine { //nolint:errorlint // the very error is promised
			t.Errorf("%s: update = %v", name, err)
		}
		check(t, l, "cat", withoutResults(full("cat")))
	}
	err := l.Update(t.Context(), "nobody", func(*ledger.Record) error { t.Error("called"); return nil })
	if !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("update of nobody = %v, want ErrNotFound", err)
	}
}

func testResults(t *testing.T, open Open) {
	l := open(t)
	accept(t, l, full("cat"))
	made := func(n int) *spool.Result {
		return &spool.Result{Made: &spool.Made{Segments: []spool.Segment{{Rendition: "v0-360p", Number: n, Units: 150}}}}
	}
	update(t, l, "cat", func(r *ledger.Record) {
		for n := 12; n >= 0; n-- {
			j := job("cat", "r1", spool.Encode, n, spool.JobDone)
			j.Result = made(n)
			r.Jobs = append(r.Jobs, j)
		}
	})
	update(t, l, "cat", func(r *ledger.Record) { r.Job(spool.Encode, 5).Worker = "w9" }) // the result stays
	got, err := l.Results(t.Context(), "CAT", "r1")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 14 || got[0].Kind != spool.Fetch {
		t.Fatalf("%d results, want fetch and 13 of encode: %v", len(got), got)
	}
	if diff := cmp.Diff(full("cat").Jobs[0].Result, got[0].Result); diff != "" {
		t.Errorf("fetch (-want +got):\n%s", diff)
	}
	for n, j := range got[1:] {
		if j.Video != "cat" || j.Number != n || cmp.Diff(made(n), j.Result) != "" {
			t.Errorf("result %d is %v with %+v", n, j.JobKey, j.Result)
		}
	}
	if got, err := l.Results(t.Context(), "cat", "r2"); err != nil || len(got) != 0 {
		t.Errorf("results of another revision: %v, %v", got, err)
	}
}

func accept(t *testing.T, l ledger.Ledger, rs ...ledger.Record) {
	t.Helper()
	if err := l.Accept(t.Context(), rs...); err != nil {
		t.Fatalf("accept %s: %v", rs[0].Video.ID, err)
	}
}

func update(t *testing.T, l ledger.Ledger, id string, change func(*ledger.Record)) {
	t.Helper()
	if err := l.Update(t.Context(), id, func(r *ledger.Record) error { change(r); return nil }); err != nil {
		t.Fatalf("update %s: %v", id, err)
	}
}

func check(t *testing.T, l ledger.Ledger, id string, want ledger.Record) {
	t.Helper()
	got, err := l.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("record %s (-want +got):\n%s", id, diff)
	}
}

func ids(t *testing.T, l ledger.Ledger, f ledger.Filter) []string {
	t.Helper()
	videos, err := l.List(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, v := range videos {
		all = append(all, v.ID)
	}
	return all
}

// keys are jobs as text, for comparing.
func keys(jobs []spool.JobRecord) []string {
	var all []string
	for _, j := range jobs {
		all = append(all, fmt.Sprint(j.JobKey))
	}
	return all
}
