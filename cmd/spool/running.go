package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/intake"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/process"
	"github.com/spool-video/spool/internal/progress"
	"github.com/spool-video/spool/internal/scratch"
	"github.com/spool-video/spool/internal/stage/finish"
)

// running is a run in progress.
type running struct {
	*house
	lines     []intake.Line
	out, err  io.Writer
	show      *progress.Progress
	board     *board
	newcomers []intake.Result // new videos that the ledger does not have yet

	hookup      hookup  // what joins the engine to others
	engine      *engine // nil until there is something to do
	interrupted bool
	after       bool // the last process that held the destination was killed
	endless     bool // it is a watch: it takes in more until it is stopped, and says at once what is ready
	service     bool // it is a serve: endless, and it keeps no account of what it did
	endings     []progress.Ending
	results     map[string]int       // video → its place in endings
	notes       []string             // said at the end
	overheard   func(progress.Event) // a serve is told of every event, too; it must not block
	otherwise   int                  // ready videos that were made with other settings
	unasked     int                  // ready videos of pages, which --refresh cannot ask
}

// keptRevision is how long a replaced revision stays published: players that
// began with it play to the end.
const keptRevision = 24 * time.Hour

// run does all, which takes in sources, and returns when that has ended or the
// user has had enough. The first signal stops the intake and lets what is being
// encoded end within the grace time. However it ends, nothing is left running.
func (r *running) run(ctx context.Context, all func(context.Context) error) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer func() {
		// Who presses Ctrl-C a second time when all has just ended still gets
		// the report and the exit status: what is left to do is short.
		if !r.interrupted {
			signal.Stop(signals)
		}
	}()
	return r.until(ctx, signals, all)
}

// until is run, once all is prepared.
func (r *running) until(ctx context.Context, signals chan os.Signal, all func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()

	ended := make(chan error, 1)
	go func() { ended <- all(ctx) }()
	var err error
	select {
	case err = <-ended:
	case <-signals:
		r.interrupted = true
		r.note("stopping: running jobs may end; press Ctrl-C again to stop at once. To go on later: " + r.resume())
		stop()
		if err = <-ended; errors.Is(err, context.Canceled) {
			err = nil
		}
	}
	if derr := r.drain(context.WithoutCancel(ctx), signals); err == nil {
		err = derr
	}
	return err
}

// drain ends the engine, if there is one; after a run that came to its end it
// has ended. A signal stops the jobs that still run: they are as durable as
// they were. One more ends the process, should something hang in the system.
func (r *running) drain(ctx context.Context, signals <-chan os.Signal) error {
	if r.engine == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- r.engine.drain(ctx, r.cfg.Grace) }()
	select {
	case err := <-drained:
		return err
	case <-signals:
		r.interrupted = true
		signal.Reset(os.Interrupt, syscall.SIGTERM)
		cancel() // ends the grace time
		return <-drained
	}
}

// resume is the command that goes on with this run.
func (r *running) resume() string {
	switch {
	case r.service:
		return "start it again"
	case r.endless:
		return "the same command, or spool run" + toFlag(r.cfg) + " for what is unfinished"
	}
	return "spool run" + toFlag(r.cfg)
}

// prepare cleans up after a run that did not end by itself, and opens what is
// needed.
func (r *running) prepare(ctx context.Context) error {
	if _, err := process.KillLeftovers(tag(r.cfg)); err != nil {
		r.note("what a run that was killed left running could not be ended: " + plaintext.Sanitize(err.Error()))
	}
	known, err := r.ledger.List(ctx, ledger.Filter{})
	if err != nil {
		return err
	}
	if err := r.prepareKeys(known); err != nil {
		return err
	}
	s, err := scratch.Open(r.cfg.Work, r.cfg.ScratchLimit.Bytes, r.cfg.ScratchLimit.Share)
	if err != nil {
		return err
	}
	r.scratch = s
	kept := map[string]string{}
	for _, v := range known {
		if !v.Status.Ended() || v.Status == spool.Failed {
			kept[v.ID] = v.Revision
		}
	}
	if err := s.Sweep(kept); err != nil {
		return err
	}
	r.sums = startSums(r.house)
	if r.staging, err = openStaging(ctx, r.cfg); err != nil {
		return err
	}
	if err := r.staging.sweep(ctx, known); err != nil {
		return err
	}
	return r.sweepReplaced(ctx)
}

// prepareKeys decides about encryption before anything is accepted, and makes
// the master key on first use. An encrypted video that is unfinished needs it
// too, whatever is asked for now.
func (r *running) prepareKeys(known []spool.Video) error {
	e, err := r.cfg.Encryption()
	if err != nil {
		return err
	}
	needed := slices.ContainsFunc(known, func(v spool.Video) bool { return v.Settings.Encrypt && !v.Status.Ended() })
	if !e.On {
		r.notes = append(r.notes, e.Why)
	}
	if !e.On && !needed {
		return nil
	}
	if r.cfg.Keys != "" {
		if err := checkKeysOutside(r.cfg, r.cfg.Keys); err != nil {
			return err
		}
	}
	master, created, err := keys.OpenMaster(masterPath(r.cfg))
	if err != nil {
		return err
	}
	r.keys.master = master
	if created {
		r.note(fmt.Sprintf("content keys are kept in %s, wrapped with %s: back up both, without them nothing encrypted can be played or adopted", ledgerPath(r.cfg), masterPath(r.cfg)))
	}
	return nil
}

func (r *running) sweepReplaced(ctx context.Context) error {
	old, err := r.ledger.Replaced(ctx, time.Now().Add(-keptRevision))
	if err != nil {
		return err
	}
	for _, o := range old {
		if err := finish.SweepRevision(ctx, r.store, o.Video, o.Revision); err != nil {
			r.note("the replaced revision " + o.Revision + " of " + o.Video + " was not swept: " + err.Error())
			continue
		}
		if err := r.ledger.Swept(ctx, o.Video, o.Revision); err != nil {
			return err
		}
	}
	return nil
}

// all is the run without interruption.
func (r *running) all(ctx context.Context) error {
	open, err := r.takeUp(ctx)
	if err != nil {
		return err
	}
	if err := r.takeIn(ctx, r.lines, nil, r.take); err != nil {
		return err
	}
	r.show.Show(progress.Event{Type: progress.Counted})
	if len(r.lines) == 0 && open == 0 {
		r.notes = append(r.notes, "nothing was unfinished; spool run SOURCE publishes something")
	}
	if r.otherwise > 0 {
		r.notes = append(r.notes, otherSettings(r.otherwise))
	}
	if r.unasked > 0 {
		r.notes = append(r.notes, "not asked whether it changed: "+progress.Number(r.unasked, "video")+
			" from pages (--refresh asks links to files; spool rm ID lets a page's video be made anew)")
	}
	if r.engine == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	return r.engine.wait(ctx)
}

// takeUp goes on with what earlier runs left unfinished, and says how many
// videos that is.
func (r *running) takeUp(ctx context.Context) (int, error) {
	open, err := r.unfinished(ctx)
	if err != nil || len(open) == 0 {
		return 0, errors.Join(err, r.endEarly(ctx))
	}
	for _, v := range open {
		r.expect(v, 0)
	}
	return len(open), r.need(ctx)
}

// endEarly ends the early lists of videos that had ended themselves when the
// last process was killed: with nothing to do no engine starts, which would.
func (r *running) endEarly(ctx context.Context) error {
	if !r.after {
		return nil
	}
	w := newWatchable(r.house, r.tell)
	if err := w.resume(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel() // what it was told of is done all the same
	w.keeper.Run(ctx)
	return nil
}

// otherSettings says how many ready videos --remake would make anew.
func otherSettings(n int) string {
	if n == 1 {
		return "1 ready video was made with other settings; --remake makes a new revision"
	}
	return fmt.Sprintf("%d ready videos were made with other settings; --remake makes new revisions", n)
}

func (r *running) unfinished(ctx context.Context) ([]spool.Video, error) {
	return r.ledger.List(ctx, ledger.Filter{Statuses: []spool.Status{spool.Waiting, spool.Working, spool.Paused}})
}

// need starts the engine when the first video wants it: a run that has nothing
// to do needs no ffmpeg.
func (r *running) need(ctx context.Context) error {
	if r.engine != nil {
		return r.engine.wake()
	}
	r.board = newBoard(r.ledger, r.master, r.tell)
	e, err := r.start(ctx, r.board, r.hookup)
	if err != nil {
		return err
	}
	r.engine = e
	return nil
}

// tell shows what has happened. Who watches for ever wants to know of a video
// that is ready when it is.
func (r *running) tell(e progress.Event) {
	r.show.Show(e)
	if r.overheard != nil {
		r.overheard(e)
	}
	if e.Type == progress.Ready && r.endless && (r.cfg.Progress == "json" || r.cfg.Progress == "none" || !terminal(r.out)) {
		fmt.Fprintf(r.out, "%s\t%s\n", e.Video, e.Path)
	}
}
