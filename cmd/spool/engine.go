package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/early"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/memq"
	"github.com/spool-video/spool/internal/schedule"
	"github.com/spool-video/spool/internal/tap"
	"github.com/spool-video/spool/internal/worker"
)

// engine is the scheduler and one worker in this process, joined by a queue in
// memory. Whoever starts one drains it.
type engine struct {
	scheduler *schedule.Scheduler
	worker    *worker.Worker
	queue     queue.Queue
	sources   *tap.Desk
	watch     *watchable
	stop      context.CancelFunc
	ended     chan struct{} // closed when nothing of it runs any more
	err       error         // why it ended; to be read once ended is closed
}

// beatEvery is how often the worker of this process says how far it is: often,
// because a person is watching and a message costs nothing here.
const beatEvery = 500 * time.Millisecond

// start sets the engine going. It runs until wait or drain ends it, or until
// an error does: then nothing of it goes on.
func (h *house) start(ctx context.Context, b *board) (*engine, error) {
	stages, room, err := h.stages(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.sources.Server.Start(); err != nil {
		return nil, err
	}
	q := memq.New()
	e := &engine{queue: q, sources: h.sources, ended: make(chan struct{})}
	watch := newWatchable(h, b.emit)
	if err := watch.resume(ctx); err != nil {
		h.sources.Server.Stop()
		return nil, err
	}
	e.watch = watch
	e.scheduler = schedule.New(schedule.Scheduler{
		Ledger: h.ledger, Queue: q, Keys: h.keys, Log: h.log, Beat: b.beat, Soon: early.Mode(h.cfg.Early) == early.Soon,
		Changed:  func(v spool.Video) { watch.changed(v); b.changed(v) },
		Reported: func(r spool.Report) { watch.reported(r); b.reported(r); h.sums.reported(r) },
	})
	e.worker = worker.New(worker.Config{
		Name: "here", Queue: q, Stages: stages, Room: room, Every: beatEvery, Log: h.log, Stop: resumes, Needs: h.fetch.Needs,
	})
	ctx, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	go e.run(ctx)
	return e, nil
}

// run is both loops. When one has nothing more to do, or fails, the other is
// not needed either.
func (e *engine) run(ctx context.Context) {
	defer close(e.ended)
	var g errgroup.Group
	for _, loop := range []func(context.Context) error{e.scheduler.Run, e.worker.Run} {
		g.Go(func() error {
			defer e.stop()
			return loop(ctx)
		})
	}
	// A name of its own: the loops above begin with ctx when they get to run.
	after, stop := context.WithCancel(context.WithoutCancel(ctx))
	var lists sync.WaitGroup
	lists.Go(func() { e.watch.run(after) })
	err := g.Wait()
	stop() // after the scheduler: lists of videos that have ended are ended
	lists.Wait()
	e.sources.Server.Stop()
	if cerr := e.queue.Close(); err == nil {
		err = cerr
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		e.err = fmt.Errorf("run jobs: %w", err)
	}
}

// wake makes the engine look for ready jobs now, and says when it cannot any
// more.
func (e *engine) wake() error {
	select {
	case <-e.ended:
		return e.err
	default:
		e.scheduler.Wake()
		return nil
	}
}

// wait waits until every video has ended, given that no more are accepted, or
// for ctx.
func (e *engine) wait(ctx context.Context) error {
	e.scheduler.FinishAll()
	select {
	case <-e.ended:
		return e.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// resumes names the jobs that a drain stops at once: downloads go on later
// where they were, and what is planned while it arrives waits for them.
func resumes(job spool.Job) bool {
	return job.Kind == spool.Fetch || job.Kind == spool.Draft && job.Fetched != nil && job.Fetched.Arriving
}

// drain lets the running jobs end within grace, or until ctx ends, then gives
// them back. When it returns nothing of the engine runs.
func (e *engine) drain(ctx context.Context, grace time.Duration) error {
	e.scheduler.Drain()
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	e.worker.Drain(ctx)
	<-e.ended
	return e.err
}
