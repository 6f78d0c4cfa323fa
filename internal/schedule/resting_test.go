package schedule_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/schedule"
	"github.com/spool-video/spool/internal/worker"
)

// cutStream does the jobs of videos; that of the video "stream" is cut in its
// middle, and its server wants to be left alone for an hour.
type cutStream struct {
	work

	mu      sync.Mutex // guards the rest
	fetches int
	begun   []bool // for each plan of the stream, whether it went on from an earlier one
}

func (c *cutStream) Run(ctx context.Context, job spool.Job, progress func(spool.Progress)) (spool.Result, error) {
	switch {
	case job.Video == "stream" && job.Kind == spool.Fetch:
		return c.fetch(ctx, progress)
	case job.Video == "stream" && job.Kind == spool.Draft:
		return c.draft(ctx, job, progress)
	}
	return c.work.Run(ctx, job, progress)
}

func (c *cutStream) fetch(ctx context.Context, progress func(spool.Progress)) (spool.Result, error) {
	c.mu.Lock()
	c.fetches++
	n := c.fetches
	c.mu.Unlock()
	f := spool.Fetched{Path: "/disk", Size: simParts * window, Scratch: true, Arriving: true}
	progress(spool.Progress{Result: &spool.Result{Fetched: &f}})
	progress(spool.Progress{Phase: spool.Downloading, Done: window, Total: f.Size, Have: spool.Spans{{To: window}}})
	if err := takes(5*time.Second)(ctx, spool.Job{}); err != nil {
		return spool.Result{}, err
	}
	if n == 1 {
		return spool.Result{}, &spool.Error{Class: spool.Transient, Code: "http-503", Reason: "it is busy", After: time.Hour}
	}
	progress(spool.Progress{Phase: spool.Downloading, Done: f.Size, Total: f.Size, Have: spool.Spans{{To: f.Size}}})
	if err := takes(time.Minute)(ctx, spool.Job{}); err != nil {
		return spool.Result{}, err
	}
	f.Arriving, f.SHA256 = false, "s"
	return spool.Result{Fetched: &f}, nil
}

// draft is a plan that grows with what comes.
func (c *cutStream) draft(ctx context.Context, job spool.Job, progress func(spool.Progress)) (spool.Result, error) {
	c.mu.Lock()
	c.begun = append(c.begun, job.Plan != nil && job.Plan.Open)
	first := len(c.begun) == 1
	c.mu.Unlock()
	p := &spool.Plan{Chunks: make([]spool.Chunk, simParts)}
	for n := range p.Chunks {
		p.Chunks[n] = spool.Chunk{Number: n, Bytes: spool.Span{From: int64(n) * window, To: int64(n+1) * window}}
	}
	if first {
		open := *p
		open.Chunks, open.Open = p.Chunks[:1], true
		progress(spool.Progress{Result: &spool.Result{Plan: &open}})
		<-ctx.Done()
		return spool.Result{}, ctx.Err()
	}
	return spool.Result{Plan: p}, nil
}

// A stream whose download rests for long holds up nobody's plan: its own is
// given back, at no cost, and goes on with the download.
func TestPlanOfAStreamThatRests(t *testing.T) {
	inBubble(t, schedule.Scheduler{}, func(b *site) {
		c := &cutStream{work: takes(time.Second)}
		stages := map[spool.Kind]worker.Stage{}
		for _, kind := range []spool.Kind{spool.Fetch, spool.Draft, spool.Encode, spool.Audio, spool.Finish} {
			stages[kind] = c
		}
		b.hire(worker.Config{Name: "w", Stages: stages, Room: func(kind spool.Kind, running []spool.Progress) int {
			if kind == spool.Draft {
				return 1 - len(running)
			}
			return 2 - len(running)
		}})
		b.accept(link("stream"))
		job := func(kind spool.Kind, n int) spool.JobRecord {
			rec, err := b.ledger.Get(b.ctx, "stream")
			if err != nil || rec.Job(kind, n) == nil {
				return spool.JobRecord{}
			}
			return rec.Job(kind, n).JobRecord
		}
		b.until("the download rests", func() bool { return job(spool.Fetch, 0).Attempts == 1 })
		b.accept(link("other"))
		began := time.Now()
		b.until("the other is ready", b.ready("other"))
		if took := time.Since(began); took > 2*time.Minute {
			b.Errorf("the other one took %v", took)
		}
		if j := job(spool.Draft, 0); j.State != spool.JobWaiting || job(spool.Encode, 0).State != spool.JobDone {
			b.Errorf("the plan %+v, its chunk %+v", j, job(spool.Encode, 0))
		}
		b.until("the stream is planned", func() bool { return job(spool.Draft, 0).State == spool.JobDone })
		if j := job(spool.Draft, 0); j.Attempts != 0 || j.Deaths != 0 || j.Epoch != 2 {
			b.Errorf("%+v", j)
		}
		b.until("the stream is ready", b.ready("stream"))
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.begun) != 2 || c.begun[0] || !c.begun[1] {
			b.Errorf("its plan went on from what there was: %v", c.begun)
		}
	})
}
