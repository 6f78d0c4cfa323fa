package ledgertest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spool-video/spool/internal/ledger"
)

func testKeys(t *testing.T, open Open) {
	l := open(t)
	ctx := t.Context()
	if _, err := l.Key(ctx, "cat", "r1"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("key = %v, want ErrNotFound", err)
	}
	for _, k := range [][3]string{{"cat", "r1", "\x00\x01\xff"}, {"cat", "r2", "two"}, {"dog", "r1", "three"}, {"cat", "r1", "another"}} {
		if err := l.PutKeys(ctx, k[0], map[string][]byte{k[1]: []byte(k[2])}); err != nil {
			t.Fatal(err)
		}
	}
	several := map[string][]byte{"r1": []byte("late"), "r3-00000": []byte("four"), "r3-00001": []byte("five")}
	if err := l.PutKeys(ctx, "dog", several); err != nil {
		t.Fatal(err)
	}
	if got, err := l.Key(ctx, "dog", "r3-00001"); err != nil || string(got) != "five" {
		t.Errorf("key = %q, %v", got, err)
	}
	if got, err := l.Key(ctx, "CAT", "r1"); err != nil || string(got) != "\x00\x01\xff" {
		t.Errorf("key = %q, %v; want the first one: it is never replaced", got, err)
	}
	wantKeys(t, l, "", map[string][]string{"cat": {"r1", "r2"}, "dog": {"r1", "r3-00000", "r3-00001"}})
	wantKeys(t, l, "Dog", map[string][]string{"dog": {"r1", "r3-00000", "r3-00001"}})
	wantKeys(t, l, "owl", nil)
}

func wantKeys(t *testing.T, l ledger.Ledger, video string, want map[string][]string) {
	t.Helper()
	got, err := l.Keys(t.Context(), video)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("keys of %q (-want +got):\n%s", video, diff)
	}
}

func testReplaced(t *testing.T, open Open) {
	l := open(t)
	start := time.Now()
	accept(t, l, fresh("cat"))
	for _, revision := range []string{"r1", "r2", "r2", "r3"} {
		update(t, l, "cat", func(r *ledger.Record) { r.Video.Published = revision })
	}
	wantReplaced(t, l, "cat/r1", "cat/r2")
	if got, err := l.Replaced(t.Context(), start); err != nil || len(got) != 0 {
		t.Errorf("replaced before the start: %v, %v", got, err)
	}
	all, err := l.Replaced(t.Context(), time.Now().Add(time.Hour))
	if err != nil || all[0].Since.Before(start) || all[0].Since.After(time.Now()) {
		t.Errorf("replaced: %v, %v", all, err)
	}

	// What is published again must not be swept.
	update(t, l, "cat", func(r *ledger.Record) { r.Video.Published = "r1" })
	wantReplaced(t, l, "cat/r2", "cat/r3")
	for range 2 {
		if err := l.Swept(t.Context(), "CAT", "r2"); err != nil {
			t.Fatal(err)
		}
	}
	wantReplaced(t, l, "cat/r3")
	update(t, l, "cat", func(r *ledger.Record) { r.Video.Published = "" })
	wantReplaced(t, l, "cat/r3", "cat/r1")
}

func wantReplaced(t *testing.T, l ledger.Ledger, want ...string) {
	t.Helper()
	all, err := l.Replaced(t.Context(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range all {
		got = append(got, r.Video+"/"+r.Revision)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("replaced (-want +got):\n%s", diff)
	}
}

func testRemove(t *testing.T, open Open) {
	l := open(t)
	ctx := t.Context()
	for _, keep := range []bool{true, false} {
		accept(t, l, full("cat"))
		update(t, l, "cat", func(r *ledger.Record) { r.Video.Published = "r1" })
		if err := l.PutKeys(ctx, "cat", map[string][]byte{"r1": []byte("k")}); err != nil {
			t.Fatal(err)
		}
		if err := l.Remove(ctx, "CAT", keep); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Get(ctx, "cat"); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("get = %v, want ErrNotFound", err)
		}
		if out, err := l.Out(ctx); err != nil || len(out) != 0 {
			t.Errorf("jobs of a video that was removed: %v, %v", out, err)
		}
		wantReplaced(t, l)
		if keep {
			wantKeys(t, l, "", map[string][]string{"cat": {"r1"}})
		} else {
			wantKeys(t, l, "", nil)
		}
	}
	if err := l.Remove(ctx, "cat", false); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("remove of nobody = %v, want ErrNotFound", err)
	}
	// The ID is free again, and nothing of the old video comes back.
	accept(t, l, fresh("cat"))
	check(t, l, "cat", fresh("cat"))
}

func testReopen(t *testing.T, open Open) {
	l := open(t)
	accept(t, l, full("cat"))
	if err := l.PutKeys(t.Context(), "cat", map[string][]byte{"r1": []byte("k")}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t)
	check(t, again, "cat", withoutResults(full("cat")))
	wantKeys(t, again, "", map[string][]string{"cat": {"r1"}})
}
