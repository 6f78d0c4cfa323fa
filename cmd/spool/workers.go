package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/progress"
	"github.com/spool-video/spool/internal/schedule"
	"github.com/spool-video/spool/internal/webapi"
)

func newWorkers() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "workers", Short: "the workers of a running serve, and what they do", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return askedServe(cmd, func(ctx context.Context, c *webapi.Client) error {
				all, err := c.Workers(ctx)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), all.Workers)
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				for _, v := range all.Workers {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", plaintext.Sanitize(v.Name), v.State, plaintext.Sanitize(v.Version), plaintext.Sanitize(shortly(v)))
				}
				return w.Flush()
			})
		},
	}
	bindAsking(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// shortly says in words what a worker does, or what is wrong with it.
func shortly(w webapi.Worker) string {
	parts := []string{progress.Number(w.Running, "job"), fmt.Sprintf("%d free for encoders", w.Free[spool.Encode])}
	if w.Disk > 0 {
		parts = append(parts, humanize.Bytes(uint64(w.Disk))+" of disk free")
	}
	if w.State == "lost" {
		parts = []string{fmt.Sprintf("silent for %s", (time.Duration(w.Silent) * time.Second))}
	}
	if w.Why != "" {
		parts = []string{w.Why}
	}
	return strings.Join(parts, ", ")
}

func newDrain() *cobra.Command {
	cmd := &cobra.Command{
		Use: "drain WORKER…", Short: "let workers end when their jobs have", Args: atLeast(1, "a worker's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return askedServe(cmd, func(ctx context.Context, c *webapi.Client) error {
				for _, name := range args {
					if err := c.Drain(ctx, name); err != nil {
						return err
					}
					fmt.Fprintf(cmd.ErrOrStderr(), "%s gets no more work, and ends when its jobs have\n", plaintext.Sanitize(name))
				}
				return nil
			})
		},
	}
	bindAsking(cmd)
	return cmd
}

// askedServe asks a running serve, which there has to be.
func askedServe(cmd *cobra.Command, do func(context.Context, *webapi.Client) error) error {
	cfg, err := load(cmd)
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
	return do(cmd.Context(), client)
}

// Workers gives those that the scheduler knows.
func (d *desk) Workers(context.Context) (webapi.Workers, error) {
	if d.intake == nil {
		return webapi.Workers{}, noServe(d.cfg)
	}
	all := webapi.Workers{Workers: []webapi.Worker{}}
	for _, a := range d.intake.scheduler.Workers() {
		all.Workers = append(all.Workers, webapi.Worker{
			Name: a.Worker, Version: a.Version, State: stateOf(a), Why: a.Refused, Running: len(a.Running), Free: a.Free,
			Holds: len(a.Holds), Disk: a.Disk, Silent: a.Silent.Seconds(),
		})
	}
	return all, nil
}

func stateOf(a schedule.Attendance) string {
	switch {
	case a.Refused != "":
		return "refused"
	case a.Lost:
		return "lost"
	case a.Draining || a.Drained:
		return "draining"
	case len(a.Running) > 0:
		return "working"
	}
	return "idle"
}

// Drain gives a worker nothing more.
func (d *desk) Drain(_ context.Context, worker string) error {
	if d.intake == nil {
		return noServe(d.cfg)
	}
	if !d.intake.scheduler.DrainWorker(worker) {
		return &spool.Error{
			Class: spool.Permanent, Code: "no-such-worker", Reason: fmt.Sprintf("there is no worker %q", worker),
			Hint: "spool workers" + toFlag(d.cfg) + " lists them", Err: webapi.ErrNotFound,
		}
	}
	return nil
}
