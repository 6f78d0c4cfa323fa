package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/progress"
)

func newKeys() *cobra.Command {
	cmd := &cobra.Command{
		Use: "keys", Short: "the keys of encrypted videos, and of a fleet", Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	export := &cobra.Command{
		Use: "export DIR", Short: "write every content key to DIR/<video>/<key>.key", Args: atLeast(1, "a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return visit(cmd, func(ctx context.Context, h *house) error { return h.exportKeys(ctx, cmd, args[0]) })
		},
	}
	config.Bind(export.Flags(), "to", "state", "rclone-config", "config")
	fleet := &cobra.Command{
		Use: "fleet [FILE]", Short: "make the key that serve and its workers share (fleet.key)", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return makeFleetKey(cmd, append(args, "fleet.key")[0]) },
	}
	cmd.AddCommand(export, fleet)
	return cmd
}

func makeFleetKey(cmd *cobra.Command, path string) error {
	if err := keys.MakeFleet(path); err != nil {
		return err
	}
	fleet, err := keys.OpenFleet(path)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "made %s (key %s); whoever has it can read and command the fleet: copy it to serve and to every worker, mode 600\n",
		plaintext.Sanitize(path), fleet.ID())
	return nil
}

func (h *house) exportKeys(ctx context.Context, cmd *cobra.Command, dir string) error {
	if err := checkKeysOutside(h.cfg, dir); err != nil {
		return err
	}
	all, err := h.ledger.Keys(ctx, "")
	if err != nil {
		return err
	}
	n := 0
	for video, revisions := range all {
		for _, revision := range revisions {
			key, err := h.keys.Bytes(ctx, video, revision)
			if err != nil {
				return err
			}
			if err := keys.Export(dir, video, revision, key); err != nil {
				return err
			}
			n++
		}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "written to %s: %s; whoever has them can decrypt the videos\n", plaintext.Sanitize(dir), progress.Number(n, "key"))
	return nil
}
