package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/ledger/sqliteledger"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/memq"
	"github.com/spool-video/spool/internal/schedule"
	"github.com/spool-video/spool/internal/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stageFunc is a stage that is a function.
type stageFunc func(ctx context.Context, job spool.Job) (spool.Result, error)

func (f stageFunc) Run(ctx context.Context, job spool.Job, _ func(spool.Progress)) (spool.Result, error) {
	return f(ctx, job)
}

// shop is a scheduler and a worker over a real ledger, with stages that do
// nothing but what a test says.
type shop struct {
	ledger    ledger.Ledger
	scheduler *schedule.Scheduler
	worker    *worker.Worker
	ran       sync.Map // JobKey.String → *atomic.Int32
	stop      context.CancelFunc
	ended     chan error
}

func (s *shop) count(key spool.JobKey) int {
	n, _ := s.ran.LoadOrStore(key.String(), new(atomic.Int32))
	return int(n.(*atomic.Int32).Add(1))
}

const chunks = 3

// open starts a shop on a ledger file. fail may be nil; it is asked before
// each job what goes wrong.
func open(t *testing.T, path string, fail func(ctx context.Context, job spool.Job, times int) error) *shop {
	t.Helper()
	l, err := sqliteledger.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{ledger: l, ended: make(chan error, 2)}
	stages := map[spool.Kind]worker.Stage{}
	for _, kind := range []spool.Kind{spool.Fetch, spool.Draft, spool.Encode, spool.Audio, spool.Finish} {
		stages[kind] = stageFunc(func(ctx context.Context, job spool.Job) (spool.Result, error) {
			times := s.count(job.JobKey)
			if fail != nil {
				if err := fail(ctx, job, times); err != nil {
					return spool.Result{}, err
				}
			}
			return result(job)
		})
	}
	q := memq.New()
	s.scheduler = schedule.New(schedule.Scheduler{Ledger: l, Queue: q, Tick: 10 * time.Millisecond})
	s.worker = worker.New(worker.Config{
		Name: "w", Queue: q, Stages: stages, Every: 20 * time.Millisecond,
		Room: func(_ spool.Kind, running []spool.Progress) int { return 2 - len(running) },
		Stop: func(job spool.Job) bool { return job.Kind == spool.Fetch },
	})
	ctx, cancel := context.WithCancel(t.Context())
	s.stop = cancel
	go func() { s.ended <- s.scheduler.Run(ctx) }()
	go func() { s.ended <- s.worker.Run(ctx) }()
	return s
}

// result is what each stage reports; it checks that the job has what its stage
// needs.
func result(job spool.Job) (spool.Result, error) {
	switch job.Kind {
	case spool.Fetch:
		return spool.Result{Fetched: &spool.Fetched{Path: "x"}}, nil
	case spool.Draft:
		p := &spool.Plan{Chunks: make([]spool.Chunk, chunks), Pieces: make([]spool.AudioPiece, 1)}
		for i := range p.Chunks {
			p.Chunks[i].Number = i
		}
		return spool.Result{Plan: p}, nil
	case spool.Encode:
		if job.Chunk == nil || job.Chunk.Number != job.Number || job.Plan == nil || job.Fetched == nil {
			return spool.Result{}, fmt.Errorf("incomplete job %+v", job)
		}
		return spool.Result{Made: &spool.Made{Segments: []spool.Segment{{Number: job.Number}}}}, nil
	case spool.Audio:
		return spool.Result{Made: &spool.Made{Segments: []spool.Segment{{Number: 100}}}}, nil
	case spool.Finish:
		if len(job.Made.Segments) != chunks+1 {
			return spool.Result{}, fmt.Errorf("finish got %d segments", len(job.Made.Segments))
		}
	case spool.Texts:
	}
	return spool.Result{Finished: &spool.Finished{}}, nil
}

func (s *shop) accept(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		rec := schedule.NewRecord(spool.Video{ID: id, Source: "/" + id, Canonical: id}, time.Now())
		if err := s.ledger.Accept(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	s.scheduler.Wake()
}

// close waits for the scheduler to end by itself, then ends the rest.
func (s *shop) close(t *testing.T) {
	t.Helper()
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
	s.kill(t, 1)
}

// kill ends the shop at once; left says how many of its two parts still run.
func (s *shop) kill(t *testing.T, left int) {
	t.Helper()
	s.stop()
	for range left {
		if err := <-s.ended; err != nil {
			t.Error(err)
		}
	}
	if err := s.ledger.Close(); err != nil {
		t.Error(err)
	}
}

func (s *shop) status(t *testing.T, id string) spool.Video {
	t.Helper()
	rec, err := s.ledger.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Video
}

func TestVideosBecomeReady(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ledger.db"), nil)
	ids := []string{"a", "b", "c", "d", "e"}
	s.accept(t, ids...)
	s.scheduler.FinishAll()
	if err := <-s.ended; err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if v := s.status(t, id); v.Status != spool.Ready || v.Published == "" {
			t.Errorf("%s is %s: %+v", id, v.Status, v.Failure)
		}
	}
	s.kill(t, 1)
}

// TestFailuresByClass: a permanent failure ends its video and no other; an
// environment failure is waited out; a dead encoder is tried again.
func TestFailuresByClass(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ledger.db"), func(_ context.Context, job spool.Job, times int) error {
		switch {
		case job.Video == "bad" && job.Kind == spool.Draft:
			return &spool.Error{Class: spool.Permanent, Code: "not-media", Reason: "not a video"}
		case job.Video == "disk" && job.Kind == spool.Finish && times == 1:
			return &spool.Error{Class: spool.Environment, Code: "no-space", Reason: "no space"}
		case job.Video == "panics" && job.Kind == spool.Fetch && times == 1:
			panic("once")
		}
		return nil
	})
	s.accept(t, "bad", "good", "disk", "panics")
	s.scheduler.FinishAll()
	if err := <-s.ended; err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]spool.Status{"bad": spool.Failed, "good": spool.Ready, "disk": spool.Ready, "panics": spool.Ready} {
		if v := s.status(t, id); v.Status != want {
			t.Errorf("%s is %s, want %s: %+v", id, v.Status, want, v.Failure)
		}
	}
	if f := s.status(t, "bad").Failure; f == nil || f.Reason != "not a video" {
		t.Errorf("failure of bad: %+v", f)
	}
	s.kill(t, 1)
}

// What loses nothing when it is stopped is not waited for.
func TestDrainStopsWhatResumes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	begun := make(chan struct{}, 1)
	s := open(t, path, func(ctx context.Context, job spool.Job, times int) error {
		if job.Kind != spool.Fetch || times > 1 {
			return nil
		}
		begun <- struct{}{}
		<-ctx.Done()
		return context.Cause(ctx)
	})
	s.accept(t, "v")
	<-begun
	s.scheduler.Drain()
	s.worker.Drain(t.Context())
	if err := <-s.ended; err != nil {
		t.Fatal(err)
	}
	rec, err := s.ledger.Get(t.Context(), "v")
	if j := rec.Job(spool.Fetch, 0); err != nil || j.State != spool.JobReady || j.Attempts != 0 {
		t.Errorf("%+v, %v", j, err)
	}
	s.kill(t, 1)
}

// TestDrainGivesBack: what does not end in time is given back, costs nothing,
// and is done after a restart; what was done is not done again.
func TestDrainGivesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	stuck := make(chan struct{}, 1)
	s := open(t, path, func(ctx context.Context, job spool.Job, _ int) error {
		if job.Kind == spool.Encode && job.Number == 1 {
			stuck <- struct{}{}
			<-ctx.Done()
			return context.Cause(ctx)
		}
		return nil
	})
	s.accept(t, "v")
	<-stuck
	s.scheduler.Drain()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	s.worker.Drain(ctx)
	cancel()
	s.close(t)

	s = open(t, path, nil)
	s.scheduler.FinishAll()
	if err := <-s.ended; err != nil {
		t.Fatal(err)
	}
	rec, err := s.ledger.Get(t.Context(), "v")
	if err != nil || rec.Video.Status != spool.Ready {
		t.Fatalf("%+v, %v", rec.Video, err)
	}
	if j := rec.Job(spool.Encode, 1); j.Attempts != 0 || j.Deaths != 0 {
		t.Errorf("draining cost an attempt: %+v", j)
	}
	if _, again := s.ran.Load(rec.Job(spool.Fetch, 0).String()); again {
		t.Error("the fetch was done again")
	}
	s.kill(t, 1)
}

// TestCancelStopsJobs: another process cancels a video in the ledger; its
// running jobs end.
func TestCancelStopsJobs(t *testing.T) {
	running, stopped := make(chan struct{}, 4), make(chan error, 4)
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := open(t, path, func(ctx context.Context, job spool.Job, _ int) error {
		if job.Kind != spool.Fetch {
			return nil
		}
		running <- struct{}{}
		<-ctx.Done()
		stopped <- context.Cause(ctx)
		return ctx.Err()
	})
	s.accept(t, "v")
	<-running
	other, err := sqliteledger.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	err = other.Update(t.Context(), "v", func(r *ledger.Record) error {
		r.Video.Status = spool.Cancelled
		return nil
	})
	if err = errors.Join(err, other.Close()); err != nil {
		t.Fatal(err)
	}
	if cause := <-stopped; cause == nil {
		t.Error("the job was not stopped")
	}
	s.kill(t, 2)
}

// TestHandedOutAnew: a job that comes again with a later epoch, while the old
// one has not let go, is begun when it has.
func TestHandedOutAnew(t *testing.T) {
	q := memq.New()
	var at atomic.Int32
	begun := make(chan int, 2)
	stage := stageFunc(func(ctx context.Context, job spool.Job) (spool.Result, error) {
		if at.Add(1) > 1 {
			t.Error("a job runs twice at a time")
		}
		defer at.Add(-1)
		begun <- job.Epoch
		if job.Epoch == 1 {
			<-ctx.Done()
			return spool.Result{}, ctx.Err()
		}
		return spool.Result{}, nil
	})
	w := worker.New(worker.Config{
		Name: "w", Queue: q, Stages: map[spool.Kind]worker.Stage{spool.Fetch: stage},
		Room: func(spool.Kind, []spool.Progress) int { return 1 },
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	key := spool.JobKey{Video: "v", Revision: "r", Kind: spool.Fetch}
	for epoch := 1; epoch <= 2; epoch++ {
		body, err := json.Marshal(queue.Message{Job: &spool.Job{JobKey: key, Epoch: epoch}})
		if err == nil {
			err = q.Send(t.Context(), queue.WorkTopic("w"), body)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := <-begun; got != epoch {
			t.Fatalf("epoch %d runs, not %d", got, epoch)
		}
	}
	for {
		d, err := q.Receive(t.Context(), queue.ReportTopic)
		if err != nil {
			t.Fatal(err)
		}
		var r spool.Report
		if err := json.Unmarshal(d.Body, &r); err != nil {
			t.Fatal(err)
		}
		if r.Epoch == 2 && r.Outcome == spool.Done {
			break
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
