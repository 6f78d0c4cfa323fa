package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/download"
	"github.com/spool-video/spool/internal/ranges"
	"github.com/spool-video/spool/internal/stage/fetch"
	"github.com/spool-video/spool/internal/staging"
	"github.com/spool-video/spool/internal/store/folder"
	"github.com/spool-video/spool/internal/store/remote"
)

// elsewhere finds the sources that any worker can read.
type elsewhere struct {
	links, stores *download.Client
	sources       *remote.Sources
	remotes       func() (remote.Remotes, error)

	mu     sync.Mutex
	staged map[string]opened // the places that were read from; guarded by mu
}

// elsewhere is that of this worker. Of one host so many ranges come at a time
// as its encoders may want.
func (h *house) elsewhere() *elsewhere {
	const atOnce = 64
	return &elsewhere{
		links:   &download.Client{Guard: policy(h.cfg), PerHost: atOnce, Stall: h.hasty},
		stores:  &download.Client{Guard: policy(h.cfg), PerHost: atOnce, Stall: h.hasty, Transport: h.stores},
		sources: h.stores, remotes: remotes(h.cfg),
	}
}

// origin says where the bytes of a source come from.
func (e *elsewhere) origin(f *spool.Fetched) (ranges.Origin, error) {
	switch at := f.Remote; {
	case at.Staged != "":
		place, below := staging.Split(at.Staged)
		s, err := e.open(place)
		return staging.Origin{Store: s, Folder: below, Size: f.Size}, err
	case at.Store != "":
		file, err := spool.ParseRemotePath(at.Store)
		return download.Far{Client: e.stores, URL: fetch.StoreURL(file), Size: f.Size, Tag: f.Tag}, err
	default:
		return download.Far{Client: e.links, URL: at.URL, Size: f.Size, Tag: f.Tag}, nil
	}
}

// open opens a place where sources are staged, each once.
func (e *elsewhere) open(place string) (opened, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.staged[place]; s != nil {
		return s, nil
	}
	s, err := openPlace(context.Background(), place, remote.Options{Remotes: e.remotes, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	if e.staged == nil {
		e.staged = map[string]opened{}
	}
	e.staged[place] = s
	return s, nil
}

// Close gives the connections back.
func (e *elsewhere) Close() error {
	if e == nil {
		return nil
	}
	e.links.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for _, s := range e.staged {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// openPlace opens a folder, or a place in a store.
func openPlace(ctx context.Context, place string, o remote.Options) (opened, error) {
	if !spool.IsRemotePath(place) {
		return orNil(folder.Open(place, folder.Options{ReadOnly: o.ReadOnly}))
	}
	at, err := spool.ParseRemotePath(place)
	if err != nil {
		return nil, err
	}
	return orNil(remote.Open(ctx, at, o))
}

// area is staging, while somebody works with it.
type area struct {
	staging.Place
	store   opened
	removal sync.WaitGroup
}

// openStaging opens staging; nil when sources are not staged.
func openStaging(ctx context.Context, cfg config.Config) (*area, error) {
	at := cfg.StagingPlace()
	if at == "" {
		return nil, nil
	}
	s, err := openPlace(ctx, at, remote.Options{Remotes: remotes(cfg)})
	if err != nil {
		return nil, err
	}
	return &area{Place: staging.Place{Store: s, At: at}, store: s}, nil
}

// place is where sources are staged; nil when they are not.
func (a *area) place() *staging.Place {
	if a == nil {
		return nil
	}
	return &a.Place
}

// drop takes back what is staged of a video that has ended, beside all else.
func (a *area) drop(id string, failed func(error)) {
	if a == nil {
		return
	}
	a.removal.Go(func() {
		const long = time.Minute
		ctx, cancel := context.WithTimeout(context.Background(), long)
		defer cancel()
		if err := a.Remove(ctx, id); err != nil {
			failed(err) // the next run does it
		}
	})
}

// sweep takes back what an earlier run left of videos that have ended.
func (a *area) sweep(ctx context.Context, known []spool.Video) error {
	if a == nil {
		return nil
	}
	staged, err := a.Videos(ctx)
	if err != nil {
		return err
	}
	for _, v := range known {
		if staged[v.ID] && v.Status.Ended() && !goesOn(v) {
			if err := a.Remove(ctx, v.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close waits for what is being removed.
func (a *area) Close() error {
	if a == nil {
		return nil
	}
	a.removal.Wait()
	return a.store.Close()
}
