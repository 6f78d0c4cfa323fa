package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/download"
	"github.com/spool-video/spool/internal/progress"
	"github.com/spool-video/spool/internal/worker"
)

// downloader is the client that fetches sources into scratch. It refuses what
// alone is more than scratch may hold: at once when the server tells the
// length, else when that much has come. Where scratch has a share of the disk,
// that is no limit of its own: a full disk is waited for.
func (h *house) downloader() *download.Client {
	return &download.Client{PerHost: h.cfg.PerHost, MaxBytes: h.sourceLimit(), Stall: h.hasty, Backoff: h.hasty / 5}
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
	const mega, giga = 1_000_000, 1_000_000_000
	need := source + source/10 // what is encoded of it lies there, too, until it is published
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
	size, known := "more than that", "SIZE"
	if n, _, err := b.ask(ctx, job.Source); err == nil && n > b.limit {
		size, known = progress.Bytes(n), enough(n)
	}
	return result, &spool.Error{
		Class: spool.Permanent, Code: "scratch-limit", Err: err,
		Reason: "scratch may hold " + progress.Bytes(b.limit) + ", and the source has " + size,
		Hint:   "give --scratch-limit " + known + "; --work DIR names a disk with more room",
	}
}
