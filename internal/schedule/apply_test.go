package schedule

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func names(keys []spool.JobKey) []string {
	var out []string
	for _, k := range keys {
		out = append(out, fmt.Sprintf("%s-%d", k.Kind, k.Number))
	}
	return out
}

func plan(chunks, pieces int) *spool.Plan {
	p := &spool.Plan{Rungs: []spool.Rung{{Name: "v0-360p", Action: spool.EncodeRung}}}
	for i := range chunks {
		p.Chunks = append(p.Chunks, spool.Chunk{Number: i})
	}
	for i := range pieces {
		p.Pieces = append(p.Pieces, spool.AudioPiece{Number: i})
	}
	return p
}

func titled(p *spool.Plan) *spool.Plan {
	p.Subtitles = []spool.Subtitle{{Name: "s0-eng"}}
	return p
}

func grows(p *spool.Plan) *spool.Plan {
	p.Open = true
	return p
}

func TestNext(t *testing.T) {
	key := func(kind spool.Kind, n int) spool.JobKey {
		return spool.JobKey{Video: "v", Revision: "r1", Kind: kind, Number: n}
	}
	job := func(kind spool.Kind, n int, state spool.JobState) spool.JobRecord {
		return spool.JobRecord{JobKey: key(kind, n), State: state}
	}
	did := func(kind spool.Kind) *spool.JobKey { k := key(kind, 0); return &k }
	tests := []struct {
		name   string
		status spool.Status
		jobs   []spool.JobRecord
		event  Event
		want   []string
	}{
		{"accepted", spool.Waiting, nil, Event{Accepted: true}, []string{"fetch-0"}},
		{"fetched", spool.Working, nil, Event{Done: did(spool.Fetch)}, []string{"plan-0"}},
		{"planned", spool.Working, nil, Event{Done: did(spool.Draft), Plan: plan(2, 1)}, []string{"encode-0", "encode-1", "audio-0"}},
		{"audio only", spool.Working, nil, Event{Done: did(spool.Draft), Plan: plan(0, 1)}, []string{"audio-0"}},
		{"subtitles", spool.Working, nil, Event{Done: did(spool.Draft), Plan: titled(plan(1, 1))}, []string{"encode-0", "audio-0", "subtitles-0"}},
		{"subtitles of a plan that grows", spool.Working, nil, Event{Arrived: did(spool.Draft), Plan: grows(titled(plan(1, 1)))}, []string{"encode-0", "audio-0"}},
		{
			"subtitles are missing", spool.Working,
			[]spool.JobRecord{job(spool.Encode, 0, spool.JobDone), job(spool.Texts, 0, spool.JobRunning)},
			Event{Done: did(spool.Encode)},
			nil,
		},
		{
			"a plan has ended, and all but its subtitles is made", spool.Working,
			[]spool.JobRecord{job(spool.Draft, 0, spool.JobDone), job(spool.Encode, 0, spool.JobDone)},
			Event{Done: did(spool.Draft), Plan: titled(plan(1, 0))},
			[]string{"encode-0", "subtitles-0"},
		},
		{
			"one of two chunks", spool.Working,
			[]spool.JobRecord{job(spool.Encode, 0, spool.JobDone), job(spool.Encode, 1, spool.JobRunning)},
			Event{Done: did(spool.Encode)},
			nil,
		},
		{
			"audio is missing", spool.Working,
			[]spool.JobRecord{job(spool.Encode, 0, spool.JobDone), job(spool.Audio, 0, spool.JobReady)},
			Event{Done: did(spool.Encode)},
			nil,
		},
		{
			"last part", spool.Working,
			[]spool.JobRecord{job(spool.Encode, 0, spool.JobDone), job(spool.Audio, 0, spool.JobDone)},
			Event{Done: did(spool.Audio)},
			[]string{"finish-0"},
		},
		{"finished", spool.Working, nil, Event{Done: did(spool.Finish)}, nil},
		{"cancelled meanwhile", spool.Cancelled, nil, Event{Done: did(spool.Fetch)}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Next(spool.Video{ID: "v", Revision: "r1", Status: tt.status}, tt.jobs, tt.event)
			if diff := cmp.Diff(tt.want, names(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// sent is a record whose first job is out with epoch 1.
func sent() ledger.Record {
	rec := NewRecord(spool.Video{ID: "v"}, noon)
	rec.Jobs[0].State, rec.Jobs[0].Epoch, rec.Jobs[0].Worker = spool.JobSent, 1, "w"
	return rec
}

func report(rec ledger.Record, o spool.Outcome, class spool.Class) spool.Report {
	r := spool.Report{JobKey: rec.Jobs[0].JobKey, Epoch: rec.Jobs[0].Epoch, Worker: "w", Outcome: o}
	if o == spool.Broke {
		r.Failure = &spool.Failure{Class: class, Code: "test", Reason: "it broke"}
	}
	return r
}

func TestApplyFailures(t *testing.T) {
	tests := []struct {
		class    spool.Class
		status   spool.Status
		state    spool.JobState
		attempts int
	}{
		{spool.Permanent, spool.Failed, spool.JobFailed, 0},
		{spool.Transient, spool.Waiting, spool.JobReady, 1},
		{spool.Environment, spool.Paused, spool.JobReady, 0},
	}
	for _, tt := range tests {
		t.Run(string(tt.class), func(t *testing.T) {
			rec := sent()
			if !Apply(&rec, report(rec, spool.Broke, tt.class), noon) {
				t.Fatal("the report changed nothing")
			}
			j := rec.Jobs[0]
			if rec.Video.Status != tt.status || j.State != tt.state || j.Attempts != tt.attempts {
				t.Errorf("status %s, state %s, attempts %d", rec.Video.Status, j.State, j.Attempts)
			}
			if tt.state == spool.JobReady && !j.NotBefore.After(noon) {
				t.Error("the job does not rest before it is tried again")
			}
		})
	}
}

func TestTransientFailuresEndAfterFiveAttempts(t *testing.T) {
	rec := sent()
	for range maxAttempts {
		Apply(&rec, report(rec, spool.Broke, spool.Transient), noon)
		rec.Jobs[0].State = spool.JobSent
	}
	if rec.Video.Status != spool.Failed || rec.Video.Failure.Reason != "it broke" {
		t.Errorf("%s, %+v", rec.Video.Status, rec.Video.Failure)
	}
}

func TestThreeDeathsArePoison(t *testing.T) {
	rec := sent()
	for range maxDeaths {
		r := report(rec, spool.Broke, spool.Transient)
		r.Died = true
		rec.Jobs[0].State = spool.JobSent
		Apply(&rec, r, noon)
	}
	if rec.Video.Status != spool.Failed || rec.Video.Failure.Class != spool.Poison {
		t.Errorf("%s, %+v", rec.Video.Status, rec.Video.Failure)
	}
}

func TestReplanBeginsAnotherRevision(t *testing.T) {
	rec := sent()
	first := rec.Video.Revision
	Apply(&rec, report(rec, spool.Broke, spool.Replan), noon)
	if rec.Video.Revision == first || rec.Video.Replans != 1 || len(rec.Jobs) != 1 || rec.Jobs[0].Revision != rec.Video.Revision {
		t.Errorf("%+v", rec)
	}
}

// A source that was replaced says nothing against how it was planned; one that
// never stands still ends it all the same.
func TestReplacedSource(t *testing.T) {
	rec := sent()
	for n := range maxReplans + 1 {
		first := rec.Video.Revision
		rec.Jobs[0].State = spool.JobSent
		r := report(rec, spool.Broke, spool.Replan)
		r.Failure.Code = spool.SourceChanged
		Apply(&rec, r, noon)
		if again := rec.Video.Revision != first; again != (n < maxReplans) || rec.Video.Replans != 0 {
			t.Errorf("the %d. time: %+v", n+1, rec.Video)
		}
	}
	if rec.Video.Status != spool.Failed || rec.Video.Failure.Class != spool.Permanent {
		t.Errorf("%+v", rec.Video)
	}
	Again(&rec, noon)
	if rec.Video.Replaced != 0 {
		t.Errorf("%+v", rec.Video)
	}
}

// TestLateReports: a report of an older epoch may not fail or return a job,
// but the first done counts whoever says it.
func TestLateReports(t *testing.T) {
	rec := sent()
	late := report(rec, spool.Broke, spool.Permanent)
	rec.Jobs[0].Epoch = 2
	if Apply(&rec, late, noon) {
		t.Error("a late failure changed the record")
	}
	late.Outcome, late.Failure = spool.Done, nil
	if !Apply(&rec, late, noon) || rec.Jobs[0].State != spool.JobDone {
		t.Error("a late done was refused")
	}
	if Apply(&rec, late, noon) {
		t.Error("a doubled done changed the record")
	}
}

func TestReturnedCostsNothing(t *testing.T) {
	rec := sent()
	Apply(&rec, report(rec, spool.Returned, ""), noon)
	j := rec.Jobs[0]
	if j.State != spool.JobReady || j.Attempts != 0 || j.Deaths != 0 || !j.NotBefore.IsZero() {
		t.Errorf("%+v", j)
	}
}

// TestEveryOrderEndsReady hands reports to the state machine in any order,
// doubled and late, until nothing is left to do: the video is ready, and each
// job was done once.
func TestEveryOrderEndsReady(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		chunks, pieces := rapid.IntRange(0, 5).Draw(t, "chunks"), rapid.IntRange(0, 3).Draw(t, "pieces")
		if chunks+pieces == 0 {
			chunks = 1
		}
		rec := NewRecord(spool.Video{ID: "v"}, noon)
		var old []spool.Report
		// So often something goes otherwise than well; from then on all is well,
		// and the end must come.
		const troubles = 40
		for steps := 0; !rec.Video.Status.Ended(); steps++ {
			if steps > 2*troubles {
				t.Fatalf("no end: %+v", rec)
			}
			well := steps >= troubles
			if !well && len(old) > 0 && rapid.Bool().Draw(t, "replay") {
				Apply(&rec, rapid.SampledFrom(old).Draw(t, "old"), noon)
				continue
			}
			var open []int
			for i, j := range rec.Jobs {
				if j.State != spool.JobDone {
					open = append(open, i)
				}
			}
			j := &rec.Jobs[rapid.SampledFrom(open).Draw(t, "job")]
			j.State, j.Epoch = spool.JobSent, j.Epoch+1
			r := spool.Report{JobKey: j.JobKey, Epoch: j.Epoch}
			outcome := 2
			if !well {
				outcome = rapid.IntRange(0, 3).Draw(t, "outcome")
			}
			switch outcome {
			case 0:
				r.Outcome = spool.Returned
			case 1:
				r.Outcome, r.Failure = spool.Broke, &spool.Failure{Class: spool.Environment}
			default:
				r.Outcome, r.Result = spool.Done, &spool.Result{}
				if j.Kind == spool.Draft {
					r.Result.Plan = plan(chunks, pieces)
				}
			}
			old = append(old, r)
			Apply(&rec, r, noon)
		}
		if rec.Video.Status != spool.Ready || rec.Video.Published != rec.Video.Revision {
			t.Fatalf("%+v", rec.Video)
		}
		if len(rec.Jobs) != 3+chunks+pieces {
			t.Fatalf("%d jobs, want %d", len(rec.Jobs), 3+chunks+pieces)
		}
		for _, j := range rec.Jobs {
			if j.State != spool.JobDone {
				t.Fatalf("job %s is %s", j.JobKey, j.State)
			}
		}
	})
}

// What was tolerated in a source is kept with the video, once, and is gone
// with the plan that it was found under.
func TestNotesAreKept(t *testing.T) {
	rec := NewRecord(spool.Video{ID: "v"}, noon)
	do := func(kind spool.Kind, n int, result *spool.Result) {
		t.Helper()
		key := spool.JobKey{Video: "v", Revision: rec.Video.Revision, Kind: kind, Number: n}
		if !Apply(&rec, spool.Report{JobKey: key, Outcome: spool.Done, Result: result}, noon) {
			t.Fatalf("%s changes nothing", key)
		}
	}
	planned := plan(2, 0)
	planned.Notes = []string{"HDR is tone-mapped to SDR"}
	do(spool.Fetch, 0, &spool.Result{Fetched: &spool.Fetched{}})
	do(spool.Draft, 0, &spool.Result{Plan: planned})
	for n := range 2 {
		do(spool.Encode, n, &spool.Result{Made: &spool.Made{Notes: []string{"a frame is missing"}}})
	}
	if diff := cmp.Diff([]string{"HDR is tone-mapped to SDR", "a frame is missing"}, rec.Video.Notes); diff != "" {
		t.Error(diff)
	}
	Again(&rec, noon)
	do(spool.Fetch, 0, &spool.Result{Fetched: &spool.Fetched{}})
	do(spool.Draft, 0, &spool.Result{Plan: plan(1, 0)})
	if len(rec.Video.Notes) > 0 {
		t.Errorf("notes of an earlier revision: %q", rec.Video.Notes)
	}
}

// What is kept of a video that failed decides where it goes on.
func TestRetry(t *testing.T) {
	for class, again := range map[spool.Class]bool{spool.Transient: false, spool.Permanent: true, spool.Poison: true} {
		rec := NewRecord(spool.Video{ID: "v"}, noon)
		before := rec.Video.Revision
		Apply(&rec, spool.Report{JobKey: rec.Jobs[0].JobKey, Outcome: spool.Done, Result: &spool.Result{Fetched: &spool.Fetched{}}}, noon)
		rec.Video.Status, rec.Video.Failure = spool.Failed, &spool.Failure{Class: class}
		Retry(&rec, noon)
		fetched := rec.Job(spool.Fetch, 0).State == spool.JobDone
		if anew := rec.Video.Revision != before; anew != again || fetched == again || rec.Video.Status != spool.Waiting {
			t.Errorf("%s: begins anew %v, fetched %v, %s", class, anew, fetched, rec.Video.Status)
		}
	}
}

// What is left over goes to the first job that is handed out, unless more is
// coming; the first chunk of a video may take from others when somebody waits
// for it.
func TestSpareSlots(t *testing.T) {
	for _, c := range []struct {
		soon            bool
		out             spool.Kind
		i, number, left int
		more            bool
	}{
		{false, spool.Encode, 0, 0, 0, false},
		{false, spool.Encode, 0, 7, 2, true},
		{false, spool.Encode, 1, 8, 2, false},
		{false, spool.Fetch, 0, 7, 2, false},
		{false, spool.Draft, 0, 7, 2, false},
		{true, spool.Fetch, 0, 0, 0, true},
		{true, spool.Encode, 1, 0, 0, true},
		{true, spool.Encode, 0, 1, 0, false},
	} {
		out := spool.JobKey{Kind: c.out}
		s := &Scheduler{Soon: c.soon, out: map[spool.JobKey]handed{out: {}}}
		if got := s.spare(c.i, c.number, c.left); got > 0 != c.more {
			t.Errorf("%+v: %d", c, got)
		}
		if s.have = map[spool.JobKey]held{out: {enough: true}}; c.out == spool.Fetch && s.spare(0, 7, 2) == 0 {
			t.Error("a fetch that brings nothing for another chunk keeps slots idle")
		}
	}
}
