package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/queue"
)

// sendDeadline is how long the queue may take to have a message, before it is
// taken for away.
const sendDeadline = 10 * time.Second

func (w *Worker) send(ctx context.Context, topic string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", topic, err)
	}
	ctx, cancel := context.WithTimeout(ctx, sendDeadline)
	defer cancel()
	return w.cfg.Queue.Send(ctx, topic, body)
}

// beats says how the worker is, again and again. Without a queue it goes on
// trying; when that has lasted too long, the jobs are somebody else's.
func (w *Worker) beats(ctx context.Context) error {
	tick := time.NewTicker(w.cfg.Every)
	defer tick.Stop()
	for {
		b := w.beat()
		err := w.send(ctx, queue.BeatTopic, b)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			w.link.heard()
			if w.drained() {
				return errDrained
			}
		case w.link.lost(err) > w.cfg.Alone:
			w.abandon()
		}
		if err != nil {
			if err := rest(ctx); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-w.changed:
		}
	}
}

// abandon stops all jobs.
func (w *Worker) abandon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.running {
		r.cancel(errAlone)
	}
}

// drained: the worker was told to drain, and all of its jobs have ended and
// are in the ledger.
func (w *Worker) drained() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.told && len(w.running) == 0 && w.outbox.empty()
}

// beat is what is running now and what there is room for.
func (w *Worker) beat() spool.Beat {
	b := spool.Beat{
		Worker: w.cfg.Name, Session: w.session, Protocol: spool.Protocol, Version: w.cfg.Version, Class: w.cfg.Class,
		Reach: w.cfg.Reach, Free: map[spool.Kind]int{},
	}
	if w.cfg.Holds != nil {
		b.Holds = append([]string{}, w.cfg.Holds()...) // not nil: it does say
	}
	if w.cfg.Disk != nil {
		b.Disk = w.cfg.Disk()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.serial++
	b.Serial, b.Draining = w.serial, w.draining
	running := map[spool.Kind][]spool.Progress{}
	for key, r := range w.running {
		r.shown = r.progress
		b.Running = append(b.Running, spool.Running{JobKey: key, Epoch: r.job.Epoch, Progress: r.progress, Over: r.over})
		if !r.over {
			running[key.Kind] = append(running[key.Kind], r.progress)
		}
	}
	if w.draining {
		return b
	}
	for kind := range w.cfg.Stages {
		b.Free[kind] = max(w.cfg.Room(kind, running[kind]), 0)
	}
	return b
}

// progress keeps how far a job is. A change of phase frees a slot, and bytes
// that a part waits for can be used, so both are said at once; the rest waits
// for the next beat. What else can be used already is reported.
func (w *Worker) progress(r *run, p spool.Progress) {
	if p.Result != nil {
		w.outbox.add(spool.Report{JobKey: r.job.JobKey, Epoch: r.job.Epoch, Outcome: spool.Arrived, Result: p.Result})
		p.Result = nil
	}
	if p.Phase == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	was := r.progress
	r.progress, r.came = p, max(r.came, p.Done)
	came := !slices.Equal(was.Have, p.Have) || !slices.Equal(was.HaveSound, p.HaveSound)
	if was.Phase != p.Phase || came && r.brings() {
		w.touch()
	}
}

// need takes what of a source is still to be read.
func (w *Worker) need(n spool.Needs) {
	w.mu.Lock()
	if r := w.running[n.JobKey]; r != nil && n.Done >= r.needs.Done {
		r.needs = n
		if r.brings() {
			w.touch()
		}
	}
	w.mu.Unlock()
	if w.cfg.Needs != nil {
		w.cfg.Needs(n)
	}
}

// brings reports whether there are bytes for a part that the last beat has not
// told of: somebody may wait for them.
func (r *run) brings() bool {
	news := func(parts []spool.Span, have, shown spool.Spans) bool {
		return slices.ContainsFunc(parts, func(s spool.Span) bool { return have.Has(s) && !shown.Has(s) })
	}
	return news(r.needs.Source, r.progress.Have, r.shown.Have) || news(r.needs.Sound, r.progress.HaveSound, r.shown.HaveSound)
}

// touch asks for a beat soon.
func (w *Worker) touch() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}
