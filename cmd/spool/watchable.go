package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
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

// forgotten is when runs do not look for early lists any more: they need not ask
// the destination about every video that was ever published.
const forgotten = 30 * 24 * time.Hour

// worthTelling is the least wait for a list that a person is told of.
const worthTelling = 20 * time.Second

// watchable tells the keeper of early lists what the scheduler hears.
type watchable struct {
	*house
	keeper *early.Keeper

	mu    sync.Mutex
	shown map[string]spool.Video // unfinished videos that the keeper was told of; guarded by mu
	fresh []spool.Video          // those of them that were not looked at since; guarded by mu
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
	return &watchable{house: h, keeper: k, shown: map[string]spool.Video{}}
}

// run keeps the lists until ctx ends.
func (w *watchable) run(ctx context.Context) {
	var g sync.WaitGroup
	g.Go(func() { w.keeper.Run(ctx) })
	g.Go(func() { w.sweep(ctx) })
	g.Go(func() { w.lookAround(ctx) })
	g.Wait()
}

// lookEvery is how soon the lists of a video end that somebody has removed.
const lookEvery = 500 * time.Millisecond

// lookAround notices what other processes do: a video may be cancelled or
// removed while no job of it is out, and then the scheduler has nothing to say
// of it.
func (w *watchable) lookAround(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	seen := int64(-1) // what happened before is looked at once
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now, err := w.ledger.Changes(ctx)
		for _, v := range w.toLookAt(err != nil || now != seen) {
			rec, err := w.ledger.Get(ctx, v.ID)
			switch {
			case errors.Is(err, ledger.ErrNotFound):
				v.Status = spool.Cancelled
				w.changed(v)
			case err == nil && rec.Video.Status == spool.Cancelled:
				w.changed(rec.Video)
			}
		}
		if err == nil {
			seen = now
		}
	}
}

// toLookAt are the videos that another process may have taken back: all that
// are shown when any has written, else only those that came since.
func (w *watchable) toLookAt(all bool) []spool.Video {
	w.mu.Lock()
	defer w.mu.Unlock()
	look := w.fresh
	if w.fresh = nil; all {
		look = slices.Collect(maps.Values(w.shown))
	}
	return look
}

// changed passes on what became of a video.
func (w *watchable) changed(v spool.Video) {
	if v.Status.Ended() {
		w.mu.Lock()
		delete(w.shown, v.ID)
		w.mu.Unlock()
		w.freed(v)
	}
	w.keeper.Changed(v)
}

// resume tells the keeper what earlier runs have made.
func (w *watchable) resume(ctx context.Context) error {
	all, err := w.ledger.List(ctx, ledger.Filter{})
	if err != nil {
		return fmt.Errorf("list videos: %w", err)
	}
	for _, v := range all {
		age := time.Since(v.Changed)
		switch {
		case !v.Status.Ended() && len(v.Sizes) > 0: // else it was not planned yet
			err = w.again(ctx, v)
		case v.Status.Ended() && age < keptEarly:
			w.keeper.Changed(v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sweep removes the lists of videos that have long been ready. One that cannot
// be swept is tried again by the next run.
func (w *watchable) sweep(ctx context.Context) {
	all, err := w.ledger.List(ctx, ledger.Filter{Statuses: []spool.Status{spool.Ready}})
	if err != nil {
		w.log.Warn("early.not-swept", "error", err)
	}
	for _, v := range all {
		if age := time.Since(v.Changed); age < keptEarly || age > forgotten || ctx.Err() != nil {
			continue
		}
		if err := finish.SweepEarly(ctx, w.store, v.ID, time.Now().Add(-keptEarly)); err != nil {
			w.log.Warn("early.not-swept", "video", v.ID, "error", err)
		}
	}
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
	var keys spool.ContentKeys
	if v.Settings.Encrypt {
		var err error
		if keys, err = w.house.keys.Content(ctx, v, 0, p.Grid.Segments()); err != nil {
			return err
		}
	}
	w.mu.Lock()
	w.shown[v.ID], w.fresh = v, append(w.fresh, v)
	w.mu.Unlock()
	w.keeper.Planned(v, p, keys, had...)
	return nil
}

// beat passes on how far encoders are.
func (w *watchable) beat(b spool.Beat) {
	type revision struct{ video, revision string }
	read := map[revision]map[int]int{} // frames, by chunk
	for _, r := range b.Running {
		if r.Kind != spool.Encode || r.Progress.Phase != spool.Encoding || r.Over {
			continue
		}
		of := revision{r.Video, r.Revision}
		if read[of] == nil {
			read[of] = map[int]int{}
		}
		read[of][r.Number] = int(r.Progress.Done)
	}
	for of, frames := range read {
		w.keeper.Encoding(of.video, of.revision, b.Worker, frames)
	}
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
		w.log.Warn("early.none", "video", r.Video, "error", err)
	}
}
