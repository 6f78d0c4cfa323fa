package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/early"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/lock"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/schedule"
)

var statuses = []spool.Status{spool.Waiting, spool.Working, spool.Paused, spool.Ready, spool.Failed, spool.Cancelled}

// card is a video as ls and show give it.
type card struct {
	spool.Video
	Source string `json:"source"` // without secrets, hiding the video's own
	Why    string `json:"why,omitempty"`
	Master string `json:"master,omitempty"`
	Early  string `json:"early,omitempty"` // where it can be watched while it is made
}

func (h *house) card(ctx context.Context, rec ledger.Record, attended bool) card {
	c := card{Video: rec.Video, Source: rec.Video.Canonical, Why: schedule.Why(rec, attended, time.Now())}
	if c.Published != "" {
		c.Master = h.master(c.ID)
	} else if !c.Status.Ended() && h.offered(ctx, c.ID) {
		c.Early = h.store.Properties().Address + "/" + c.ID + "/" + early.Name
	}
	return c
}

// master is where a video's master playlist lies, as a person would open it.
func (h *house) master(id string) string {
	return h.store.Properties().Address + "/" + id + "/master.m3u8"
}

func newList() *cobra.Command {
	var asJSON bool
	var wanted []string
	cmd := &cobra.Command{
		Use: "ls", Short: "what is known of every video, and why anything waits", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := statusFilter(wanted)
			if err != nil {
				return err
			}
			return visit(cmd, func(ctx context.Context, h *house) error {
				return h.list(ctx, cmd.OutOrStdout(), filter, asJSON)
			})
		},
	}
	config.Bind(cmd.Flags(), "to", "state", "rclone-config", "config")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
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

func statusFilter(wanted []string) (ledger.Filter, error) {
	var f ledger.Filter
	for _, w := range wanted {
		s := spool.Status(strings.ToLower(w))
		known := false
		for _, k := range statuses {
			known = known || k == s
		}
		if !known {
			return f, usage("bad-status", fmt.Sprintf("%q is not a status", w), "statuses are waiting, working, paused, ready, failed, cancelled")
		}
		f.Statuses = append(f.Statuses, s)
	}
	return f, nil
}

func (h *house) list(ctx context.Context, out io.Writer, filter ledger.Filter, asJSON bool) error {
	videos, err := h.ledger.List(ctx, filter)
	if err != nil {
		return err
	}
	_, attended := lock.Held(ctx, h.cfg.State)
	cards := make([]card, 0, len(videos))
	for _, v := range videos {
		rec := ledger.Record{Video: v}
		if !v.Status.Ended() {
			if rec, err = h.ledger.Get(ctx, v.ID); err != nil {
				return err
			}
		}
		cards = append(cards, h.card(ctx, rec, attended))
	}
	if asJSON {
		return printJSON(out, cards)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range cards {
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
		Use: "show ID", Short: "all that is known of one video", Args: atLeast(1, "an ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return visit(cmd, func(ctx context.Context, h *house) error {
				return h.show(ctx, cmd.OutOrStdout(), args[0], asJSON)
			})
		},
	}
	config.Bind(cmd.Flags(), "to", "state", "rclone-config", "config")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (h *house) show(ctx context.Context, out io.Writer, id string, asJSON bool) error {
	rec, err := h.record(ctx, id)
	if err != nil {
		return err
	}
	_, attended := lock.Held(ctx, h.cfg.State)
	c := h.card(ctx, rec, attended)
	sound, err := h.sound(ctx, rec)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(out, struct {
			card
			Sound []string          `json:"sound,omitempty"`
			Jobs  []spool.JobRecord `json:"jobs"`
		}{c, sound, jobRecords(rec)})
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
	row("sound", strings.Join(sound, ", "))
	row("left out", strings.Join(c.LeftOut, ", "))
	row("notes", strings.Join(c.Notes, "; "))
	row("master", c.Master)
	row("watch", c.Early)
	row("revision", c.Revision)
	row("added", c.Added.Local().Format(time.DateTime))
	row("changed", c.Changed.Local().Format(time.DateTime))
	return w.Flush()
}

// record loads a video by its ID, however its case is written.
func (h *house) record(ctx context.Context, id string) (ledger.Record, error) {
	rec, err := h.ledger.Get(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return rec, usage("no-such-video", fmt.Sprintf("there is no video %q in %s", id, h.cfg.To), "spool ls"+toFlag(h.cfg)+" lists the videos; --to chooses another destination")
	}
	return rec, err
}

func jobRecords(rec ledger.Record) []spool.JobRecord {
	out := make([]spool.JobRecord, len(rec.Jobs))
	for i, j := range rec.Jobs {
		out[i] = j.JobRecord
	}
	return out
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
