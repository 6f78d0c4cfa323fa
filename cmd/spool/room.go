package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/download"
	"github.com/spool-video/spool/internal/guard"
	"github.com/spool-video/spool/internal/progress"
	"github.com/spool-video/spool/internal/scratch"
	"github.com/spool-video/spool/internal/worker"
)

// downloader is the client that fetches sources into scratch. It refuses what
// alone is more than scratch may hold: at once when the server tells the
// length, else when that much has come. Where scratch has a share of the disk,
// that is no limit of its own: a full disk is waited for.
func (h *house) downloader() *download.Client {
	return &download.Client{Guard: policy(h.cfg), PerHost: h.cfg.PerHost, MaxBytes: h.sourceLimit(), Stall: h.hasty, Backoff: h.hasty / 5}
}

// policy says which addresses sources may be fetched from.
func policy(cfg config.Config) guard.Policy {
	return guard.Policy{Private: cfg.AllowPrivate, Allowed: cfg.AllowCIDR}
}

// storeReader is the client that fetches sources out of stores.
func (h *house) storeReader() *download.Client {
	client := h.downloader()
	client.Transport = h.stores
	return client
}

// sourceLimit is how many bytes a source may have, 0 when that is not limited:
// what is kept with --download-dir does not lie in scratch.
func (h *house) sourceLimit() int64 {
	if h.cfg.DownloadDir != "" {
		return 0
	}
	return h.cfg.ScratchLimit.Bytes
}

// enough is a limit within which a source can be worked on: as it is written
// in settings.
func enough(source int64) string {
	return rounded(source + source/10) // what is encoded of it lies there, too, until it is published
}

// rounded is a limit of so many bytes at least.
func rounded(need int64) string {
	const mega, giga = 1_000_000, 1_000_000_000
	if need < 10*giga {
		return fmt.Sprintf("%dMB", need/mega+1)
	}
	return fmt.Sprintf("%dGB", need/giga+1)
}

// bounded is a fetch stage that says which limit a source needs that is
// larger than scratch may be.
type bounded struct {
	worker.Stage
	limit int64 // what scratch may hold, in bytes
	ask   func(ctx context.Context, url string) (size int64, tag string, err error)
}

// Run fetches a source.
func (b bounded) Run(ctx context.Context, job spool.Job, tell func(spool.Progress)) (spool.Result, error) {
	result, err := b.Stage.Run(ctx, job, tell)
	var e *spool.Error
	if !errors.As(err, &e) || e.Code != "too-large" {
		return result, err
	}
	var small *scratch.TooSmall
	if !errors.As(err, &small) {
		small = &scratch.TooSmall{}
		if n, _, err := b.ask(ctx, job.Source); err == nil && n > b.limit {
			small.Size = n
		}
	}
	reason, hint := b.refusal(small)
	return result, &spool.Error{Class: spool.Permanent, Code: "scratch-limit", Err: err, Reason: reason, Hint: hint}
}

// refusal says what is too small, and which limit would do: that in which the
// source can be worked on bit by bit, or that in which it fits as a whole.
func (b bounded) refusal(small *scratch.TooSmall) (reason, hint string) {
	reason, limit := "the source has more than that", "SIZE"
	switch {
	case small.Need > 0 && small.Need < small.Size+small.Size/10:
		reason = "this source needs " + progress.Bytes(small.Need) + " at once, by the way that its pictures and sound lie in it"
		limit = rounded(small.Need)
	case small.Size > 0:
		reason, limit = "the source has "+progress.Bytes(small.Size), enough(small.Size)
	}
	return "scratch may hold " + progress.Bytes(b.limit) + ", and " + reason,
		"give --scratch-limit " + limit + "; --work DIR names a disk with more room"
}
