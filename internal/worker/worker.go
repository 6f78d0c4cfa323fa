// Package worker runs jobs: it receives them, gives each to the stage of its
// kind, says in beats what is running and what it has room for, and reports
// what came of it. A worker is slots alone; it needs no ledger.
//
// The queue may be away, lose messages and repeat them. A report is kept, and
// sent again, until the scheduler has answered that it is in the ledger; until
// then its job is still in the beats, so that nobody begins it anew. Jobs go
// on without a queue, for Config.Alone; then they are stopped, because they
// are somebody else's by now. The worker itself waits for the queue for ever.
package worker

import (
	"context"
	"crypto/rand"
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

	// Ended is told of videos of which nothing needs to be kept here. It may be nil.
	Ended func(video string)

	// What beats say of the worker; spool.Beat has what they mean.
	Version string
	Class   string
	Reach   []string
	Holds   func() []string // nil: it does not say. It must not block.
	Disk    func() int64    // nil: unknown. It must not block.

	// Every is the time between beats when nothing changes. Default 5 s.
	Every time.Duration
	// Alone is how long jobs go on while nothing can be sent. Default 5 min.
	Alone time.Duration
	// Resend is how long a report may be without an answer before it is sent
	// again. Default 10 s.
	Resend time.Duration
	// Away is told what is wrong when nothing can be sent or received, and nil
	// when that is over. It must not block.
	Away func(error)
	Log  *slog.Logger
}

// Worker runs jobs.
type Worker struct {
	cfg     Config
	session string
	outbox  *outbox
	link    link

	mu       sync.Mutex
	running  map[spool.JobKey]*run // owned by mu
	draining bool                  // owned by mu
	told     bool                  // owned by mu: the scheduler wants it to drain and end
	serial   int                   // owned by mu: of the last beat
	epochs   map[spool.JobKey]int  // owned by mu: the last epoch of jobs that came of late

	changed chan struct{} // something in running changed: beat now
	jobs    sync.WaitGroup
	stopAll context.CancelCauseFunc // ends the context of every job
	jobsCtx context.Context         //nolint:containedctx // it is the worker's own: jobs outlive the call that started them, not the worker
}

// run is one job that is running.
type run struct {
	job      spool.Job
	progress spool.Progress
	shown    spool.Progress // of the last beat
	came     int64          // fetch: bytes of the source, the most that it told of
	needs    spool.Needs    // fetch: what is to be read of the source
	cancel   context.CancelCauseFunc
	ended    chan struct{} // closed when its stage has returned
	over     bool          // its last report is in the outbox
}

// Why a job's context ended.
var (
	errStopped  = errors.New("stopped by the scheduler")
	errDraining = errors.New("the worker is draining")
	errAlone    = errors.New("the queue has been away for too long")
)

// errDrained ends Run: the scheduler wanted the worker to drain, and it has.
var errDrained = errors.New("drained")

// reportDeadline bounds how long a worker that ends tries to say so.
const reportDeadline = 5 * time.Second

// remembered is of how many jobs the worker knows that they came.
const remembered = 1 << 12

// New makes a worker that is ready to Run.
func New(cfg Config) *Worker {
	if cfg.Every == 0 {
		cfg.Every = 5 * time.Second
	}
	if cfg.Alone == 0 {
		cfg.Alone = 5 * time.Minute
	}
	if cfg.Resend == 0 {
		cfg.Resend = 10 * time.Second
	}
	if cfg.Away == nil {
		cfg.Away = func(error) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	w := &Worker{cfg: cfg, session: rand.Text(), running: map[spool.JobKey]*run{}, epochs: map[spool.JobKey]int{}, changed: make(chan struct{}, 1)}
	w.outbox = newOutbox(cfg.Name, w.session)
	w.link.tell = cfg.Away
	w.jobsCtx, w.stopAll = context.WithCancelCause(context.Background())
	return w
}

// Run receives and runs jobs until ctx ends; then it stops them and waits for
// them. To let them finish first, call Drain before ending ctx. It also
// returns, with nil, when the scheduler has told the worker to drain and it
// has; and with a *spool.Error when the scheduler refuses it.
func (w *Worker) Run(ctx context.Context) error {
	posting, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var post sync.WaitGroup
	post.Go(func() { w.post(posting) })
	w.link.heard() // it has not been alone yet
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return w.receive(running) })
	g.Go(func() error { return w.beats(running) })
	err := g.Wait()
	w.stopAll(errDraining)
	w.jobs.Wait()
	last, cancel := context.WithTimeout(posting, reportDeadline)
	defer cancel()
	w.outbox.sent(last)
	stop()
	post.Wait()
	if errors.Is(err, errDrained) || ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Drain takes no more jobs and waits until the running ones have ended and
// were reported, but for those that it stops at once, or until ctx does; then
// it stops them all and gives them back. Run must be running until Drain has
// returned.
func (w *Worker) Drain(ctx context.Context) {
	w.beginDrain(false)
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
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportDeadline)
	defer cancel()
	w.outbox.sent(last)
}

// beginDrain takes no more jobs, and stops those that lose nothing by it.
func (w *Worker) beginDrain(told bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.draining, w.told = true, w.told || told
	for _, r := range w.running {
		if !r.over && w.cfg.Stop != nil && w.cfg.Stop(r.job) {
			r.cancel(errDraining)
		}
	}
	w.touch()
}

// receive takes what the scheduler sends, for as long as there is a queue.
func (w *Worker) receive(ctx context.Context) error {
	for {
		d, err := w.cfg.Queue.Receive(ctx, queue.WorkTopic(w.cfg.Name))
		if ctx.Err() != nil || errors.Is(err, queue.ErrClosed) {
			return fmt.Errorf("receive work: %w", errors.Join(ctx.Err(), err))
		}
		if err != nil {
			w.link.lost(err)
			if err := rest(ctx); err != nil {
				return err
			}
			continue
		}
		if err := w.message(ctx, d.Body); err != nil {
			return err
		}
		if err := d.Ack(ctx); err != nil { // it may come again, which does no harm
			w.cfg.Log.DebugContext(ctx, "queue.unacknowledged", "error", err)
		}
	}
}

// message does what the scheduler says. An error ends the worker.
func (w *Worker) message(ctx context.Context, body []byte) error {
	var m queue.Message
	if err := json.Unmarshal(body, &m); err != nil {
		w.cfg.Log.WarnContext(ctx, "queue.unreadable", "error", err)
	}
	switch {
	case m.Session != "" && m.Session != w.session: // for one of the same name that has died
	case m.Job != nil:
		w.start(*m.Job)
	case m.Stop != nil:
		w.stop(*m.Stop)
	case m.Needs != nil:
		w.need(*m.Needs)
	case m.Ended != nil && w.cfg.Ended != nil:
		for _, video := range m.Ended {
			w.cfg.Ended(video)
		}
	case m.Accepted != nil && m.Accepted.Session == w.session:
		w.accepted(m.Accepted.Serials)
	case m.Drain:
		w.beginDrain(true)
	case m.Refused != nil && m.Refused.Session == w.session:
		return &spool.Error{Class: spool.Permanent, Code: m.Refused.Code, Reason: m.Refused.Reason, Hint: m.Refused.Hint}
	}
	return nil
}

// start runs a job, or gives it back when no more are taken.
func (w *Worker) start(job spool.Job) {
	if w.take(job) {
		w.touch()
		return
	}
	w.outbox.add(spool.Report{JobKey: job.JobKey, Epoch: job.Epoch, Outcome: spool.Returned})
}

// take runs a job in a goroutine of its own, and reports whether the worker
// still does so. A job that ran already, because its message came twice, is
// left alone; one that was handed out anew begins when the old one
// has let go.
func (w *Worker) take(job spool.Job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.draining {
		return false
	}
	if w.epochs[job.JobKey] >= job.Epoch {
		return true
	}
	if len(w.epochs) >= remembered {
		clear(w.epochs) // a message that comes again comes soon, or is stopped
	}
	w.epochs[job.JobKey] = job.Epoch
	before := w.running[job.JobKey]
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
	report := spool.Report{JobKey: job.JobKey, Epoch: job.Epoch, Outcome: spool.Started}
	w.outbox.add(report)
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
	r.over = true
	if report.Failure != nil && job.Kind == spool.Fetch {
		report.Failure.Had = r.came
	}
	w.mu.Unlock()
	w.outbox.add(report)
	w.touch()
}

// accepted drops the reports that are in the ledger, and with the last one of
// a job the job.
func (w *Worker) accepted(serials []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, last := range w.outbox.accepted(serials) {
		if r := w.running[last.JobKey]; r != nil && r.over && r.job.Epoch == last.Epoch {
			delete(w.running, last.JobKey)
		}
	}
	if w.told {
		w.touch()
	}
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
			w.cfg.Log.ErrorContext(ctx, "job.panicked", "video", job.Video, "stage", string(job.Kind), "stack", string(debug.Stack()))
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
	return s.Run(ctx, job, func(p spool.Progress) { w.progress(r, p) })
}
