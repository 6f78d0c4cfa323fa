package schedule

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// Sources are fetched and planned ahead of the encoders, so that those never
// wait, and no further: with 100,000 videos before it, a fast network would fill
// every disk and the staging store, and the plans would be old when their turn
// comes. This is the bounded queue between download and encode. What is on its
// way has slots of its own, and is not counted.

// How much lies ready before nothing more is fetched: as many videos, and for
// each encoder as many chunks.
const (
	aheadVideos = 4
	aheadChunks = 2
)

// encoders is how many chunks a worker encodes at a time, as far as its beat
// tells.
func (m *member) encoders() int {
	n := max(m.beat.Free[spool.Encode], 0)
	for _, r := range m.beat.Running {
		if r.Kind == spool.Encode && !r.Over {
			n++
		}
	}
	return n
}

// heap is what lies ready somewhere.
type heap struct{ videos, chunks int }

func (h heap) with(o heap) heap { return heap{h.videos + o.videos, h.chunks + o.chunks} }

// lasts reports whether it keeps so many encoders at work for a while.
func (h heap) lasts(encoders int) bool {
	return h.videos >= aheadVideos && h.chunks >= aheadChunks*encoders
}

// heaps are what lies ready of videos of a priority and higher ones, by place.
func heaps(stock []ledger.Stocked, priority int) map[spool.Place]heap {
	at := map[spool.Place]heap{}
	for _, v := range stock {
		if v.Priority >= priority {
			at[v.Place] = at[v.Place].with(heap{1, max(v.Chunks, 1)})
		}
	}
	return at
}

// hungry are the seats that may fetch more: neither has their worker enough on
// its disk, nor have it and those who could encode the same enough elsewhere.
// So what waits for somebody who is not here, or has all hands full, holds up
// nobody else. A video goes past those of a lower priority.
func (s *Scheduler) hungry(ctx context.Context, seats []*seat, ready []spool.JobRecord, now time.Time) ([]*seat, error) {
	next := slices.IndexFunc(ready, func(j spool.JobRecord) bool { return j.Epoch == 0 })
	if next < 0 {
		return nil, nil // what was begun goes on
	}
	var here []*member
	limit := 0
	for _, m := range s.inOrder() {
		if s.attends(m, now) && s.reaches(m, spool.Encode) {
			here = append(here, m)
			limit += max(aheadVideos, aheadChunks*m.encoders())
		}
	}
	stock, err := s.Ledger.Stock(ctx, 2*limit)
	if err != nil {
		return nil, fmt.Errorf("look what is to be encoded: %w", err)
	}
	if len(stock) < aheadVideos {
		return seats, nil
	}
	rec, err := s.Ledger.Get(ctx, ready[next].Video)
	if isNotFound(err) { // it was removed just now
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", ready[next].Video, err)
	}
	at := heaps(stock, rec.Video.Priority)
	return slices.DeleteFunc(slices.Clone(seats), func(to *seat) bool { return s.supplied(to.member, at, here) }), nil
}

// supplied reports whether a worker has enough to encode.
func (s *Scheduler) supplied(m *member, at map[spool.Place]heap, here []*member) bool {
	var own, shared heap
	var common []spool.Place
	for p, h := range at {
		switch {
		case p.Worker == m.name:
			own = own.with(h)
		case !s.Fleet || m.fits(spool.Encode, p):
			shared, common = shared.with(h), append(common, p)
		}
	}
	encoders := 0
	for _, o := range here {
		if slices.ContainsFunc(common, func(p spool.Place) bool { return !s.Fleet || o.fits(spool.Encode, p) }) {
			encoders += o.encoders()
		}
	}
	return own.lasts(m.encoders()) || shared.lasts(encoders)
}
