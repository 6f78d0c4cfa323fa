package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// waits is what many videos that wait cost: a page of the list, and the jobs
// that are handed out before them.
func (b *bench) waits(ctx context.Context) (figures []figure, err error) {
	s, err := b.openService(ctx, serving{engine: "redis"})
	if err != nil {
		return nil, err
	}
	defer s.Close()     //nolint:errcheck // it was only started for this
	var best [2]float64 // jobs a second
	for i := range best {
		if i == 1 {
			began := time.Now()
			if err := s.add(ctx, "waiting", b.waiting, -1); err != nil {
				return nil, err
			}
			b.note("%d videos were handed in in %.1f s", b.waiting, time.Since(began).Seconds())
		}
		for try := range b.tries {
			rate, err := b.through(ctx, s, fmt.Sprintf("before-%d-%d", i, try), 1)
			if err != nil {
				return nil, err
			}
			best[i] = max(best[i], rate)
		}
	}
	b.note("%.0f empty jobs a second with nothing waiting, %.0f with %d videos behind them", best[0], best[1], b.waiting)
	page, err := s.slowestPage(ctx)
	if err != nil {
		return nil, err
	}
	again, err := s.restart(ctx)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(filepath.Join(s.home, "state", "ledger.db"))
	if err != nil {
		return nil, err
	}
	b.note("serve starts again in %.1f s; the ledger has %.0f MB, serve then has %.0f MB of memory", again.Seconds(), float64(info.Size())/1e6, peak(s.process.Process.Pid))
	return []figure{
		{fmt.Sprintf("%d videos waiting: a page of the list", b.waiting), page.Seconds() * 1000, 100, "ms"},
		{fmt.Sprintf("%d videos waiting: an empty job's time / with none", b.waiting), best[0] / best[1], 1.1, ""},
	}, nil
}

// slowestPage is how long the slowest of some pages takes, in the median: the
// first, one in the middle, and those of a status.
func (s *service) slowestPage(ctx context.Context) (time.Duration, error) {
	middle := fmt.Sprintf("waiting-%d", s.bench.waiting/2)
	var slowest time.Duration
	for name, query := range map[string]url.Values{
		"first": {}, "middle": {"after": {middle}}, "waiting": {"status": {"waiting"}}, "waiting, middle": {"status": {"waiting"}, "after": {middle}},
		"ready": {"status": {"ready"}}, "failed": {"status": {"failed"}}, "open": {"status": {"waiting", "working", "paused"}, "after": {middle}},
	} {
		var took []time.Duration
		for range 9 {
			began := time.Now()
			if err := s.ask(ctx, http.MethodGet, "/videos?"+query.Encode(), nil, nil); err != nil {
				return 0, err
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		median := took[len(took)/2]
		s.bench.note("page %q: %.1f ms", name, median.Seconds()*1000)
		slowest = max(slowest, median)
	}
	return slowest, nil
}
