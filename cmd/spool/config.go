package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/plaintext"
)

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "the settings", Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var origin, asJSON bool
	show := &cobra.Command{
		Use: "show", Short: "every setting, as a run here would have it", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), cfg.Values())
			}
			return showSettings(cmd.OutOrStdout(), cfg.Values(), origin)
		},
	}
	config.Bind(show.Flags())
	show.Flags().BoolVar(&origin, "origin", false, "say where each value comes from: a flag, a variable, a file or the default")
	show.Flags().BoolVar(&asJSON, "json", false, "print JSON, with origins")
	schema := &cobra.Command{
		Use: "schema", Short: "print a JSON Schema of spool.yaml, for editors", Args: none,
		Long: `Prints a JSON Schema of the config file, by which an editor completes and checks
it. With the YAML language server, a first line in spool.yaml names it:

  spool config schema > spool.schema.json
  # yaml-language-server: $schema=spool.schema.json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return printJSON(cmd.OutOrStdout(), config.Schema()) },
	}
	cmd.AddCommand(show, schema)
	return cmd
}

// showSettings prints a setting a line.
func showSettings(out io.Writer, values []config.Value, origin bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, v := range values {
		if origin {
			fmt.Fprintf(w, "%s\t%s\t%s\n", v.Key, v.Value, plaintext.Sanitize(v.Origin))
		} else {
			fmt.Fprintf(w, "%s\t%s\n", v.Key, v.Value)
		}
	}
	return w.Flush()
}
