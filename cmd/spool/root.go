package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/progress"
)

// columns is how wide help is: what terminals have at least.
const columns = 80

// newRoot is the tree of commands.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "spool",
		Short: "Videos in, adaptive HLS in your bucket out",
		Long: `Spool fetches videos, encodes each with FFmpeg to adaptive HLS (three sizes, a
playlist for each, a master playlist), and publishes them to a bucket. Running
it again does only what is missing.`,
		Example: `  spool demo                                  see it work, with nothing of yours
  spool run videos.txt --to /mnt/cdn-bucket   publish a list
  spool run https://example.com/watch/42      publish one page's video
  spool preview                               watch what was published`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cobra.AddTemplateFunc("wrapped", func(f *pflag.FlagSet) string { return f.FlagUsagesWrapped(columns) })
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), "Flags.FlagUsages", "Flags | wrapped"))
	root.Long += "\n\nThe flags of run that matter (spool run --help has them all):\n" + mainFlags()
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("bad-flag", err.Error(), fmt.Sprintf("%s --help lists the flags", cmd.CommandPath()))
	})
	root.AddCommand(
		newRun(), newWatch(), newServe(), newWorker(), newPlan(),
		newAdd(), newList(), newShow(), newRetry(), newCancel(), newRemove(), newWorkers(), newDrain(),
		newVerify(), newPreview(), newDoctor(), newDemo(),
		newKeys(), newConfig(), newMan(), newVersion(),
	)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for name, short := range map[string]string{"help": "explain a command", "completion": "print a script by which a shell completes commands"} {
		if cmd, _, err := root.Find([]string{name}); err == nil {
			cmd.Short = short
			for _, shell := range cmd.Commands() {
				shell.Args = none
			}
		}
	}
	return root
}

// mainFlags are the flags that a first-time user wants to know.
func mainFlags() string {
	flags := pflag.NewFlagSet("main", pflag.ContinueOnError)
	config.Bind(flags, config.MainKeys()...)
	return strings.TrimRight(flags.FlagUsagesWrapped(columns), "\n")
}

// noSuchCommand answers a word that is no command with the nearest that is: of
// spool, or of a command that is a group of others.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	group := cmd.CommandPath()
	hint := group + " --help lists the commands"
	cmd.SuggestionsMinimumDistance = 2 // cobra's own, which it does not hand down
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean: " + group + " " + strings.Join(near, ", "+group+" ") + "?"
	} else if !cmd.HasParent() && strings.ContainsAny(args[0], "/.") {
		hint = "to publish it, type: spool run " + quoted(args[0])
	}
	return usage("no-such-command", fmt.Sprintf("%q is not a command of %s", args[0], group), hint)
}

// atLeast is cobra's argument count with our words. what names the arguments.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return usage("missing-argument", cmd.CommandPath()+" needs "+what, cmd.UseLine())
		}
		return nil
	}
}

// atMost refuses what nobody would look at.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			takes := "no argument"
			if n > 0 {
				takes = "only " + progress.Number(n, "argument")
			}
			return usage("unexpected-argument", fmt.Sprintf("%s takes %s, and got %q", cmd.CommandPath(), takes, args[n]), cmd.UseLine())
		}
		return nil
	}
}

// exactly is for commands that look at so many arguments.
func exactly(n int, what string) cobra.PositionalArgs {
	return cobra.MatchAll(atLeast(n, what), atMost(n))
}

// none refuses arguments.
func none(cmd *cobra.Command, args []string) error { return atMost(0)(cmd, args) }
