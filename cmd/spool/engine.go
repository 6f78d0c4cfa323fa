package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/memq"
	"github.com/spool-video/spool/internal/schedule"
	"github.com/spool-video/spool/internal/worker"
)

// engine is the scheduler and one worker in this process, joined by a queue in
// memory.
type engine struct {
	scheduler *schedule.Scheduler
	worker    *worker.Worker
	queue     queue.Queue
	group     errgroup.Group
	stop      context.CancelFunc
}

// beatEvery is how often the worker of this process says how far it is: often,
// because a person is watching and a message costs nothing here.
const beatEvery = 500 * time.Millisecond

// start sets the engine going. It runs until wait, drain or stop ends it.
func (h *house) start(ctx context.Context, b *board) (*engine, error) {
	stages, room, err := h.stages(ctx)
	if err != nil {
		return nil, err
	}
	q := memq.New()
	e := &engine{queue: q}
	e.scheduler = schedule.New(schedule.Scheduler{
		Ledger: h.ledger, Queue: q, Keys: h.keys, Log: h.log,
		Changed: func(v spool.Video) { h.freed(v); b.changed(v) }, Reported: b.reported, Beat: b.beat,
	})
	e.worker = worker.New(worker.Config{
		Name: "here", Queue: q, Stages: stages, Room: room, Every: beatEvery, Log: h.log,
	})
	ctx, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	e.group.Go(func() error { return e.schedule(ctx) })
	e.group.Go(func() error { return e.worker.Run(ctx) })
	return e, nil
}

// schedule runs the scheduler; when it has nothing more to do the worker is
// not needed either.
func (e *engine) schedule(ctx context.Context) error {
	defer e.stop()
	return e.scheduler.Run(ctx)
}

// wait waits until every video has ended, given that no more are accepted.
func (e *engine) wait() error {
	e.scheduler.FinishAll()
	return e.join()
}

// drain lets the running jobs end within grace, then gives them back.
func (e *engine) drain(ctx context.Context, grace time.Duration) error {
	e.scheduler.Drain()
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	e.worker.Drain(ctx)
	return e.join()
}

// join waits for all that start began.
func (e *engine) join() error {
	err := e.group.Wait()
	e.stop()
	if cerr := e.queue.Close(); err == nil {
		err = cerr
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("run jobs: %w", err)
	}
	return nil
}
