package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// What one video of empty jobs is: a fetch, a plan, its chunks and a finish.
const (
	emptyChunks = 8
	emptyJobs   = emptyChunks + 3
)

// full is a load that leaves no slot idle: more is ready than workers take.
var full = hiring{workers: 4, slots: 16, chunks: emptyChunks}

// emptyJobs is the rate of empty jobs through spool serve, its ledger and an engine,
// to workers and back; what of it syncs the ledger; and asynq on the same Redis.
func (b *bench) emptyJobs(ctx context.Context) (figures []figure, err error) {
	for engine := range strings.SplitSeq(b.engines, ",") {
		rate, err := b.rate(ctx, engine)
		if err != nil {
			return figures, fmt.Errorf("%s: %w", engine, err)
		}
		figures = append(figures, figure{"empty job, through ledger and " + engine + " and back", 1000 / rate, 2, "ms"})
	}
	more, err := b.ledgerSyncs(ctx)
	return append(figures, more...), err
}

// rate is how many empty jobs a second go through an engine and back.
func (b *bench) rate(ctx context.Context, engine string) (float64, error) {
	s, err := b.openService(ctx, serving{engine: engine})
	if err != nil {
		return 0, err
	}
	defer s.Close() //nolint:errcheck // it was only started for this
	rate, err := b.through(ctx, s, "empty", 0)
	if err != nil {
		return 0, err
	}
	b.note("%d empty jobs of %d videos through ledger and %s and back: %.0f/s", b.empty*emptyJobs, b.empty, engine, rate)
	if engine != "redis" {
		return rate, nil
	}
	return rate, b.asynq(ctx, s.address)
}

// through hands videos in, begins with workers then, and gives how many jobs a
// second those do until the videos are ready. They fetch and plan others, too,
// where there are any.
func (b *bench) through(ctx context.Context, s *service, name string, priority int) (float64, error) {
	if err := s.add(ctx, name, b.empty, priority); err != nil {
		return 0, err
	}
	began := time.Now()
	workers, err := b.hire(ctx, s, full)
	if err != nil {
		return 0, err
	}
	err = s.ended(ctx, name, b.empty)
	took := time.Since(began)
	did, gone := workers.dismiss()
	if err == nil && did.Jobs < b.empty*emptyJobs && gone == nil {
		err = fmt.Errorf("%d jobs were done, of %d", did.Jobs, b.empty*emptyJobs)
	}
	return float64(did.Jobs) / took.Seconds(), errors.Join(err, gone)
}

// asynq puts as many empty tasks through asynq, on the same Redis.
func (b *bench) asynq(ctx context.Context, address string) error {
	path := filepath.Join(b.dir, "asynq")
	if err := b.build(ctx, "tools/asynq", path); err != nil {
		return err
	}
	tasks := b.empty * emptyJobs
	out, err := exec.CommandContext(ctx, path, "-redis", address, "-tasks", fmt.Sprint(tasks), "-slots", fmt.Sprint(full.workers*full.slots)).Output()
	if err != nil {
		return fmt.Errorf("asynq: %w", err)
	}
	var took struct{ Sent, Done float64 }
	if err := json.Unmarshal(out, &took); err != nil {
		return fmt.Errorf("asynq: %w", err)
	}
	b.note("%d empty tasks through asynq on the same Redis: sent in %.1f s, then done in %.1f s: %.0f/s there and back, %.0f/s of those that wait; asynq has no ledger",
		tasks, took.Sent, took.Done, float64(tasks)/(took.Sent+took.Done), float64(tasks)/took.Done)
	return nil
}

// idleBeats is how long beats are watched that bring nothing new: two or three
// of each worker.
const idleBeats = 12 * time.Second

// ledgerSyncs counts the syncs of the ledger's files, as the kernel sees them.
func (b *bench) ledgerSyncs(ctx context.Context) ([]figure, error) {
	s, err := b.openService(ctx, serving{engine: "redis", traced: true})
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // it was only started for this
	if err := s.add(ctx, "synced", b.empty, 0); err != nil {
		return nil, err
	}
	before, err := s.syncs()
	if err != nil {
		return nil, err
	}
	workers, err := b.hire(ctx, s, full)
	if err != nil {
		return nil, err
	}
	err = s.ended(ctx, "synced", b.empty)
	if _, gone := workers.dismiss(); err == nil {
		err = gone
	}
	if err != nil {
		return nil, err
	}
	after, err := s.syncs()
	if err != nil {
		return nil, err
	}
	jobs := b.empty * emptyJobs
	b.note("%d syncs of the ledger for %d jobs", after-before, jobs)
	quiet, err := b.beatSyncs(ctx, s)
	return []figure{
		{"ledger syncs an empty job at full load", float64(after-before) / float64(jobs), 0.2, ""},
		{"ledger syncs while workers only beat", float64(quiet), 0, ""},
	}, err
}

// beatSyncs counts the syncs while all workers are at work and nothing ends.
func (b *bench) beatSyncs(ctx context.Context, s *service) (int, error) {
	long := hiring{workers: 8, slots: 1, chunks: 8, takes: time.Hour}
	if err := s.add(ctx, "long", 1, 0); err != nil {
		return 0, err
	}
	workers, err := b.hire(ctx, s, long)
	if err != nil {
		return 0, err
	}
	defer workers.kill()
	err = b.await(ctx, func() (bool, error) {
		v, err := s.video(ctx, "long-0")
		return len(v.running()) == long.chunks, err
	})
	if err != nil {
		return 0, err
	}
	before, err := s.syncs()
	if err != nil {
		return 0, err
	}
	select {
	case <-time.After(idleBeats):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	after, err := s.syncs()
	return after - before, err
}
