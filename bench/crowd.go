package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// many is a fleet whose chunks are shorter than real ones, so that there is
// more to hand out.
var many = hiring{workers: 100, slots: 1, chunks: 40, takes: 5 * time.Second}

// rounds is how many chunks each worker of a crowd does, on average.
const rounds = 10

// crowd is how busy the slots of many workers are while there is something to
// do.
func (b *bench) crowd(ctx context.Context) ([]figure, error) {
	s, err := b.openService(ctx, serving{engine: "redis"})
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // it was only started for this
	videos := many.workers * rounds / many.chunks
	if err := s.add(ctx, "crowd", videos, 0); err != nil {
		return nil, err
	}
	workers, err := b.hire(ctx, s, many)
	if err != nil {
		return nil, err
	}
	err = s.ended(ctx, "crowd", videos)
	did, gone := workers.dismiss()
	if err = errors.Join(err, gone); err != nil {
		return nil, err
	}
	if want := many.workers * rounds; len(did.Chunks) != want {
		return nil, fmt.Errorf("%d chunks were done, of %d", len(did.Chunks), want)
	}
	busy := did.busy(many)
	b.note("%d workers did %d chunks of %v, and had something to do %.1f %% of the time", many.workers, len(did.Chunks), many.takes, 100*busy)
	return []figure{{fmt.Sprintf("%d workers: slots idle", many.workers), 100 * (1 - busy), 5, "%"}}, nil
}

// busy is which part of the time of all slots was spent on chunks: from when
// the first ones have ended to when the last one begins, since after that there
// is nothing more to do.
func (d done) busy(h hiring) float64 {
	from, to := d.Chunks[0].From, d.Chunks[0].From
	for _, c := range d.Chunks {
		from, to = min(from, c.From), max(to, c.From)
	}
	from += h.takes.Nanoseconds() / 2
	var spent int64
	for _, c := range d.Chunks {
		spent += max(min(c.To, to)-max(c.From, from), 0)
	}
	return float64(spent) / float64(int64(h.workers*h.slots)*(to-from))
}

// death is how long after the death of a worker, by kill -9, its chunk runs
// elsewhere.
func (b *bench) death(ctx context.Context) ([]figure, error) {
	var worst time.Duration
	for engine := range strings.SplitSeq(b.engines, ",") {
		took, err := b.deathOver(ctx, engine)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", engine, err)
		}
		b.note("over %s, the chunk of a worker that died ran elsewhere after %.1f s", engine, took.Seconds())
		worst = max(worst, took)
	}
	return []figure{{"worker's death to its chunk running elsewhere", worst.Seconds(), 20, "s"}}, nil
}

func (b *bench) deathOver(ctx context.Context, engine string) (time.Duration, error) {
	s, err := b.openService(ctx, serving{engine: engine})
	if err != nil {
		return 0, err
	}
	defer s.Close() //nolint:errcheck // it was only started for this
	if err := s.add(ctx, "film", 1, 0); err != nil {
		return 0, err
	}
	h := hiring{name: "mortal", workers: 1, slots: 1, chunks: 4, takes: time.Hour}
	mortal, err := b.hire(ctx, s, h)
	if err != nil {
		return 0, err
	}
	runs := func(count int) func() (bool, error) {
		return func() (bool, error) {
			v, err := s.video(ctx, "film-0")
			return len(v.running()) == count, err
		}
	}
	err = b.await(ctx, runs(1))
	if err != nil {
		mortal.kill()
		return 0, err
	}
	h.name, h.workers, h.slots = "heir", 3, 2
	heirs, err := b.hire(ctx, s, h)
	if err != nil {
		mortal.kill()
		return 0, err
	}
	defer heirs.kill()
	err = b.await(ctx, runs(h.chunks))
	mortal.kill()
	began := time.Now()
	if err == nil {
		err = b.await(ctx, func() (bool, error) {
			v, err := s.video(ctx, "film-0")
			for _, worker := range v.running() {
				if worker == "mortal-0" {
					return false, err
				}
			}
			return len(v.running()) == h.chunks, err
		})
	}
	return time.Since(began), err
}
