package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// testNotices: whoever asked is told of each end once, whatever changed the
// video, and a notice stays until it is forgotten.
func testNotices(t *testing.T, open Open) {
	l := open(t)
	const here, there = "https://Example.org/hook?k=S", "http://u:p@192.0.2.1:8080/"
	cat := fresh("Cat")
	cat.Video.Callbacks = []string{here, there}
	adopted := ledger.Record{Video: spool.Video{ID: "dog", Status: spool.Ready, Revision: "r1", Callbacks: []string{here}}}
	accept(t, l, cat, fresh("quiet"), adopted)
	toldOf(t, l, ledger.NoticeAsk{}, "dog ready "+here)

	become := func(id string, s spool.Status, more ...string) {
		update(t, l, id, func(r *ledger.Record) {
			r.Video.Status = s
			r.Video.Callbacks = append(r.Video.Callbacks, more...)
		})
	}
	become("cat", spool.Working)
	become("cat", spool.Cancelled)
	become("quiet", spool.Ready)
	errNever := errors.New("never")
	err := l.Update(t.Context(), "cat", func(r *ledger.Record) error { r.Video.Status = spool.Failed; return errNever })
	if !errors.Is(err, errNever) {
		t.Fatal(err)
	}
	toldOf(t, l, ledger.NoticeAsk{}, "dog ready "+here)
	become("cat", spool.Failed)
	become("cat", spool.Failed) // it is so already
	become("quiet", spool.Ready, there)
	become("quiet", spool.Ready, there) // the same one again
	toldOf(t, l, ledger.NoticeAsk{Video: "CAT"}, "Cat failed "+here, "Cat failed "+there)
	toldOf(t, l, ledger.NoticeAsk{Video: "quiet"}, "quiet ready "+there)
	become("cat", spool.Waiting)
	become("cat", spool.Ready)
	toldOf(t, l, ledger.NoticeAsk{Due: noon, Except: []string{"example.org"}}, "Cat failed "+there, "quiet ready "+there, "Cat ready "+there)

	if err := l.Remove(t.Context(), "dog", false); err != nil {
		t.Fatal(err)
	}
	all := toldOf(t, l, ledger.NoticeAsk{Due: noon, Except: []string{"192.0.2.1:8080"}}, "dog ready "+here, "Cat failed "+here, "Cat ready "+here)
	testPutOff(t, l, all[0])
	testPutOff(t, open(t), all[1]) // another process has them, too
}

// testPutOff puts a notice off, gives it up, and forgets it.
func testPutOff(t *testing.T, l ledger.Ledger, n ledger.Notice) {
	t.Helper()
	has := func(a ledger.NoticeAsk) *ledger.Notice {
		t.Helper()
		notices, err := l.Notices(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(notices, func(o ledger.Notice) bool { return o.ID == n.ID })
		if at < 0 {
			return nil
		}
		return &notices[at]
	}
	n.Began, n.Attempts, n.Next, n.Last = noon, 3, noon.Add(time.Minute), "it answered with 500"
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return l.PutOff(ctx, n) },
		func(ctx context.Context) error { return l.PutOff(ctx, ledger.Notice{ID: "msg_nobody", Next: noon}) },
	} {
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if has(ledger.NoticeAsk{Due: noon}) != nil {
		t.Error("it is due before its time")
	}
	for _, a := range []ledger.NoticeAsk{{Due: n.Next}, {Due: n.Next, Video: n.Video.ID}, {Video: n.Video.ID}, {}} {
		if got := has(a); got == nil {
			t.Errorf("%+v does not give %s", a, n.ID)
		} else if diff := cmp.Diff(n, *got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%+v (-kept +got):\n%s", a, diff)
		}
	}
	for next, due := range map[time.Time]bool{noon.Add(ledger.LongestPutOff): false, noon.Add(ledger.LongestPutOff + 1): true} {
		n.Next = next
		if err := l.PutOff(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		for _, a := range []ledger.NoticeAsk{{Due: noon}, {Due: noon, Video: n.Video.ID}} {
			if got := has(a) != nil; got != due {
				t.Errorf("%+v, put off to %v: given %v, want %v", a, n.Next, got, due)
			}
		}
	}
	n.GivenUp, n.Next = true, time.Now()
	if err := l.PutOff(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if has(ledger.NoticeAsk{Due: n.Next}) != nil || has(ledger.NoticeAsk{Due: n.Next, Video: n.Video.ID}) != nil || has(ledger.NoticeAsk{Video: n.Video.ID}) == nil {
		t.Error("what was given up is due, or is not there")
	}
	for range 2 {
		if err := l.Told(t.Context(), n.ID); err != nil {
			t.Fatal(err)
		}
	}
	if has(ledger.NoticeAsk{}) != nil {
		t.Error("it is there after it was told")
	}
}

// toldOf holds that the ledger has these notices: "video status callback".
func toldOf(t *testing.T, l ledger.Ledger, a ledger.NoticeAsk, want ...string) []ledger.Notice {
	t.Helper()
	notices, err := l.Notices(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	var got []string
	for _, n := range notices {
		got = append(got, fmt.Sprint(n.Video.ID, " ", n.Video.Status, " ", n.Callback))
		ids[n.ID] = strings.HasPrefix(n.ID, "msg_") && n.Attempts == 0 && n.Began.IsZero()
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.SortSlices(strings.Compare)); diff != "" || len(ids) != len(got) {
		t.Errorf("notices of %+v, with %d IDs (-want +got):\n%s", a, len(ids), diff)
	}
	for id, good := range ids {
		if !good {
			t.Errorf("%s is no new notice", id)
		}
	}
	return notices
}

// Notices gives what is still to be told.
func (m *Memory) Notices(ctx context.Context, a ledger.NoticeAsk) ([]ledger.Notice, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []ledger.Notice
	for _, n := range m.notices {
		if (a.Due.IsZero() || n.Due(a.Due)) && !slices.Contains(a.Except, n.Host()) && (a.Video == "" || spool.FoldID(a.Video) == spool.FoldID(n.Video.ID)) {
			found = append(found, n)
		}
	}
	slices.SortStableFunc(found, func(a, b ledger.Notice) int { return a.Next.Compare(b.Next) })
	if a.Limit > 0 && len(found) > a.Limit {
		found = found[:a.Limit]
	}
	return found, ctx.Err()
}

// PutOff keeps what came of a try.
func (p *Process) PutOff(ctx context.Context, n ledger.Notice) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, kept := range p.notices {
		if kept.ID == n.ID {
			n.Callback, n.Video = kept.Callback, kept.Video
			p.notices[i] = n
			p.wrote()
		}
	}
	return ctx.Err()
}

// Told forgets a notice.
func (p *Process) Told(ctx context.Context, id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notices = slices.DeleteFunc(p.notices, func(n ledger.Notice) bool { return n.ID == id })
	p.wrote()
	return ctx.Err()
}

// testCount: what there is of each is counted, and what has ended is not to be
// done.
func testCount(t *testing.T, open Open) {
	l := open(t)
	none, err := l.Count(t.Context())
	if diff := cmp.Diff(ledger.Counts{}, none, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("%v, an empty ledger (-want +got):\n%s", err, diff)
	}
	over := fresh("over")
	over.Video.Status, over.Video.Callbacks = spool.Ready, []string{"https://example.org/a", "https://example.org/b"}
	accept(t, l, fresh("a"), fresh("b"), over, full("c"))
	update(t, l, "b", func(r *ledger.Record) {
		r.Video.Status, r.Jobs[0].State = spool.Working, spool.JobSent
		r.Jobs = append(r.Jobs, job("b", "r1", spool.Encode, 0, spool.JobReady), job("b", "r1", spool.Encode, 1, spool.JobReady))
	})
	notices, err := l.Notices(t.Context(), ledger.NoticeAsk{})
	if err != nil || len(notices) != 2 {
		t.Fatal(notices, err)
	}
	notices[0].GivenUp, notices[0].Next = true, time.Now()
	if err := l.PutOff(t.Context(), notices[0]); err != nil {
		t.Fatal(err)
	}
	want := ledger.Counts{
		Videos: map[spool.Status]int{spool.Waiting: 1, spool.Working: 2, spool.Ready: 1}, Notices: 1, GivenUp: 1,
		Jobs: map[spool.Kind]map[spool.JobState]int{
			spool.Fetch:  {spool.JobReady: 1, spool.JobSent: 1},
			spool.Encode: {spool.JobReady: 2, spool.JobRunning: 1},
		},
	}
	got, err := l.Count(t.Context())
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// Count counts.
func (m *Memory) Count(ctx context.Context) (ledger.Counts, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := ledger.Counts{Videos: map[spool.Status]int{}, Jobs: map[spool.Kind]map[spool.JobState]int{}}
	for _, k := range m.videos {
		c.Videos[k.seen.Status]++
		for key, j := range k.jobs {
			out := j.State == spool.JobSent || j.State == spool.JobRunning
			if out || j.State == spool.JobReady && key.Revision == k.seen.Revision && !k.seen.Status.Ended() {
				c.Note(key.Kind, j.State, 1)
			}
		}
	}
	for _, n := range m.notices {
		if n.GivenUp {
			c.GivenUp++
		} else {
			c.Notices++
		}
	}
	return c, ctx.Err()
}
