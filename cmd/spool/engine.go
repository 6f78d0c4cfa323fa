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
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/memq"
	"github.com/spool-video/spool/internal/schedule"
	"github.com/spool-video/spool/internal/tap"
	"github.com/spool-video/spool/internal/worker"
)

// engine is the scheduler and, unless all work is done elsewhere, one worker in
// this process, joined by a queue. Whoever starts one drains it.
type engine struct {
	scheduler *schedule.Scheduler
	worker    *worker.Worker // nil: this process does no work
	name      string         // the worker's
	queue     queue.Queue
	ledger    ledger.Ledger
	sources   *tap.Desk // nil, as worker
	watch     *watchable
	fleet     bool
	over      chan string // videos that have ended, for tidy
	stop      context.CancelFunc
	ended     chan struct{} // closed when nothing of it runs any more
	err       error         // why it ended; to be read once ended is closed
}

// hookup is what joins scheduler and workers. The zero value is one process
// alone.
type hookup struct {
	queue queue.Queue // nil: one in memory
	fleet bool        // others work, too
	idle  bool        // this process does no work
	heir  bool        // what the worker of this process had when its process ended was not given back: it may have died of that
	away  func(error) // told what is wrong when the queue cannot be used, and nil when it can again
}

// beatEvery is how often the worker of this process says how far it is: often,
// because a person is watching and a message costs nothing here. In a fleet it
// costs.
const (
	beatEvery      = 500 * time.Millisecond
	fleetBeatEvery = 5 * time.Second
)

// start sets the engine going. It runs until wait or drain ends it, or until
// an error does: then nothing of it goes on.
func (h *house) start(ctx context.Context, b *board, with hookup) (*engine, error) {
	if with.queue == nil {
		with.queue = memq.New()
	}
	e := &engine{queue: with.queue, ledger: h.ledger, fleet: with.fleet, over: make(chan string, 1000), ended: make(chan struct{})}
	watch := newWatchable(h, b.emit)
	if err := watch.resume(ctx); err != nil {
		return nil, errors.Join(err, e.queue.Close())
	}
	e.watch = watch
	if !with.idle {
		if err := e.employ(ctx, h); err != nil {
			return nil, errors.Join(err, e.queue.Close())
		}
	}
	inherits := ""
	if with.heir && !with.idle {
		inherits = e.name
	}
	e.scheduler = schedule.New(schedule.Scheduler{
		Ledger: h.ledger, Queue: e.queue, Keys: h.handedKeys(with.fleet), Log: h.log, Beat: b.beat, Soon: early.Mode(h.cfg.Early) == early.Soon,
		Changed:  func(v spool.Video) { watch.changed(v); b.changed(v); e.note(v) },
		Reported: func(r spool.Report) { watch.reported(r); b.reported(r); h.sums.reported(r) },
		Fleet:    with.fleet, Version: version, Destination: identity(h.store), Away: with.away,
		Lost: func(k spool.JobKey) { h.metrics.Lost(k.Kind) }, Inherits: inherits,
	})
	ctx, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	go e.run(ctx)
	return e, nil
}

// employ makes the worker of this process.
func (e *engine) employ(ctx context.Context, h *house) error {
	c, err := h.workshop(ctx)
	if err != nil {
		return err
	}
	c.Name, c.Queue, c.Every = "here", e.queue, beatEvery
	if e.fleet {
		c.Name, c.Every = ownName(h.cfg), fleetBeatEvery
		c.Reach = append(c.Reach, spool.LocalFiles)
	}
	e.worker, e.name, e.sources = worker.New(c), c.Name, h.sources
	return nil
}

// run is all loops. When one has nothing more to do, or fails, the others are
// not needed either.
func (e *engine) run(ctx context.Context) {
	defer close(e.ended)
	var g errgroup.Group
	loops := []func(context.Context) error{e.scheduler.Run}
	if e.worker != nil {
		loops = append(loops, e.worker.Run)
	}
	for _, loop := range loops {
		g.Go(func() error {
			defer e.stop()
			return loop(ctx)
		})
	}
	// A name of its own: the loops above begin with ctx when they get to run.
	after, stop := context.WithCancel(context.WithoutCancel(ctx))
	var lists sync.WaitGroup
	lists.Go(func() { e.watch.run(after) })
	if e.fleet {
		lists.Go(func() { e.tidy(after) })
	}
	err := g.Wait()
	stop() // after the scheduler: lists of videos that have ended are ended
	lists.Wait()
	if e.sources != nil {
		e.sources.Server.Stop()
	}
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

// drain lets the running jobs of this process end within grace, or until ctx
// ends, then gives them back. When it returns nothing of the engine runs. What
// other workers do they go on with: whoever schedules next hears of it.
func (e *engine) drain(ctx context.Context, grace time.Duration) error {
	if !e.fleet {
		e.scheduler.Drain()
	}
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if e.worker != nil {
		e.worker.Drain(ctx)
	}
	if e.fleet {
		e.stop()
	}
	<-e.ended
	return e.err
}
