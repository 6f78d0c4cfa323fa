package schedule

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/queue"
)

// windowed is a plan of parts that need ten bytes of the source each.
func windowed(chunks int) *spool.Plan {
	p := plan(chunks, 1)
	for i := range p.Chunks {
		p.Chunks[i].Bytes = spool.Span{From: int64(10 * i), To: int64(10*i + 10)}
	}
	p.Pieces[0].Bytes = spool.Span{From: 5, To: 15}
	return p
}

// tells has a job of a record report something.
func tells(rec *ledger.Record, kind spool.Kind, n int, o spool.Outcome, result *spool.Result) {
	j := rec.Job(kind, n)
	if j.State != spool.JobRunning {
		j.State, j.Epoch = spool.JobSent, j.Epoch+1
	}
	Apply(rec, spool.Report{JobKey: j.JobKey, Epoch: j.Epoch, Outcome: o, Result: result}, noon)
}

func states(rec ledger.Record) []spool.JobState {
	var out []spool.JobState
	for _, j := range rec.Jobs {
		out = append(out, j.State)
	}
	return out
}

func expect(t *testing.T, rec ledger.Record, want ...spool.JobState) {
	t.Helper()
	if got := states(rec); !slices.Equal(got, want) {
		t.Errorf("jobs are %v, want %v", got, want)
	}
}

func TestPartsWaitForTheirBytes(t *testing.T) {
	rec := NewRecord(spool.Video{ID: "v"}, noon)
	tells(&rec, spool.Fetch, 0, spool.Started, nil)
	tells(&rec, spool.Fetch, 0, spool.Arrived, &spool.Result{Fetched: &spool.Fetched{Path: "/s", Arriving: true}})
	expect(t, rec, spool.JobRunning, spool.JobReady)
	p := windowed(2)
	tells(&rec, spool.Draft, 0, spool.Done, &spool.Result{Plan: p})
	expect(t, rec, spool.JobRunning, spool.JobDone, spool.JobWaiting, spool.JobWaiting, spool.JobWaiting)
	if bring(&rec, p, spool.Spans{{From: 0, To: 9}}, spool.Spans{{From: 0, To: 9}}) {
		t.Error("half a window is enough")
	}
	if !bring(&rec, p, spool.Spans{{From: 0, To: 12}}, spool.Spans{{From: 0, To: 12}}) {
		t.Error("a whole window is not enough")
	}
	expect(t, rec, spool.JobRunning, spool.JobDone, spool.JobReady, spool.JobWaiting, spool.JobWaiting)

	// Nobody holds the source after a crash.
	Recover(&rec)
	expect(t, rec, spool.JobReady, spool.JobDone, spool.JobWaiting, spool.JobWaiting, spool.JobWaiting)
	bring(&rec, p, spool.Spans{{From: 0, To: 12}}, spool.Spans{{From: 0, To: 12}})
	tells(&rec, spool.Encode, 0, spool.Done, &spool.Result{Made: &spool.Made{}})
	tells(&rec, spool.Fetch, 0, spool.Done, &spool.Result{Fetched: &spool.Fetched{Path: "/s"}})
	expect(t, rec, spool.JobDone, spool.JobDone, spool.JobDone, spool.JobReady, spool.JobReady)
	tells(&rec, spool.Encode, 1, spool.Done, &spool.Result{Made: &spool.Made{}})
	tells(&rec, spool.Audio, 0, spool.Done, &spool.Result{Made: &spool.Made{}})
	expect(t, rec, spool.JobDone, spool.JobDone, spool.JobDone, spool.JobDone, spool.JobDone, spool.JobReady)
}

// The sum of a source that had come to its end is kept while it arrives again:
// what it is compared with in the end.
func TestSumOfASourceThatArrivesAgain(t *testing.T) {
	rec := NewRecord(spool.Video{ID: "v"}, noon)
	tells(&rec, spool.Fetch, 0, spool.Done, &spool.Result{Fetched: &spool.Fetched{Path: "/one", SHA256: "s"}})
	tells(&rec, spool.Draft, 0, spool.Done, &spool.Result{Plan: windowed(1)})
	if !refetch(&rec, "") {
		t.Fatal("it is not fetched again")
	}
	tells(&rec, spool.Fetch, 0, spool.Arrived, &spool.Result{Fetched: &spool.Fetched{Path: "/two", Arriving: true}})
	if f := rec.Job(spool.Fetch, 0).Result.Fetched; f.SHA256 != "s" || f.Path != "/two" || !f.Arriving {
		t.Errorf("%+v", f)
	}
}

// A plan that is given back while nobody fetches the source waits for it: it
// would only take the place of another.
func TestPlanThatIsGivenBackWaitsForTheSource(t *testing.T) {
	rec := NewRecord(spool.Video{ID: "v"}, noon)
	tells(&rec, spool.Fetch, 0, spool.Arrived, &spool.Result{Fetched: &spool.Fetched{Path: "/s", Arriving: true}})
	tells(&rec, spool.Draft, 0, spool.Returned, nil)
	expect(t, rec, spool.JobRunning, spool.JobReady)
	tells(&rec, spool.Draft, 0, spool.Started, nil)
	fetch := rec.Job(spool.Fetch, 0)
	Apply(&rec, spool.Report{JobKey: fetch.JobKey, Epoch: fetch.Epoch, Outcome: spool.Broke, Failure: &spool.Failure{Class: spool.Transient}}, noon)
	tells(&rec, spool.Draft, 0, spool.Returned, nil)
	expect(t, rec, spool.JobReady, spool.JobWaiting)
	tells(&rec, spool.Fetch, 0, spool.Arrived, &spool.Result{Fetched: &spool.Fetched{Path: "/s", Arriving: true}})
	expect(t, rec, spool.JobRunning, spool.JobReady)
}

// What was encoded of a source that has not wholly arrived is not published:
// its end, its length and its hash are not known.
func TestFinishWaitsForTheWholeSource(t *testing.T) {
	rec := NewRecord(spool.Video{ID: "v"}, noon)
	tells(&rec, spool.Fetch, 0, spool.Arrived, &spool.Result{Fetched: &spool.Fetched{}})
	p := windowed(1)
	tells(&rec, spool.Draft, 0, spool.Done, &spool.Result{Plan: p})
	bring(&rec, p, spool.Spans{{From: 0, To: 20}}, spool.Spans{{From: 0, To: 20}})
	tells(&rec, spool.Encode, 0, spool.Done, &spool.Result{Made: &spool.Made{}})
	tells(&rec, spool.Audio, 0, spool.Done, &spool.Result{Made: &spool.Made{}})
	expect(t, rec, spool.JobRunning, spool.JobDone, spool.JobDone, spool.JobDone)
	tells(&rec, spool.Fetch, 0, spool.Done, &spool.Result{Fetched: &spool.Fetched{}})
	expect(t, rec, spool.JobDone, spool.JobDone, spool.JobDone, spool.JobDone, spool.JobReady)
}

// A plan that says that it needs the whole source is made when that is here.
func TestPlanThatNeedsTheWhole(t *testing.T) {
	rec := NewRecord(spool.Video{ID: "v"}, noon)
	tells(&rec, spool.Fetch, 0, spool.Arrived, &spool.Result{Fetched: &spool.Fetched{}})
	j := rec.Job(spool.Draft, 0)
	j.State, j.Epoch = spool.JobSent, 1
	Apply(&rec, spool.Report{JobKey: j.JobKey, Epoch: 1, Outcome: spool.Broke, Failure: &spool.Failure{Class: spool.NeedsWhole}}, noon)
	expect(t, rec, spool.JobRunning, spool.JobWaiting)
	if j := rec.Job(spool.Draft, 0); j.Attempts != 0 || rec.Video.Failure != nil {
		t.Errorf("waiting for the rest is a failure: %+v, %+v", j, rec.Video.Failure)
	}
	tells(&rec, spool.Fetch, 0, spool.Done, &spool.Result{Fetched: &spool.Fetched{}})
	expect(t, rec, spool.JobDone, spool.JobReady)
}

// TestEveryOrderOfArrivalEndsReady lets a source arrive and a plan grow in any
// order with crashes between: every part is done once, and only with its bytes
// here.
func TestEveryOrderOfArrivalEndsReady(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		chunks := rapid.IntRange(1, 6).Draw(t, "chunks")
		whole := windowed(chunks)
		rec := NewRecord(spool.Video{ID: "v"}, noon)
		var have spool.Spans
		planned := 0
		for steps := 0; !rec.Video.Status.Ended(); steps++ {
			if steps > 400 {
				t.Fatalf("no end: %+v", rec)
			}
			fetch, draft := rec.Job(spool.Fetch, 0), rec.Job(spool.Draft, 0)
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0: // bytes
				at := rapid.Int64Range(0, int64(chunks)).Draw(t, "at") * 10
				have = have.Add(spool.Span{From: at, To: at + 10})
				if fetch.State != spool.JobDone {
					tells(&rec, spool.Fetch, 0, spool.Arrived, &spool.Result{Fetched: &spool.Fetched{Arriving: true}})
				}
			case 1: // a plan that grows
				if draft == nil || draft.State == spool.JobWaiting || draft.State == spool.JobDone {
					continue
				}
				planned = min(planned+1, chunks)
				p := *whole
				p.Chunks, p.Open = whole.Chunks[:planned], planned < chunks
				outcome := spool.Arrived
				if !p.Open {
					outcome = spool.Done
				}
				tells(&rec, spool.Draft, 0, outcome, &spool.Result{Plan: &p})
			case 2:
				bring(&rec, whole, have, have)
			case 3: // a part
				i := slices.IndexFunc(rec.Jobs, func(j ledger.Job) bool {
					return j.State == spool.JobReady && j.Kind != spool.Fetch && j.Kind != spool.Draft
				})
				if i < 0 {
					continue
				}
				k := rec.Jobs[i].JobKey
				if k.Kind != spool.Finish && !have.Has(window(whole, k)) && fetch.State != spool.JobDone {
					t.Fatalf("%s is ready without its bytes", k)
				}
				tells(&rec, k.Kind, k.Number, spool.Done, &spool.Result{})
			case 4:
				Recover(&rec)
			case 5:
				if steps > 40 && fetch.State != spool.JobDone {
					tells(&rec, spool.Fetch, 0, spool.Done, &spool.Result{Fetched: &spool.Fetched{}})
				}
			}
		}
		if rec.Video.Status != spool.Ready || len(rec.Jobs) != 4+chunks {
			t.Fatalf("%+v", rec)
		}
	})
}

// The scheduler hands out a part as soon as a beat says that its bytes are
// here, and completes it with the plan so far.
func TestBeatsBringParts(t *testing.T) {
	b := newBench(t, spool.Video{ID: "v", Source: "/v", Canonical: "/v"}, time.Minute)
	fetch := b.next()
	say := func(job spool.Job, o spool.Outcome, r *spool.Result) {
		b.send(queue.ReportTopic, spool.Report{JobKey: job.JobKey, Epoch: job.Epoch, Worker: "w", Outcome: o, Result: r})
	}
	free := map[spool.Kind]int{spool.Draft: 2, spool.Encode: 3}
	next := func(have spool.Spans) spool.Job {
		return b.beating(func() spool.Beat {
			return spool.Beat{Worker: "w", Free: free, Running: []spool.Running{{
				JobKey: fetch.JobKey, Epoch: fetch.Epoch, Progress: spool.Progress{Phase: spool.Downloading, Have: have},
			}}}
		})
	}
	say(fetch, spool.Arrived, &spool.Result{Fetched: &spool.Fetched{Path: "/s", Arriving: true}})
	draft := next(spool.Spans{{From: 0, To: 10}})
	if draft.Kind != spool.Draft || draft.Fetched == nil || !draft.Fetched.Arriving {
		t.Fatalf("the plan got %+v", draft)
	}
	p := windowed(2)
	p.Pieces, p.Chunks, p.Open = nil, p.Chunks[:1], true
	say(draft, spool.Arrived, &spool.Result{Plan: p})
	first := next(spool.Spans{{From: 0, To: 15}})
	if first.Kind != spool.Encode || first.Number != 0 || first.Chunk == nil || first.Spare != 0 {
		t.Fatalf("the first chunk got %+v", first)
	}
	say(first, spool.Done, &spool.Result{Made: &spool.Made{}})
	p = windowed(2)
	p.Pieces = nil
	say(draft, spool.Done, &spool.Result{Plan: p})
	second := next(spool.Spans{{From: 0, To: 25}})
	if second.Number != 1 || second.Chunk == nil || second.Chunk.Number != 1 {
		t.Fatalf("the second chunk got %+v", second)
	}
	if second.Spare != 2 {
		t.Errorf("the last chunk may use %d more slots, though nothing is coming for the other 2", second.Spare)
	}
}

// What a beat has told before there was a plan counts as soon as there is one,
// without another beat.
func TestPlansUseWhatWasTold(t *testing.T) {
	b := newBench(t, spool.Video{ID: "v", Source: "/v", Canonical: "/v"}, time.Minute)
	fetch := b.next()
	say := func(job spool.Job, o spool.Outcome, r *spool.Result) {
		b.send(queue.ReportTopic, spool.Report{JobKey: job.JobKey, Epoch: job.Epoch, Worker: "w", Outcome: o, Result: r})
	}
	say(fetch, spool.Arrived, &spool.Result{Fetched: &spool.Fetched{Path: "/s", Arriving: true}})
	draft := b.beating(func() spool.Beat {
		return spool.Beat{Worker: "w", Free: map[spool.Kind]int{spool.Draft: 1, spool.Encode: 1}, Running: []spool.Running{{
			JobKey: fetch.JobKey, Epoch: fetch.Epoch,
			Progress: spool.Progress{Phase: spool.Downloading, Have: spool.Spans{{From: 0, To: 15}}},
		}}}
	})
	p := windowed(2)
	p.Pieces = nil
	jobs := b.jobs()
	say(draft, spool.Done, &spool.Result{Plan: p})
	if job := <-jobs; job.Kind != spool.Encode || job.Number != 0 {
		t.Errorf("got %+v", job)
	}
}

// What a fetch has told that has begun anew since says nothing of the bytes
// that are here.
func TestPlansForgetWhatAnOldFetchTold(t *testing.T) {
	b := newBench(t, spool.Video{ID: "v", Source: "/v", Canonical: "/v"}, time.Minute)
	fetch := b.next()
	say := func(job spool.Job, o spool.Outcome, r *spool.Result) {
		b.send(queue.ReportTopic, spool.Report{JobKey: job.JobKey, Epoch: job.Epoch, Worker: "w", Outcome: o, Result: r})
	}
	beat := func(epoch int, have spool.Span) spool.Beat {
		return spool.Beat{Worker: "w", Free: map[spool.Kind]int{spool.Fetch: 1, spool.Draft: 1, spool.Encode: 1}, Running: []spool.Running{{
			JobKey: fetch.JobKey, Epoch: epoch, Progress: spool.Progress{Phase: spool.Downloading, Have: spool.Spans{have}},
		}}}
	}
	say(fetch, spool.Arrived, &spool.Result{Fetched: &spool.Fetched{Path: "/s", Arriving: true}})
	draft := b.beating(func() spool.Beat { return beat(fetch.Epoch, spool.Span{From: 0, To: 10}) })
	jobs := b.jobs()
	say(fetch, spool.Returned, nil)
	if again := <-jobs; again.Kind != spool.Fetch || again.Epoch <= fetch.Epoch {
		t.Fatalf("got %+v", again)
	}
	p := windowed(2)
	p.Pieces = nil
	say(draft, spool.Done, &spool.Result{Plan: p})
	b.send(queue.BeatTopic, beat(fetch.Epoch+1, spool.Span{From: 10, To: 20}))
	if job := <-jobs; job.Kind != spool.Encode || job.Number != 1 {
		t.Errorf("got %+v", job)
	}
}

// Sound in a file of its own waits for the bytes of that file, and pictures
// for those of theirs.
func TestPartsWaitForTheirOwnFile(t *testing.T) {
	rec := NewRecord(spool.Video{ID: "v"}, noon)
	tells(&rec, spool.Fetch, 0, spool.Arrived, &spool.Result{Fetched: &spool.Fetched{Path: "/s", Sound: &spool.Fetched{Path: "/a"}}})
	p := windowed(1)
	tells(&rec, spool.Draft, 0, spool.Done, &spool.Result{Plan: p})
	all := spool.Spans{{From: 0, To: 1000}}
	if !bring(&rec, p, nil, all) || bring(&rec, p, nil, all) {
		t.Error("the sound is not brought by its own file")
	}
	expect(t, rec, spool.JobRunning, spool.JobDone, spool.JobWaiting, spool.JobReady)
	if !bring(&rec, p, all, nil) {
		t.Error("the pictures are not brought by their own file")
	}
}

// A beat that brings only sound is heard, too.
func TestBeatsBringSound(t *testing.T) {
	b := newBench(t, spool.Video{ID: "v", Source: "/v", Canonical: "/v"}, time.Minute)
	fetch := b.next()
	say := func(job spool.Job, r *spool.Result, o spool.Outcome) {
		b.send(queue.ReportTopic, spool.Report{JobKey: job.JobKey, Epoch: job.Epoch, Worker: "w", Outcome: o, Result: r})
	}
	next := func(sound spool.Spans) spool.Job {
		return b.beating(func() spool.Beat {
			return spool.Beat{Worker: "w", Free: map[spool.Kind]int{spool.Draft: 1, spool.Audio: 1}, Running: []spool.Running{{
				JobKey: fetch.JobKey, Epoch: fetch.Epoch,
				Progress: spool.Progress{Phase: spool.Downloading, Have: spool.Spans{{From: 0, To: 1}}, HaveSound: sound},
			}}}
		})
	}
	say(fetch, &spool.Result{Fetched: &spool.Fetched{Path: "/s", Sound: &spool.Fetched{Path: "/a"}}}, spool.Arrived)
	draft := next(nil)
	p := windowed(1)
	p.Chunks = nil
	say(draft, &spool.Result{Plan: p}, spool.Done)
	piece := next(spool.Spans{{From: 0, To: 1000}})
	if piece.Kind != spool.Audio || piece.Fetched.Hearing().Path != "/a" {
		t.Errorf("got %+v", piece)
	}
}

// A page is not asked whether it has changed: what its video looked like says
// nothing of the page.
func TestOnlyLinksAreStamped(t *testing.T) {
	for _, page := range []*spool.Page{nil, {Title: "x"}} {
		rec := NewRecord(spool.Video{ID: "v"}, noon)
		tells(&rec, spool.Fetch, 0, spool.Done, &spool.Result{Fetched: &spool.Fetched{Size: 9, SHA256: "ab", Page: page}})
		if stamped := rec.Video.Stamp != (spool.SourceStamp{}); stamped != (page == nil) {
			t.Errorf("page %v: stamp %+v", page, rec.Video.Stamp)
		}
	}
}
