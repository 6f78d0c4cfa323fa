package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/ledger/sqliteledger"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/memq"
)

// bench is a scheduler over a real ledger with one video, and a worker that is
// the test.
type bench struct {
	*testing.T
	ledger ledger.Ledger
	queue  queue.Queue
}

func newBench(t *testing.T, v spool.Video, patience time.Duration) *bench {
	return newBenchOn(t, v, patience, memq.New())
}

func newBenchOn(t *testing.T, v spool.Video, patience time.Duration, q queue.Queue) *bench {
	return newBenchBy(t, v, Scheduler{Queue: q, Patience: patience})
}

// newBenchBy is one with the queue, the patience and the wall clock of s.
func newBenchBy(t *testing.T, v spool.Video, s Scheduler) *bench {
	t.Helper()
	l, err := sqliteledger.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Accept(t.Context(), NewRecord(v, time.Now())); err != nil {
		t.Fatal(err)
	}
	b := &bench{t, l, s.Queue}
	s.Ledger, s.Tick = l, time.Millisecond
	running := New(s)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- running.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) send(topic string, v any) {
	b.Helper()
	body, err := json.Marshal(v)
	if err == nil {
		err = b.queue.Send(b.Context(), topic, body)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// next is the next job that is handed out, while the worker beats and names
// none.
func (b *bench) next() spool.Job {
	b.Helper()
	return b.beating(func() spool.Beat {
		return spool.Beat{Worker: "w", Free: map[spool.Kind]int{spool.Fetch: 1}}
	})
}

// beating is the next job that is handed out while the worker beats so.
func (b *bench) beating(beat func() spool.Beat) spool.Job {
	b.Helper()
	got := make(chan spool.Job, 1)
	go func() {
		defer close(got)
		for {
			d, err := b.queue.Receive(b.Context(), queue.WorkTopic("w"))
			var m queue.Message
			if err == nil && json.Unmarshal(d.Body, &m) == nil && m.Needs != nil {
				continue // what the fetch is told is not what is asked for here
			}
			if err == nil && m.Job != nil {
				got <- *m.Job
			}
			return
		}
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case job, ok := <-got:
			if !ok {
				b.Fatal("the worker got something else than a job")
			}
			return job
		case <-tick.C:
			b.send(queue.BeatTopic, beat())
		}
	}
}

// A job whose message, or whose report, was lost is handed out again: no run
// waits for ever.
func TestLostJobsAreHandedOutAgain(t *testing.T) {
	b := newBench(t, spool.Video{ID: "v", Source: "/v", Canonical: "/v"}, time.Millisecond)
	first := b.next()
	again := b.next()
	if again.JobKey != first.JobKey || again.Epoch != first.Epoch+1 {
		t.Errorf("handed out: %s epoch %d, then %s epoch %d", first.JobKey, first.Epoch, again.JobKey, again.Epoch)
	}
	rec, err := b.ledger.Get(t.Context(), "v")
	if err != nil || rec.Jobs[0].Attempts != 0 {
		t.Errorf("a lost message cost an attempt: %+v, %v", rec.Jobs, err)
	}
}

// unheard is a queue whose engine hears no acknowledgement.
type unheard struct{ queue.Queue }

func (q unheard) Receive(ctx context.Context, topic string) (queue.Delivery, error) {
	d, err := q.Queue.Receive(ctx, topic)
	d.Ack = func(context.Context) error { return errors.New("acknowledge: the connection was lost") }
	return d, err
}

// A message that cannot be acknowledged comes again, and ends nothing.
func TestUnheardAcknowledgements(t *testing.T) {
	b := newBenchOn(t, spool.Video{ID: "v", Source: "/v", Canonical: "/v"}, time.Minute, unheard{memq.New()})
	fetch := b.next()
	done := spool.Report{JobKey: fetch.JobKey, Epoch: fetch.Epoch, Worker: "w", Outcome: spool.Done, Result: &spool.Result{Fetched: &spool.Fetched{Path: "/v"}}}
	for range 2 {
		b.send(queue.ReportTopic, done)
	}
	next := b.beating(func() spool.Beat { return spool.Beat{Worker: "w", Free: map[spool.Kind]int{spool.Draft: 1}} })
	if next.Kind != spool.Draft {
		t.Errorf("after the fetch came %s", next.JobKey)
	}
}

// A pause is over when a job has run for a while, not only when it is done: a
// download may take hours.
func TestPauseIsOverWhenAJobRuns(t *testing.T) {
	b := newBench(t, spool.Video{
		ID: "v", Source: "/v", Canonical: "/v",
	}, 300*time.Millisecond)
	b.next()
	full := &spool.Failure{Class: spool.Environment, Code: "no-space", Reason: "the disk is full"}
	if err := b.ledger.Update(t.Context(), "v", func(r *ledger.Record) error {
		r.Jobs[0].State, r.Video.Failure = spool.JobReady, full
		settle(r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	// A machine that is busy may let a moment pass without a beat; then the job
	// is taken back and handed out anew, so the worker names what it got last.
	jobs := b.jobs()
	var running []spool.Running
	beat := time.NewTicker(10 * time.Millisecond)
	defer beat.Stop()
	for {
		rec, err := b.ledger.Get(t.Context(), "v")
		if err != nil {
			t.Fatal(err)
		}
		if rec.Video.Status == spool.Working && rec.Video.Failure == nil {
			return
		}
		select {
		case job := <-jobs:
			running = []spool.Running{{JobKey: job.JobKey, Epoch: job.Epoch}}
		case <-beat.C:
			b.send(queue.BeatTopic, spool.Beat{Worker: "w", Free: map[spool.Kind]int{spool.Fetch: 1}, Running: running})
		}
	}
}

// jobs are all jobs that are handed out from now on.
func (b *bench) jobs() <-chan spool.Job {
	jobs := make(chan spool.Job)
	ctx := b.Context()
	go func() {
		for {
			d, err := b.queue.Receive(ctx, queue.WorkTopic("w"))
			if err != nil {
				return // the test has ended
			}
			var m queue.Message
			if json.Unmarshal(d.Body, &m) != nil || m.Job == nil {
				continue // a stop
			}
			select {
			case jobs <- *m.Job:
			case <-ctx.Done():
				return
			}
		}
	}()
	return jobs
}

// A download that goes on while uploads fail says nothing of the destination:
// the pause lasts.
func TestPauseOutlastsWhatBeganBefore(t *testing.T) {
	b := newBench(t, spool.Video{ID: "v", Source: "/v", Canonical: "/v"}, 20*time.Millisecond)
	fetch := b.next()
	b.send(queue.ReportTopic, spool.Report{
		JobKey: fetch.JobKey, Epoch: fetch.Epoch, Worker: "w", Outcome: spool.Arrived,
		Result: &spool.Result{Fetched: &spool.Fetched{Arriving: true}},
	})
	named := []spool.Running{{JobKey: fetch.JobKey, Epoch: fetch.Epoch}}
	beat := func() spool.Beat {
		return spool.Beat{Worker: "w", Free: map[spool.Kind]int{spool.Draft: 1}, Running: named}
	}
	draft := b.beating(beat)
	b.send(queue.ReportTopic, spool.Report{
		JobKey: draft.JobKey, Epoch: draft.Epoch, Worker: "w", Outcome: spool.Broke,
		Failure: &spool.Failure{Class: spool.Environment, Code: "store-away", Reason: "the bucket is away"},
	})
	paused := false
	for range 30 { // ten times as long as a job must run to end a pause
		b.send(queue.BeatTopic, beat())
		rec, err := b.ledger.Get(t.Context(), "v")
		if err != nil {
			t.Fatal(err)
		}
		if paused && rec.Video.Status != spool.Paused {
			t.Fatalf("the pause ended: %s", rec.Video.Status)
		}
		paused = paused || rec.Video.Status == spool.Paused
		<-time.After(10 * time.Millisecond)
	}
	if !paused {
		t.Error("there was no pause")
	}
}
