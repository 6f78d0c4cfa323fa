package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/intake"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/webapi"
)

// adding is one spool add.
type adding struct {
	list     string
	priority int
	callback string
	wait     bool
}

func newAdd() *cobra.Command {
	var a adding
	cmd := &cobra.Command{
		Use: "add SOURCE…|LIST", Short: "hand sources to a running serve",
		Long: `Hands sources to the spool serve that is at work on the destination, or to the
one that --api names, and prints the ID of each video. To hand something in
twice is to hand it in once. Files are taken below what the serve allows
(--allow-source).`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && a.list == "" {
				return usage("missing-argument", "spool add needs a source, or -f LIST", cmd.UseLine())
			}
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			lines, err := sources(args, a.list, cmd.InOrStdin())
			if err != nil {
				return err
			}
			client, err := serving(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			if client == nil {
				return noServe(cfg)
			}
			return a.run(cmd, client, lines)
		},
	}
	config.Bind(cmd.Flags(), "to", "state", "api", "token-file", "config")
	cmd.Flags().StringVarP(&a.list, "file", "f", "", "read sources from `FILE`, one a line; - is standard input")
	cmd.Flags().IntVar(&a.priority, "priority", 0, "videos of a higher one are worked on first; -1000 to 1000")
	cmd.Flags().StringVar(&a.callback, "callback", "", "tell this `URL` when a video is ready or has failed")
	cmd.Flags().BoolVar(&a.wait, "wait", false, "wait until each has ended, and print where it lies")
	return cmd
}

func (a adding) run(cmd *cobra.Command, client *webapi.Client, lines []intake.Line) error {
	out, said := cmd.OutOrStdout(), cmd.ErrOrStderr()
	failed := 0
	var all []webapi.Submission
	for _, l := range lines {
		if l.Err != nil {
			sayRefused(said, l.Where(), l.Err.Reason, l.Err.Hint)
			failed++
			continue
		}
		source := l.Source
		if !intake.IsURL(source) && !spool.IsRemotePath(source) {
			abs, err := filepath.Abs(source) // the serve has another working folder
			if err != nil {
				return fmt.Errorf("find %s: %w", source, err)
			}
			source = abs
		}
		all = append(all, webapi.Submission{Source: source, ID: l.ID, Title: l.Title, Ladder: l.Ladder, Priority: a.priority, Callback: a.callback})
	}
	taken, err := client.Add(cmd.Context(), all)
	if err != nil {
		return err
	}
	var ids []string
	for _, t := range taken {
		switch {
		case t.Problem != nil:
			failed++
			sayRefused(said, t.Source, t.Problem.Detail, t.Problem.Hint)
		case t.Video != nil && !a.wait:
			fmt.Fprintf(out, "%s\t%s\n", t.Video.ID, t.Verdict)
		case t.Video != nil:
			ids = append(ids, t.Video.ID)
		}
	}
	n, err := a.await(cmd, client, ids)
	if err != nil {
		return err
	}
	if failed+n > 0 {
		return ended(exitSomeFailed)
	}
	return nil
}

// sayRefused says why a source was not taken, and what to do.
func sayRefused(said io.Writer, source, reason, hint string) {
	fmt.Fprintf(said, "refused %s: %s\n", plaintext.Sanitize(source), plaintext.Sanitize(reason))
	if hint != "" {
		fmt.Fprintf(said, "  hint: %s\n", plaintext.Sanitize(hint))
	}
}

// await waits until each video has ended, tells how, and counts those that are
// not ready.
func (a adding) await(cmd *cobra.Command, client *webapi.Client, ids []string) (failed int, err error) {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for _, id := range ids {
		v, err := awaited(cmd.Context(), client, id, look.C)
		if err != nil {
			return failed, err
		}
		if v.Status == spool.Ready {
			fmt.Fprintf(cmd.OutOrStdout(), "%s\t%s\n", v.ID, v.Master)
			continue
		}
		failed++
		fmt.Fprintf(cmd.ErrOrStderr(), "%s %s: %s\n", v.Status, v.ID, plaintext.Sanitize(v.Why))
		if v.Failure != nil && v.Failure.Hint != "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "  hint: %s\n", plaintext.Sanitize(v.Failure.Hint))
		}
	}
	return failed, nil
}

// awaited asks for a video until it has ended. A serve that is away for a
// while is asked again: what it has accepted it does not forget.
func awaited(ctx context.Context, client *webapi.Client, id string, look <-chan time.Time) (webapi.Detail, error) {
	for {
		v, err := client.Get(ctx, id)
		e := spool.AsError(err)
		if err == nil && v.Status.Ended() || err != nil && e.Class != spool.Environment {
			return v, err
		}
		select {
		case <-look:
		case <-ctx.Done():
			return v, ctx.Err()
		}
	}
}
