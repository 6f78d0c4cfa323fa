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
		Use: "keys", Short: "the keys of encrypted videos", Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	export := &cobra.Command{
		Use: "export DIR", Short: "write every content key to DIR/<video>/<key>.key", Args: atLeast(1, "a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return visit(cmd, func(ctx context.Context, h *house) error { return h.exportKeys(ctx, cmd, args[0]) })
		},
	}
	config.Bind(export.Flags(), "to", "state", "rclone-config", "config")
	cmd.AddCommand(export)
	return cmd
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
	for video, ids := range all {
		for _, id := range ids {
			key, err := h.keys.Bytes(ctx, video, id)
			if err != nil {
				return err
			}
			if err := keys.Export(dir, video, id, key); err != nil {
				return err
			}
			n++
		}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "written to %s: %s; whoever has them can decrypt the videos\n", plaintext.Sanitize(dir), progress.Number(n, "key"))
	return nil
}
