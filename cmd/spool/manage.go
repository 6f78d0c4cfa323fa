package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/lock"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/scratch"
	"github.com/spool-video/spool/internal/stage/finish"
	"github.com/spool-video/spool/internal/webapi"
)

func newRetry() *cobra.Command {
	var all bool
	var causes []string
	cmd := &cobra.Command{
		Use: "retry ID…", Short: "let failed videos go on where they ended",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && !all:
				return usage("missing-argument", "spool retry needs an ID, or --all", "spool ls --status failed lists what failed")
			case all && len(args) > 0:
				return usage("unexpected-argument", fmt.Sprintf("spool retry --all takes no ID, and got %q", args[0]), "leave out one of the two")
			case !all && len(causes) > 0:
				return usage("bad-flag", "--cause chooses among all that failed, and IDs are given", "leave out --cause, or say --all in place of the IDs")
			}
			return asked(cmd, func(ctx context.Context, cfg config.Config, c counter) error {
				if all {
					return retryAll(ctx, cmd, cfg, c, causes)
				}
				return retry(ctx, cmd, cfg, c, args)
			})
		},
	}
	bindAsking(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all failed videos")
	cmd.Flags().StringSliceVar(&causes, "cause", nil, "with --all: only those that failed for these causes")
	return cmd
}

func retryAll(ctx context.Context, cmd *cobra.Command, cfg config.Config, c counter, causes []string) error {
	failed, err := all(ctx, c.List, webapi.Query{Statuses: []spool.Status{spool.Failed}, Causes: causes})
	if err != nil {
		return err
	}
	ids := make([]string, len(failed))
	for i, v := range failed {
		ids[i] = v.ID
	}
	return retry(ctx, cmd, cfg, c, ids)
}

func retry(ctx context.Context, cmd *cobra.Command, cfg config.Config, c counter, ids []string) error {
	then := "goes on with: spool run" + toFlag(cfg)
	if _, attended := lock.Held(ctx, cfg.State); attended || cfg.API != "" {
		then = "the run that is at work takes it up"
	}
	for _, id := range ids {
		v, err := c.Retry(ctx, id)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%s waits again, and %s\n", v.ID, then)
	}
	return nil
}

func newCancel() *cobra.Command {
	cmd := &cobra.Command{
		Use: "cancel ID…", Short: "stop working on videos", Args: atLeast(1, "an ID"),
		Long: `Stops what runs of a video, and hands nothing more of it out. What is made stays;
spool retry lets it begin anew, spool rm removes it.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return asked(cmd, func(ctx context.Context, _ config.Config, c counter) error {
				for _, id := range args {
					v, err := c.Cancel(ctx, id)
					if err != nil {
						return err
					}
					fmt.Fprintf(cmd.ErrOrStderr(), "%s is %s\n", v.ID, v.Status)
				}
				return nil
			})
		},
	}
	bindAsking(cmd)
	return cmd
}

func newRemove() *cobra.Command {
	var r webapi.Removal
	cmd := &cobra.Command{
		Use: "rm ID…", Short: "unpublish videos and forget them", Args: atLeast(1, "an ID"),
		Long: `Takes videos back: the master playlist first, so that no player finds a video
with holes, then all other objects, then the keys. A video that is being worked
on is stopped first. What was downloaded of it goes, too.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return asked(cmd, func(ctx context.Context, _ config.Config, c counter) error {
				for _, id := range args {
					if err := c.Remove(ctx, id, r); err != nil {
						return err
					}
					fmt.Fprintf(cmd.ErrOrStderr(), "%s is removed\n", plaintext.Sanitize(id))
				}
				return nil
			})
		},
	}
	bindAsking(cmd, "work", "keys", "staging")
	cmd.Flags().BoolVar(&r.KeepPublished, "keep-published", false, "forget the video, leave what is published")
	cmd.Flags().BoolVar(&r.KeepKeys, "keep-keys", false, "leave its keys in the ledger and in --keys")
	return cmd
}

func (h *house) remove(ctx context.Context, id string, r webapi.Removal) error {
	rec, err := h.record(ctx, id)
	if err != nil {
		return err
	}
	id = rec.Video.ID
	if err := h.cancel(ctx, id); err != nil {
		return err
	}
	if !r.KeepPublished {
		if err := h.unpublish(ctx, id, r); err != nil {
			return err
		}
	}
	if err := h.sweepScratch(id); err != nil {
		return err
	}
	if err := h.sweepStaging(ctx, id); err != nil {
		return err
	}
	return h.ledger.Remove(ctx, id, r.KeepKeys || r.KeepPublished)
}

// sweepScratch frees what a video holds on this machine. No job of it is out,
// and none is handed out: it has ended.
func (h *house) sweepScratch(id string) error {
	if _, err := os.Stat(h.cfg.Work); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	s, err := scratch.Open(h.cfg.Work, h.cfg.ScratchLimit.Bytes, h.cfg.ScratchLimit.Share)
	if err != nil {
		return err
	}
	return s.Remove(id)
}

// sweepStaging takes back what is staged of a video.
func (h *house) sweepStaging(ctx context.Context, id string) error {
	a, err := openStaging(ctx, h.cfg)
	if a == nil || err != nil {
		return err
	}
	return errors.Join(a.Remove(ctx, id), a.Close())
}

func (h *house) unpublish(ctx context.Context, id string, r webapi.Removal) (err error) {
	s, err := toWrite(ctx, h.cfg, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	keysDir := h.cfg.Keys
	if r.KeepKeys {
		keysDir = ""
	}
	return finish.Unpublish(ctx, s, id, keysDir)
}

// stopping bounds how long rm waits for a run to let go of a video.
const stopping = time.Minute

// cancel ends a video that is not ready, and waits until the run that works on
// it, if there is one, has stopped its jobs and taken back its early list.
func (h *house) cancel(ctx context.Context, id string) error {
	err := h.ledger.Update(ctx, id, func(r *ledger.Record) error {
		if !r.Video.Status.Ended() {
			r.Video.Status = spool.Cancelled
		}
		return nil
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stopping)
	defer cancel()
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for {
		rec, err := h.ledger.Get(ctx, id)
		if err != nil {
			return err
		}
		held := isOut(rec) || rec.Video.Status == spool.Cancelled && h.offered(ctx, id)
		if _, attended := lock.Held(ctx, h.cfg.State); !attended || !held {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), &spool.Error{
				Class: spool.Transient, Code: "still-running", Reason: "the run that works on " + id + " does not let go of it",
				Hint: "stop it with Ctrl-C, then remove the video",
			})
		case <-look.C:
		}
	}
}

// isOut reports whether a worker has a job of the record.
func isOut(rec ledger.Record) bool {
	for _, j := range rec.Jobs {
		if j.State == spool.JobSent || j.State == spool.JobRunning {
			return true
		}
	}
	return false
}
