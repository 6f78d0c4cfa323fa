// Package worker runs jobs: it receives them, gives each to the stage of its
// kind, says in beats what is running and what it has room for, and reports
// what came of it. A worker is slots alone; it needs no ledger.
package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/queue"
)

// Stage does the jobs of one kind. Run may be called for several jobs at once.
// It returns when ctx ends, leaving nothing running.
type Stage interface {
	Run(ctx context.Context, job spool.Job, progress func(spool.Progress)) (spool.Result, error)
}

// Config is what a worker is made of.
type Config struct {
	Name   string
	Queue  queue.Queue
	Stages map[spool.Kind]Stage
	// Room says how many more jobs of a kind may start beside those that are
	// running, which are that far. It is asked for every beat and must not block.
	Room func(kind spool.Kind, running []spool.Progress) int
	// Stop names jobs that a drain does not wait for, because they lose nothing
	// when they are stopped, or would wait for those. Nil: there are none.
	Stop func(job spool.Job) bool
	// Needs is told what of a source that is being fetched is still to be read.
	// Nil: nobody wants to know. It must not block.
	Needs func(spool.Needs)
	// Every is the time between beats when nothing changes. Default 5 s.
	Every time.Duration
	Log   *slog.Logger
}

// Worker runs jobs.
type Worker struct {
	cfg Config

	mu       sync.Mutex
	running  map[spool.JobKey]*run // owned by mu
	draining bool                  // owned by mu

	changed chan struct{} // something in running changed: beat now
	jobs    sync.WaitGroup
	stopAll context.CancelCauseFunc // ends the context of every job
	jobsCtx context.Context         //nolint:containedctx // it is the worker's own: jobs outlive the call that started them, not the worker
}

// run is one job that is running.
type run struct {
	job      spool.Job
	progress spool.Progress
	cancel   context.CancelCauseFunc
	ended    chan struct{} // closed when its stage has returned
}

// Why a job's context ended.
var (
	errStopped  = errors.New("stopped by the scheduler")
	errDraining = errors.New("the worker is draining")
)

// reportDeadline bounds how long a worker that ends tries to say so.
const reportDeadline = 5 * time.Second

// New makes a worker that is ready to Run.
func New(cfg Config) *Worker {
	if cfg.Every == 0 {
		cfg.Every = 5 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	w := &Worker{cfg: cfg, running: map[spool.JobKey]*run{}, changed: make(chan struct{}, 1)}
	w.jobsCtx, w.stopAll = context.WithCancelCause(context.Background())
	return w
}

// Run receives and runs jobs until ctx ends; then it stops them and waits for
// them. To let them finish first, call Drain before ending ctx.
func (w *Worker) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.receive(ctx) })
	g.Go(func() error { return w.beats(ctx) })
	err := g.Wait()
	w.stopAll(errDraining)
	w.jobs.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Drain takes no more jobs and waits until the running ones have ended, but for
// those that it stops at once, or until ctx does; then it stops them all and
// gives them back. Run must be running until Drain has returned.
func (w *Worker) Drain(ctx context.Context) {
	w.mu.Lock()
	w.draining = true
	for _, r := range w.running {
		if w.cfg.Stop != nil && w.cfg.Stop(r.job) {
			r.cancel(errDraining)
		}
	}
	w.mu.Unlock()
	w.touch()
	ended := make(chan struct{})
	go func() {
		w.jobs.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		w.stopAll(errDraining)
		<-ended
	}
}

func (w *Worker) receive(ctx context.Context) error {
	for {
		d, err := w.cfg.Queue.Receive(ctx, queue.WorkTopic(w.cfg.Name))
		if err != nil {
			return fmt.Errorf("receive work: %w", err)
		}
		var m queue.Message
		if err := json.Unmarshal(d.Body, &m); err != nil {
			w.cfg.Log.WarnContext(ctx, "message cannot be read", "error", err)
		}
		switch {
		case m.Job != nil:
			w.start(ctx, *m.Job)
		case m.Stop != nil:
			w.stop(*m.Stop)
		case m.Needs != nil && w.cfg.Needs != nil:
			w.cfg.Needs(*m.Needs)
		}
		if err := d.Ack(ctx); err != nil {
			return fmt.Errorf("acknowledge work: %w", err)
		}
	}
}

// start runs a job, or gives it back when no more are taken.
func (w *Worker) start(ctx context.Context, job spool.Job) {
	if w.take(job) {
		w.touch()
		return
	}
	w.report(ctx, spool.Report{JobKey: job.JobKey, Epoch: job.Epoch, Worker: w.cfg.Name, Outcome: spool.Returned})
}

// take runs a job in a goroutine of its own, and reports whether the worker
// still does so. A job that is running already, because its message came
// twice, is left alone; one that was handed out anew begins when the old one
// has let go.
func (w *Worker) take(job spool.Job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.draining {
		return false
	}
	before := w.running[job.JobKey]
	if before != nil && before.job.Epoch >= job.Epoch {
		return true
	}
	ctx, cancel := context.WithCancelCause(w.jobsCtx)
	r := &run{job: job, cancel: cancel, ended: make(chan struct{})}
	w.running[job.JobKey] = r
	w.jobs.Add(1)
	go func() {
		defer w.jobs.Done()
		defer cancel(nil)
		if before != nil {
			before.cancel(errStopped)
			<-before.ended
		}
		w.do(ctx, r)
	}()
	return true
}

func (w *Worker) stop(s spool.Stop) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.running[s.JobKey]; r != nil && r.job.Epoch == s.Epoch {
		r.cancel(errStopped)
	}
}

// do runs one job and reports on it.
func (w *Worker) do(ctx context.Context, r *run) {
	began, job := time.Now(), r.job
	report := spool.Report{JobKey: job.JobKey, Epoch: job.Epoch, Worker: w.cfg.Name, Outcome: spool.Started}
	w.report(ctx, report)
	result, err := w.stage(ctx, r)
	close(r.ended)
	report.Took = time.Since(began)
	switch {
	case err == nil:
		report.Outcome, report.Result = spool.Done, &result
	case ctx.Err() != nil:
		report.Outcome = spool.Returned
	default:
		report.Outcome = spool.Broke
		explain(&report, err)
	}
	w.mu.Lock()
	if w.running[job.JobKey] == r {
		delete(w.running, job.JobKey)
	}
	w.mu.Unlock()
	w.report(ctx, report)
	w.touch()
}

// explain turns an error into what a report says of it. An error in whose
// chain a child process "Died", by a signal, counts as a death.
func explain(r *spool.Report, err error) {
	e := spool.AsError(err)
	r.Failure = &spool.Failure{Class: e.Class, Code: e.Code, Reason: e.Reason, Hint: e.Hint}
	r.After = e.After
	var child interface{ Died() bool }
	r.Died = errors.As(err, &child) && child.Died()
}

// stage runs the stage of a job's kind. A panic is an error of that job, not
// the end of the worker.
func (w *Worker) stage(ctx context.Context, r *run) (result spool.Result, err error) {
	job := r.job
	defer func() {
		if p := recover(); p != nil {
			w.cfg.Log.ErrorContext(ctx, "stage panicked", "video", job.Video, "stage", string(job.Kind), "stack", string(debug.Stack()))
			err = fmt.Errorf("run %s: panic: %v", job.JobKey, p)
		}
	}()
	s := w.cfg.Stages[job.Kind]
	if s == nil {
		return result, fmt.Errorf("run %s: this worker has no such stage", job.JobKey)
	}
	if err := ctx.Err(); err != nil {
		return result, err
	}
	return s.Run(ctx, job, func(p spool.Progress) { w.progress(ctx, r, p) })
}

// progress keeps how far a job is. A change of phase frees a slot, so that is
// said at once; the rest waits for the next beat. What can be used already is
// reported.
func (w *Worker) progress(ctx context.Context, r *run, p spool.Progress) {
	if p.Result != nil {
		w.report(ctx, spool.Report{
			JobKey: r.job.JobKey, Epoch: r.job.Epoch, Worker: w.cfg.Name, Outcome: spool.Arrived, Result: p.Result,
		})
		p.Result = nil
	}
	if p.Phase == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.progress.Phase != p.Phase {
		w.touch()
	}
	r.progress = p
}

// report sends a report, also when the job's context has ended.
func (w *Worker) report(ctx context.Context, r spool.Report) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportDeadline)
	defer cancel()
	if err := w.send(ctx, queue.ReportTopic, r); err != nil {
		// The scheduler misses the job in the beats, and hands it out again.
		w.cfg.Log.WarnContext(ctx, "report was not sent", "video", r.Video, "stage", string(r.Kind), "error", err)
	}
}

func (w *Worker) send(ctx context.Context, topic string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", topic, err)
	}
	return w.cfg.Queue.Send(ctx, topic, body)
}

// touch asks for a beat soon.
func (w *Worker) touch() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func (w *Worker) beats(ctx context.Context) error {
	tick := time.NewTicker(w.cfg.Every)
	defer tick.Stop()
	for {
		if err := w.send(ctx, queue.BeatTopic, w.beat()); err != nil {
			return fmt.Errorf("beat: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-w.changed:
		}
	}
}

// beat is what is running now and what there is room for.
func (w *Worker) beat() spool.Beat {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := spool.Beat{Worker: w.cfg.Name, Free: map[spool.Kind]int{}}
	running := map[spool.Kind][]spool.Progress{}
	for key, r := range w.running {
		b.Running = append(b.Running, spool.Running{JobKey: key, Epoch: r.job.Epoch, Progress: r.progress})
		running[key.Kind] = append(running[key.Kind], r.progress)
	}
	if w.draining {
		return b
	}
	for kind := range w.cfg.Stages {
		b.Free[kind] = max(w.cfg.Room(kind, running[kind]), 0)
	}
	return b
}
