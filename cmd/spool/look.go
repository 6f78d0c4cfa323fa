package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/progress"
	"github.com/spool-video/spool/internal/webapi"
)

var statuses = []spool.Status{spool.Waiting, spool.Working, spool.Paused, spool.Ready, spool.Failed, spool.Cancelled}

func newList() *cobra.Command {
	var asJSON bool
	var wanted, causes []string
	cmd := &cobra.Command{
		Use: "ls", Short: "what is known of every video, and why anything waits", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := queryOf(wanted, causes)
			if err != nil {
				return err
			}
			return asked(cmd, func(ctx context.Context, _ config.Config, c counter) error {
				return list(ctx, cmd.OutOrStdout(), c, q, asJSON)
			})
		},
	}
	bindAsking(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringSliceVar(&causes, "cause", nil, "only videos that failed, or are paused, for these causes: poison, http-404 and others, as --json has them")
	cmd.Flags().StringSliceVar(&wanted, "status", nil, "only videos of these statuses: waiting, working, paused, ready, failed, cancelled")
	return cmd
}

// visit opens the destination of a command for looking at it.
func visit(cmd *cobra.Command, do func(ctx context.Context, h *house) error) error {
	cfg, err := load(cmd)
	if err != nil {
		return err
	}
	h, err := enter(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	return errors.Join(do(cmd.Context(), h), h.close())
}

func queryOf(wanted, causes []string) (webapi.Query, error) {
	q := webapi.Query{Causes: causes}
	for _, w := range wanted {
		s := spool.Status(strings.ToLower(w))
		if !slices.Contains(statuses, s) {
			return q, usage("bad-status", fmt.Sprintf("%q is not a status", w), "statuses are waiting, working, paused, ready, failed, cancelled")
		}
		q.Statuses = append(q.Statuses, s)
	}
	return q, nil
}

func list(ctx context.Context, out io.Writer, c counter, q webapi.Query, asJSON bool) error {
	videos, err := all(ctx, c.List, q)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(out, videos)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range videos {
		note := c.Why
		if c.Status == spool.Ready {
			note = strings.Join(c.Sizes, " ")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.ID, c.Status, plaintext.Sanitize(shorten(c.Title, 40)), plaintext.Sanitize(note))
	}
	return w.Flush()
}

func newShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show ID", Short: "all that is known of one video", Args: exactly(1, "an ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return asked(cmd, func(ctx context.Context, _ config.Config, c counter) error {
				return show(ctx, cmd.OutOrStdout(), c, args[0], asJSON)
			})
		},
	}
	bindAsking(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func show(ctx context.Context, out io.Writer, asked counter, id string, asJSON bool) error {
	c, err := asked.Get(ctx, id)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(out, c)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, plaintext.Sanitize(value))
		}
	}
	row("id", c.ID)
	row("status", string(c.Status))
	row("why", c.Why)
	if c.Failure != nil {
		row("hint", c.Failure.Hint)
	}
	row("title", c.Title)
	row("source", c.Source)
	row("sizes", strings.Join(c.Sizes, " "))
	row("sound", strings.Join(c.Sound, ", "))
	row("subtitles", strings.Join(c.Subtitles, ", "))
	row("left out", strings.Join(c.LeftOut, ", "))
	row("notes", strings.Join(c.Notes, "; "))
	row("master", c.Master)
	row("watch", c.Early)
	for _, n := range c.Notices {
		row("not told", n.Callback+" of "+n.Event+", "+pending(n))
	}
	row("revision", c.Revision)
	row("added", c.Added.Local().Format(time.DateTime))
	row("changed", c.Changed.Local().Format(time.DateTime))
	return w.Flush()
}

// pending says how a notice stands.
func pending(n webapi.Notice) string {
	tried := progress.Number(n.Attempts, "time")
	switch {
	case n.Attempts == 0:
		return "which is to be tried"
	case n.GivenUp:
		return "which was tried " + tried + " and given up: " + n.Last
	}
	return "which was tried " + tried + ", next at " + n.Next.Local().Format(time.DateTime) + ": " + n.Last
}

func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
