package ledgertest

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// model is a ledger as simple as can be.
type model struct {
	order  []string // folded IDs, as accepted
	videos map[string]spool.Video
	jobs   map[spool.JobKey]spool.JobRecord
}

func (m *model) record(id string) ledger.Record {
	r := ledger.Record{Video: m.videos[id]}
	for key, j := range m.jobs {
		if key.Video == r.Video.ID && key.Revision == r.Video.Revision {
			r.Jobs = append(r.Jobs, ledger.Job{JobRecord: j})
		}
	}
	slices.SortFunc(r.Jobs, func(a, b ledger.Job) int {
		if a.Kind != b.Kind {
			return slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind)
		}
		return a.Number - b.Number
	})
	return r
}

func (m *model) save(r ledger.Record) {
	id := spool.FoldID(r.Video.ID)
	if !slices.Contains(m.order, id) {
		m.order = append(m.order, id)
	}
	m.videos[id] = r.Video
	for _, j := range r.Jobs {
		m.jobs[j.JobKey] = j.JobRecord
	}
}

func (m *model) ready(kind spool.Kind, now time.Time, limit int) []string {
	var all []string
	for _, id := range m.order {
		r := m.record(id)
		for _, j := range r.Jobs {
			if j.Kind == kind && j.State == spool.JobReady && !r.Video.Status.Ended() && !ledger.Rests(j.NotBefore, now) && len(all) < limit {
				all = append(all, fmt.Sprint(j.JobKey))
			}
		}
	}
	return all
}

var (
	kinds    = []spool.Kind{spool.Fetch, spool.Draft, spool.Encode, spool.Audio, spool.Texts, spool.Finish}
	states   = []spool.JobState{spool.JobReady, spool.JobSent, spool.JobRunning, spool.JobDone, spool.JobFailed}
	statuses = []spool.Status{spool.Waiting, spool.Working, spool.Paused, spool.Ready, spool.Failed, spool.Cancelled}
	errNo    = errors.New("the change says no")
)

// testModel runs random commands against the ledger and the model.
func testModel(t *testing.T, open Open) {
	l := open(t)
	fewer(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		for _, id := range ids(t, l, ledger.Filter{}) {
			if err := l.Remove(t.Context(), id, false); err != nil {
				rt.Fatal(err)
			}
		}
		run++
		m := &model{videos: map[string]spool.Video{}, jobs: map[spool.JobKey]spool.JobRecord{}}
		id := rapid.SampledFrom([]string{"a", "A", "b", "c"})
		rt.Repeat(map[string]func(*rapid.T){
			"accept": func(rt *rapid.T) {
				r := fresh(id.Draw(rt, "id"))
				r.Video.Canonical = fmt.Sprint(run)
				_, taken := m.videos[spool.FoldID(r.Video.ID)]
				if err := l.Accept(t.Context(), r); errors.Is(err, ledger.ErrExists) != taken || err != nil && !taken {
					rt.Fatalf("accept %s = %v, taken: %v", r.Video.ID, err, taken)
				}
				if !taken {
					m.save(r)
				}
			},
			"update": func(rt *rapid.T) { updateBoth(t, rt, l, m, id.Draw(rt, "id")) },
			"remove": func(rt *rapid.T) { removeBoth(t, rt, l, m, id.Draw(rt, "id")) },
			"":       func(rt *rapid.T) { compare(t, rt, l, m) },
		})
	})
}

// fewer runs fewer sequences than rapid does by itself, each of 30 commands:
// every one is some hundred transactions. -rapid.checks runs more.
func fewer(t *testing.T) {
	checks := flag.Lookup("rapid.checks")
	if checks == nil || checks.Value.String() != checks.DefValue {
		return
	}
	set := func(n string) {
		if err := checks.Value.Set(n); err != nil {
			t.Fatal(err)
		}
	}
	set("15")
	t.Cleanup(func() { set(checks.DefValue) })
}

func updateBoth(t *testing.T, rt *rapid.T, l ledger.Ledger, m *model, id string) {
	edit := drawEdit(rt)
	says := rapid.SampledFrom([]error{nil, nil, nil, errNo}).Draw(rt, "change says")
	err := l.Update(t.Context(), id, func(r *ledger.Record) error { edit(r); return says })
	if _, known := m.videos[spool.FoldID(id)]; !known {
		if !errors.Is(err, ledger.ErrNotFound) {
			rt.Fatalf("update %s = %v, want ErrNotFound", id, err)
		}
		return
	}
	if !errors.Is(err, says) {
		rt.Fatalf("update %s = %v, want %v", id, err, says)
	}
	if says == nil {
		r := m.record(spool.FoldID(id))
		edit(&r)
		m.save(r)
	}
}

// drawEdit draws a change of a record.
func drawEdit(rt *rapid.T) func(*ledger.Record) {
	status := rapid.SampledFrom(statuses).Draw(rt, "status")
	revision := rapid.SampledFrom([]string{"", "r1", "r2"}).Draw(rt, "revision")
	count := rapid.IntRange(0, 4).Draw(rt, "jobs")
	jobs := make([]ledger.Job, count)
	for i := range jobs {
		jobs[i] = job("", "", rapid.SampledFrom(kinds).Draw(rt, "kind"), rapid.IntRange(0, 2).Draw(rt, "number"),
			rapid.SampledFrom(states).Draw(rt, "state"))
		jobs[i].Epoch = rapid.IntRange(0, 3).Draw(rt, "epoch")
		jobs[i].NotBefore = rapid.SampledFrom([]time.Time{{}, noon, noon.Add(time.Hour), noon.Add(10000 * time.Hour)}).Draw(rt, "not before")
	}
	return func(r *ledger.Record) {
		r.Video.Status = status
		if revision != "" && revision != r.Video.Revision {
			r.Video.Revision, r.Jobs = revision, nil
		}
		for _, j := range jobs {
			j.Video, j.Revision = r.Video.ID, r.Video.Revision
			if was := r.Job(j.Kind, j.Number); was != nil {
				*was = j
			} else {
				r.Jobs = append(r.Jobs, j)
			}
		}
	}
}

func removeBoth(t *testing.T, rt *rapid.T, l ledger.Ledger, m *model, id string) {
	folded := spool.FoldID(id)
	_, known := m.videos[folded]
	if err := l.Remove(t.Context(), id, false); known != (err == nil) || !known && !errors.Is(err, ledger.ErrNotFound) {
		rt.Fatalf("remove %s = %v, known: %v", id, err, known)
	}
	for key := range m.jobs {
		if strings.EqualFold(key.Video, id) {
			delete(m.jobs, key)
		}
	}
	delete(m.videos, folded)
	m.order = slices.DeleteFunc(m.order, func(o string) bool { return o == folded })
}

func compare(t *testing.T, rt *rapid.T, l ledger.Ledger, m *model) {
	if diff := cmp.Diff(m.order, fold(ids(t, l, ledger.Filter{})), cmpopts.EquateEmpty()); diff != "" {
		rt.Fatalf("videos (-model +ledger):\n%s", diff)
	}
	for _, id := range m.order {
		got, err := l.Get(t.Context(), id)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(m.record(id), got, cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("record %s (-model +ledger):\n%s", id, diff)
		}
	}
	for _, kind := range kinds {
		got, err := l.Ready(t.Context(), ledger.Ask{Kind: kind, Now: noon, Limit: 4})
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(m.ready(kind, noon, 4), keys(got), cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("ready %s (-model +ledger):\n%s", kind, diff)
		}
	}
}

func fold(ids []string) []string {
	for i, id := range ids {
		ids[i] = spool.FoldID(id)
	}
	return ids
}
