package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/early"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/progress"
	"github.com/spool-video/spool/internal/stage/finish"
)

// keptEarly is how long the early lists of a video stay when it is ready:
// viewers who opened them play to the end.
const keptEarly = 24 * time.Hour

// forgotten is when early lists were swept for sure: runs that came later need
// not look for them.
const forgotten = 30 * 24 * time.Hour

// worthTelling is the least wait for a list that a person is told of.
const worthTelling = 20 * time.Second

// watchable tells the keeper of early lists what the scheduler hears.
type watchable struct {
	*house
	keeper *early.Keeper
}

// newWatchable keeps early lists for a run; emit shows what a person should
// know of them.
func newWatchable(h *house, emit func(progress.Event)) *watchable {
	k := &early.Keeper{Store: h.store, Mode: early.Mode(h.cfg.Early)}
	k.Say = func(video string, n early.Note) {
		if n.In > 0 && n.In < worthTelling {
			return // it comes before it is read
		}
		e := progress.Event{Type: progress.Noted, Video: video, Text: n.Text, Path: n.URL}
		if n.URL != "" {
			e.Type = progress.Watchable
		}
		emit(e)
	}
	k.Export = func(video string, key spool.ContentKey) error {
		if h.cfg.Keys == "" {
			return nil
		}
		return keys.Export(h.cfg.Keys, video, key.ID, key.Bytes)
	}
	return &watchable{house: h, keeper: k}
}

// resume tells the keeper what earlier runs have made, and sweeps the lists of
// videos that have long been ready.
func (w *watchable) resume(ctx context.Context) error {
	all, err := w.ledger.List(ctx, ledger.Filter{})
	if err != nil {
		return fmt.Errorf("list videos: %w", err)
	}
	for _, v := range all {
		age := time.Since(v.Changed)
		switch {
		case !v.Status.Ended():
			err = w.again(ctx, v)
		case age < keptEarly:
			w.keeper.Changed(v)
		case age < forgotten:
			err = finish.SweepEarly(ctx, w.store, v.ID, time.Now().Add(-keptEarly))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// again tells of an unfinished video.
func (w *watchable) again(ctx context.Context, v spool.Video) error {
	results, err := w.ledger.Results(ctx, v.ID, v.Revision)
	if err != nil {
		return fmt.Errorf("load results of %s: %w", v.ID, err)
	}
	var plan *spool.Plan
	var had []spool.Made
	for _, r := range results {
		switch {
		case r.Result == nil:
		case r.Result.Plan != nil:
			plan = r.Result.Plan
		case r.Result.Made != nil:
			had = append(had, *r.Result.Made)
		}
	}
	if plan == nil {
		return nil
	}
	return w.planned(ctx, v, plan, had...)
}

func (w *watchable) planned(ctx context.Context, v spool.Video, p *spool.Plan, had ...spool.Made) error {
	var key *spool.ContentKey
	if v.Settings.Encrypt {
		var err error
		if key, err = w.house.keys.Content(ctx, v); err != nil {
			return err
		}
	}
	w.keeper.Planned(v, p, key, had...)
	return nil
}

// reported passes on a report that counted. What goes wrong here costs an
// early list, not the video.
func (w *watchable) reported(r spool.Report) {
	if r.Result == nil {
		return
	}
	if r.Result.Made != nil {
		w.keeper.Made(r.Video, r.Revision, *r.Result.Made)
	}
	if r.Result.Plan == nil {
		return
	}
	ctx := context.Background()
	rec, err := w.ledger.Get(ctx, r.Video)
	if err == nil && rec.Video.Revision == r.Revision {
		err = w.planned(ctx, rec.Video, r.Result.Plan)
	}
	if err != nil {
		w.log.Warn("no early list", "video", r.Video, "error", err)
	}
}
