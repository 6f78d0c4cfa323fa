package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/intake"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/ladder"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/ledger/sqliteledger"
	"github.com/spool-video/spool/internal/metrics"
	"github.com/spool-video/spool/internal/page"
	"github.com/spool-video/spool/internal/publish"
	"github.com/spool-video/spool/internal/ranges"
	"github.com/spool-video/spool/internal/scratch"
	"github.com/spool-video/spool/internal/stage/audio"
	"github.com/spool-video/spool/internal/stage/encode"
	"github.com/spool-video/spool/internal/stage/fetch"
	"github.com/spool-video/spool/internal/stage/finish"
	"github.com/spool-video/spool/internal/stage/plan"
	"github.com/spool-video/spool/internal/stage/subtitles"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/remote"
	"github.com/spool-video/spool/internal/tap"
	"github.com/spool-video/spool/internal/worker"
)

// house is all that belongs to one destination.
type house struct {
	cfg      config.Config
	log      *slog.Logger
	ledger   ledger.Ledger
	store    store.Store
	keys     *keyring
	pages    *page.Tool
	stores   *remote.Sources  // sources that lie in stores
	contents *intake.Contents // what is known of files whose names say nothing
	scratch  *scratch.Scratch // only while a run holds the lock
	sources  *tap.Desk        // only while an engine runs
	sums     *sums            // as scratch
	staging  *area            // only while a run holds the lock; nil: sources are not staged
	far      *elsewhere       // as sources
	fetch    *fetch.Stage     // as sources
	metrics  *metrics.Metrics // nil: nobody counts
	fresh    bool             // the destination was deleted, and is made anew
	hasty    time.Duration    // how long downloads wait for a byte, and five times as long as they rest between tries; 0 = as usual
	close    func() error
}

// load reads the settings of a command.
func load(cmd *cobra.Command) (config.Config, error) {
	cwd, err := os.Getwd()
	if err != nil {
		return config.Config{}, fmt.Errorf("find the working folder: %w", err)
	}
	return config.Load(cmd.Flags(), os.Environ(), cwd)
}

func ledgerPath(cfg config.Config) string { return filepath.Join(cfg.State, "ledger.db") }

func masterPath(cfg config.Config) string { return filepath.Join(cfg.State, "master.key") }

// enter opens a destination for looking at it: nothing is made that is not
// there.
func enter(ctx context.Context, cfg config.Config) (*house, error) {
	if _, err := os.Stat(ledgerPath(cfg)); errors.Is(err, os.ErrNotExist) {
		return nil, usage("no-ledger", "nothing has been published to "+cfg.To+" by this user yet",
			"spool run SOURCE --to "+cfg.To+" publishes; --to chooses another destination")
	}
	s, err := toRead(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return furnish(ctx, cfg, s)
}

// build opens a destination for working on it, and makes what is missing. The
// caller holds the lock.
func build(ctx context.Context, cfg config.Config) (*house, error) {
	s, fresh, err := destination(ctx, cfg)
	if err != nil {
		return nil, err
	}
	h, err := furnish(ctx, cfg, s)
	if err == nil {
		h.fresh = fresh
	}
	return h, err
}

func furnish(ctx context.Context, cfg config.Config, s opened) (*house, error) {
	l, err := sqliteledger.Open(ctx, ledgerPath(cfg))
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	h := &house{cfg: cfg, log: slog.New(slog.DiscardHandler), ledger: l, store: s, keys: &keyring{ledger: l}}
	h.stores, h.contents = &remote.Sources{Remotes: remotes(cfg)}, &intake.Contents{}
	h.close = func() error {
		h.sums.stop()
		return errors.Join(h.staging.Close(), h.far.Close(), h.pages.Close(), l.Close(), s.Close(), h.stores.Close())
	}
	h.pages = pageTool(cfg)
	if _, err := os.Stat(masterPath(cfg)); err == nil {
		if h.keys.master, _, err = keys.OpenMaster(masterPath(cfg)); err != nil {
			return nil, errors.Join(err, h.close())
		}
	}
	return h, nil
}

// pageTool is what reads web pages, as the settings say. Close must be called.
func pageTool(cfg config.Config) *page.Tool {
	return &page.Tool{
		Guard: policy(cfg), Path: cfg.YTDLP, Cookies: cfg.Cookies, FFmpeg: cfg.FFmpeg, Nice: cfg.Nice, Tag: tag(cfg),
		Unconfined: unconfined(cfg) != "",
	}
}

// tag marks the child processes of one destination, so that those of a run
// that was killed can be told from others. It is the whole path: two state
// folders may have one name.
func tag(cfg config.Config) string { return cfg.State }

// stages makes the stages of the worker in this process, and says how many
// jobs of each kind it has room for.
func (h *house) stages(ctx context.Context, tools ffmpeg.Tools) (map[spool.Kind]worker.Stage, func(spool.Kind, []spool.Progress) int) {
	tools.Nice, tools.Tag = h.cfg.Nice, tag(h.cfg)
	h.tellConfinement(ctx, tools)
	encoders, threads := encoders(h.cfg.Encodes, runtime.NumCPU())
	cpu, uploads := flow.NewSlots(encoders), flow.NewSlots(h.cfg.Uploads)
	publisher := publish.Publisher{Store: h.store, Uploads: uploads}
	work, source := h.scratch.Revision, h.scratch.Source
	h.far = h.elsewhere()
	h.sources = &tap.Desk{Remotes: &ranges.Pool{Origin: h.far.origin}}
	client := h.downloader()
	h.pages.MaxBytes = h.sourceLimit()
	h.fetch = &fetch.Stage{
		Client: client, Stores: h.storeReader(), Pages: h.pages, Sources: h.sources, Budget: h.scratch.Budget(encoders + publishing + others),
		Slots: flow.NewSlots(h.cfg.Downloads), Work: source, DownloadDir: h.cfg.DownloadDir,
		Direct: h.cfg.Direct, Staging: h.staging.place(),
	}
	stages := map[spool.Kind]worker.Stage{
		spool.Fetch:  bounded{h.fetch, h.cfg.ScratchLimit.Bytes, client.Ask},
		spool.Draft:  &plan.Stage{Tools: tools, Ladders: ladders(h.cfg), Sources: h.sources},
		spool.Encode: &encode.Stage{Tools: tools, CPU: cpu, Publisher: publisher, Sources: h.sources, Work: work, Threads: threads},
		spool.Audio:  &audio.Stage{Tools: tools, CPU: flow.NewSlots(1), Publisher: publisher, Sources: h.sources, Work: work},
		spool.Texts:  &subtitles.Stage{Tools: tools, Publisher: publisher, Sources: h.sources, Work: work},
		spool.Finish: &finish.Stage{Store: h.store, Uploads: uploads, Tools: tools, KeysDir: h.cfg.Keys, Version: version},
	}
	for _, kind := range []spool.Kind{spool.Draft, spool.Encode, spool.Audio, spool.Texts} {
		stages[kind] = present{stages[kind], h.sources}
	}
	return stages, h.room(encoders)
}

// present is a stage that reads the source, and begins anew when somebody has
// emptied scratch, or moved a local file, since it was fetched.
type present struct {
	worker.Stage
	sources *tap.Desk
}

// Run looks for the source before, and after a failure, which is then no
// evidence against the source.
func (p present) Run(ctx context.Context, job spool.Job, progress func(spool.Progress)) (spool.Result, error) {
	began := time.Now()
	if err := p.lost(ctx, job, began); err != nil {
		return spool.Result{}, err
	}
	result, err := p.Stage.Run(ctx, job, progress)
	if ctx.Err() == nil && (err != nil || job.Fetched != nil && job.Fetched.Anywhere()) {
		if err == nil {
			began = time.Now() // what another job could not read is nothing against this one
		}
		if gone := p.lost(ctx, job, began); gone != nil {
			return spool.Result{}, gone
		}
	}
	return result, err
}

// lost says what is wrong with a source. One that lies elsewhere may have
// become another since, and nobody was told.
func (p present) lost(ctx context.Context, job spool.Job, since time.Time) error {
	if job.Fetched == nil {
		return nil
	}
	for _, f := range []*spool.Fetched{job.Fetched, job.Fetched.Hearing()} {
		if f.Remote != nil {
			if err := p.sources.Confirm(ctx, f, since); err != nil {
				return err
			}
			continue
		}
		_, err := os.Stat(f.Path)
		if errors.Is(err, os.ErrNotExist) && p.sources.Taps.Find(f.Path) == nil {
			return sourceGone(job, err)
		}
	}
	return nil
}

func sourceGone(job spool.Job, err error) error {
	if job.Fetched.Arriving {
		// The run that was downloading it has ended, and this one's fetch has not
		// begun yet, or it has just come to its end.
		return &spool.Error{
			Class: spool.NeedsWhole, Code: spool.NotArriving, Err: err,
			Reason: "nothing of the source can be read yet", Hint: "its download goes on",
		}
	}
	return &spool.Error{
		Class: spool.Replan, Code: spool.SourceGone, Err: err,
		Reason: "the source that was fetched is not there any more", Hint: "it is fetched again",
	}
}

// encoders is how many encoders run at a time, by default one a core, and how
// many threads each has: one, since more do not always write the same bytes
// again, but where somebody wants fewer encoders than there are cores
// (docs/decisions/0004-encoders-from-cores.md).
func encoders(wanted, cores int) (n, threads int) {
	n = wanted
	if n == 0 {
		n = cores
	}
	return n, max(1, (cores+n-1)/n)
}

// ladders are the ladders of the config file, in the words of package ladder.
func ladders(cfg config.Config) map[string]ladder.Spec {
	specs := map[string]ladder.Spec{}
	for name, rungs := range cfg.Ladders {
		for _, r := range rungs {
			specs[name] = append(specs[name], ladder.Step(r))
		}
	}
	return specs
}

// How many chunks may be published beside those that are encoded, and how many
// jobs of each other kind run at a time.
const publishing, others = 2, 2

// room is how many more jobs of a kind the worker here takes. There are as many
// encoders as CPU slots; a chunk that is only being published has given its
// slot back, and the next one begins meanwhile. Of those there are not more
// than a few, or scratch would fill when the destination is slow. A full
// scratch holds downloads back as long as there is something at work that may
// free it; when there is nothing, one goes on, and either there is room for it
// or it says that there is none.
func (h *house) room(encoders int) func(spool.Kind, []spool.Progress) int {
	const idle = 2 * time.Second
	busy := time.Now() // when anything was last seen running
	return func(kind spool.Kind, running []spool.Progress) int {
		if len(running) > 0 {
			busy = time.Now()
		}
		switch kind {
		case spool.Fetch:
			if h.scratch.Full() {
				return min(1, int(time.Since(busy)/idle))
			}
			// One whose bytes have come, but for whom they are kept, downloads nothing.
			return h.cfg.Downloads - len(slices.DeleteFunc(running, arrived))
		case spool.Encode:
			encoding := 0
			for _, p := range running {
				if p.Phase != spool.Publishing {
					encoding++
				}
			}
			return min(encoders-encoding, encoders+publishing-len(running))
		case spool.Draft:
			// The plan of a stream goes on for as long as its download.
			return h.cfg.Downloads + others - len(running)
		case spool.Audio, spool.Texts, spool.Finish:
		}
		return others - len(running)
	}
}

// arrived: all bytes of a download have come.
func arrived(p spool.Progress) bool {
	return p.Phase == spool.Downloading && p.Total > 0 && p.Done == p.Total
}

// freed gives back the scratch of a video that has ended. What was downloaded
// of one that failed for a passing reason stays, for the next try.
func (h *house) freed(v spool.Video) {
	if v.Status.Ended() && h.fetch != nil {
		h.fetch.Release(v.ID)
	}
	if !v.Status.Ended() || goesOn(v) {
		return
	}
	h.staging.drop(v.ID, func(err error) { h.log.Warn("staging.not-freed", "video", v.ID, "error", err) })
	if err := h.scratch.Remove(v.ID); err != nil {
		h.log.Warn("scratch.not-freed", "video", v.ID, "error", err)
	}
}

// goesOn: what was downloaded of a video serves its next try.
func goesOn(v spool.Video) bool {
	return v.Status == spool.Failed && v.Failure != nil && v.Failure.Class == spool.Transient
}
