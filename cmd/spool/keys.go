package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/progress"
	"github.com/spool-video/spool/internal/webapi"
)

func newKeys() *cobra.Command {
	cmd := &cobra.Command{
		Use: "keys", Short: "the keys of encrypted videos, and of a fleet", Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	export := &cobra.Command{
		Use: "export DIR", Short: "write every content key to DIR/<video>/<key>.key", Args: exactly(1, "a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return visit(cmd, func(ctx context.Context, h *house) error { return h.exportKeys(ctx, cmd, args[0]) })
		},
	}
	config.Bind(export.Flags(), "to", "state", "rclone-config", "config")
	fleet := &cobra.Command{
		Use: "fleet [FILE]", Short: "make the key that serve and its workers share (fleet.key)", Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error { return makeFleetKey(cmd, append(args, "fleet.key")[0]) },
	}
	cmd.AddCommand(export, newKeyLink(), fleet)
	return cmd
}

func newKeyLink() *cobra.Command {
	var long time.Duration
	cmd := &cobra.Command{
		Use: "link ID", Short: "print links to a video's keys that end by themselves", Args: exactly(1, "an ID"),
		Long: `Prints the address of the key of what is published of a video, signed with the
API's token: spool serve gives the key to whoever has the link, until it ends.
Where keys rotate (--key-rotation), it prints a line for each of them.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return asked(cmd, func(ctx context.Context, cfg config.Config, c counter) error {
				v, err := c.Get(ctx, args[0])
				if err != nil {
					return err
				}
				if len(v.Keys) == 0 || !v.Settings.Encrypt {
					return usage("no-such-key", v.ID+" has no key: it is not published, or not encrypted", "spool show "+v.ID+toFlag(cfg)+" says more")
				}
				token, err := webapi.ReadToken(cfg.APIToken())
				if err != nil {
					return err
				}
				return printKeyLinks(cmd.OutOrStdout(), v, token, time.Now().Add(long))
			})
		},
	}
	bindAsking(cmd)
	cmd.Flags().DurationVar(&long, "for", 6*time.Hour, "how long it is good")
	return cmd
}

// printKeyLinks prints a link for each key of what is published of a video.
func printKeyLinks(out io.Writer, v webapi.Detail, token webapi.Token, until time.Time) error {
	for _, id := range v.Keys {
		uri, err := keys.ExpandURI(v.Settings.KeyURI, v.ID, id)
		if err != nil {
			return err
		}
		with := "?"
		if strings.Contains(uri, "?") {
			with = "&"
		}
		fmt.Fprintf(out, "%s%s%s\n", uri, with, token.SignKey(v.ID, id, until))
	}
	return nil
}

// keyIDs names the keys of what is published of a video, in the order of its
// segments; none when it is in clear. The ledger says how many they are.
func (h *house) keyIDs(ctx context.Context, v spool.Video) ([]string, error) {
	if v.Published == "" {
		return nil, nil
	}
	all, err := h.ledger.Keys(ctx, v.ID)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, those := range all { // of one video, whose ID may have had another case
		ids = append(ids, those...)
	}
	slices.Sort(ids)
	return slices.DeleteFunc(ids, func(id string) bool { return keys.Named(id, v.Published) != id }), nil
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
