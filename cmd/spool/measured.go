package main

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/disk"
	"github.com/spool-video/spool/internal/metrics"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/worker"
)

// countedStage is a stage whose jobs are counted.
type countedStage struct {
	worker.Stage
	kind spool.Kind
	to   *metrics.Metrics
}

// Run runs a job, and counts how it ended and what it made.
func (c countedStage) Run(ctx context.Context, job spool.Job, progress func(spool.Progress)) (spool.Result, error) {
	ended := c.to.Began(c.kind)
	result, err := c.Stage.Run(ctx, job, progress)
	switch {
	case err == nil:
		ended(spool.Done, "")
		c.to.Made(job, result)
	case ctx.Err() != nil:
		ended(spool.Returned, "")
	default:
		ended(spool.Broke, spool.AsError(err).Class)
	}
	return result, err
}

// toldOf has a log told of every job of a worker, whose scheduler is elsewhere.
func toldOf(stages map[spool.Kind]worker.Stage, log *slog.Logger) map[spool.Kind]worker.Stage {
	all := map[spool.Kind]worker.Stage{}
	for kind, stage := range stages {
		all[kind] = logged{stage, log}
	}
	return all
}

// logged is a stage whose jobs are told to a log.
type logged struct {
	worker.Stage
	log *slog.Logger
}

// Run runs a job, and tells how it ended.
func (l logged) Run(ctx context.Context, job spool.Job, progress func(spool.Progress)) (spool.Result, error) {
	began := time.Now()
	attrs := []any{"video", job.Video, "stage", string(job.Kind), "chunk", job.Number, "attempt", job.Epoch}
	l.log.DebugContext(ctx, "job.started", attrs...)
	result, err := l.Stage.Run(ctx, job, progress)
	attrs = append(attrs, "took", time.Since(began))
	switch e := spool.AsError(err); {
	case err == nil:
		l.log.InfoContext(ctx, "job.done", attrs...)
	case ctx.Err() != nil:
		l.log.InfoContext(ctx, "job.returned", attrs...)
	default:
		l.log.WarnContext(ctx, "job.failed", append(attrs, "class", string(e.Class), "code", e.Code, "reason", e.Reason)...)
	}
	return result, err
}

// count has the stages of a worker counted, and how many jobs it would take.
func (h *house) count(c *worker.Config) {
	if h.metrics == nil {
		return
	}
	for kind, stage := range c.Stages {
		c.Stages[kind] = countedStage{stage, kind, h.metrics}
	}
	room := c.Room
	c.Room = func(kind spool.Kind, running []spool.Progress) int {
		n := room(kind, running)
		h.metrics.Free(kind, n)
		return n
	}
}

// measured is a store whose requests are counted.
type measured struct {
	opened
	name string
	to   *metrics.Metrics
}

// storeTimed counts the requests to a destination.
func storeTimed(s store.Store, to *metrics.Metrics) store.Store {
	if o, ok := s.(opened); ok && to != nil {
		return measured{o, "destination", to}
	}
	return s
}

// Put counts the object, too.
func (m measured) Put(ctx context.Context, name string, body io.ReadSeeker, o store.PutOptions) error {
	size, err := body.Seek(0, io.SeekEnd) // it is read from its start in any case
	if err != nil {
		return err
	}
	defer m.took("put", time.Now())
	err = m.opened.Put(ctx, name, body, o)
	m.to.Put(m.name, size, err)
	return err
}

// Open counts how long it takes until there is something to read.
func (m measured) Open(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	defer m.took("open", time.Now())
	return m.opened.Open(ctx, name, offset, length)
}

// Stat is counted.
func (m measured) Stat(ctx context.Context, name string) (store.Info, error) {
	defer m.took("stat", time.Now())
	return m.opened.Stat(ctx, name)
}

// Delete is counted.
func (m measured) Delete(ctx context.Context, name string) error {
	defer m.took("delete", time.Now())
	return m.opened.Delete(ctx, name)
}

func (m measured) took(op string, began time.Time) { m.to.Asked(m.name, op, time.Since(began)) }

// stands is how things stand, for who scrapes. What cannot be asked now is left
// out.
func (h *house) stands(ctx context.Context, d *desk) metrics.Standing {
	s := metrics.Standing{ScratchFree: -1, ScratchUsed: -1}
	if h.scratch != nil {
		s.ScratchUsed = h.scratch.Used()
	}
	if free, err := disk.Free(h.cfg.Work); err == nil {
		s.ScratchFree = free
	}
	if d == nil {
		return s
	}
	if counts, err := h.ledger.Count(ctx); err == nil {
		s.Videos, s.Jobs, s.Notices = counts.Videos, counts.Jobs, map[string]int{"waiting": counts.Notices, "given-up": counts.GivenUp}
	}
	if all, err := d.Workers(ctx); err == nil {
		s.Workers = map[string]int{"working": 0, "idle": 0, "draining": 0, "lost": 0, "refused": 0}
		for _, w := range all.Workers {
			s.Workers[w.State]++
		}
	}
	return s
}
