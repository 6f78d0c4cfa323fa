package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/spool-video/spool/internal/config"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use: "man", Short: "print the manual page: spool man | man -l -", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(manual(cmd.Root()))
			return err
		},
	}
}

// manual is spool(1), in the man macros of roff, made of the tree of commands
// that answers, so that it says what this program does.
func manual(root *cobra.Command) []byte {
	m := &manPage{}
	m.line(".TH SPOOL 1 \"\" \"spool %s\" \"Spool\"", quotable(version))
	m.section("NAME")
	m.text("spool \\- %s", roff(strings.ToLower(root.Short[:1])+root.Short[1:]))
	m.section("SYNOPSIS")
	for _, c := range commands(root) {
		m.line(".B %s", roff(c.CommandPath()))
		if rest := strings.TrimPrefix(c.UseLine(), c.CommandPath()); rest != "" {
			m.text("%s", roff(strings.TrimSpace(rest)))
		}
		m.line(".br")
	}
	m.section("DESCRIPTION")
	intro, _, _ := strings.Cut(root.Long, "\n\nThe flags of run")
	m.prose(intro)
	m.section("COMMANDS")
	for _, c := range commands(root) {
		m.command(c)
	}
	m.settings()
	m.files()
	m.section("EXIT STATUS")
	for _, code := range exitCodes {
		m.line(".TP\n.B %d", code.code)
		m.text("%s", roff(code.means))
	}
	m.section("EXAMPLES")
	m.verbatim(root.Example)
	m.section("SEE ALSO")
	m.text("%s", `.BR ffmpeg (1),
.BR yt\-dlp (1),
.BR rclone (1)`)
	return m.out.Bytes()
}

// commands are those that do something, in the order of help.
func commands(root *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, c := range root.Commands() {
		switch {
		case c.Hidden || c.Name() == "help":
		case c.HasAvailableSubCommands() && c.Name() != "completion":
			all = append(all, commands(c)...)
		default:
			all = append(all, c)
		}
	}
	return all
}

// manPage is a manual page in the making.
type manPage struct{ out bytes.Buffer }

func (m *manPage) line(format string, args ...any) { fmt.Fprintf(&m.out, format+"\n", args...) }

// text writes what was escaped already.
func (m *manPage) text(format string, args ...any) { m.line(format, args...) }

func (m *manPage) section(name string) { m.line(".SH %s", name) }

// prose writes paragraphs; lines that are indented stay as they are.
func (m *manPage) prose(text string) {
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		switch {
		case strings.HasPrefix(paragraph, " "):
			m.verbatim(paragraph)
		default:
			if i > 0 {
				m.line(".PP")
			}
			m.text("%s", roff(paragraph))
		}
	}
}

func (m *manPage) verbatim(text string) {
	m.line(".PP\n.nf")
	m.text("%s", roff(strings.TrimRight(text, "\n")))
	m.line(".fi")
}

// command describes one command. The settings that many have are described
// once, below.
func (m *manPage) command(c *cobra.Command) {
	m.line(".SS %s", roff(c.UseLine()))
	text := c.Long
	if text == "" {
		text = strings.ToUpper(c.Short[:1]) + c.Short[1:] + "."
	}
	m.prose(text)
	var shared []string
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		switch {
		case slices.Contains(config.Keys(), f.Name):
			shared = append(shared, "--"+f.Name)
		case !f.Hidden && f.Name != "help":
			m.flag(f)
		}
	})
	if len(shared) > manyFlags {
		m.line(".PP\nAnd the flags in SETTINGS.")
	} else if len(shared) > 0 {
		m.line(".PP\nAnd, of the flags in SETTINGS, %s.", roff(strings.Join(shared, ", ")))
	}
}

// manyFlags are more settings than a person wants to read as a list.
const manyFlags = 12

func (m *manPage) flag(f *pflag.Flag) {
	arg, help := pflag.UnquoteUsage(f)
	name := "--" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	m.line(".TP\n.BR \"%s\" \" %s\"", roff(name), roff(arg))
	switch f.DefValue {
	case "", "false", "0", "[]", "0s", "0B":
	default:
		help += " (usually " + f.DefValue + ")"
	}
	m.text("%s", roff(help))
}

// settings describes all settings: as flags, with the environment variables.
func (m *manPage) settings() {
	m.section("SETTINGS")
	m.text("A setting is a flag, an environment variable (in brackets) and a key of spool.yaml. A flag goes before a variable, a variable before the files.")
	flags := pflag.NewFlagSet("settings", pflag.ContinueOnError)
	config.Bind(flags)
	flags.VisitAll(m.flag)
}

func (m *manPage) files() {
	m.section("FILES")
	for _, f := range []struct{ name, what string }{
		{"./spool.yaml", "settings of a folder; it may not name programs, nor open the network"},
		{"$XDG_CONFIG_HOME/spool/spool.yaml", "settings of a user; usually below ~/.config"},
		{"/etc/spool/spool.yaml", "settings of a machine"},
		{"$XDG_STATE_HOME/spool/", "a folder for each destination, with ledger.db and master.key; usually below ~/.local/state. Back it up when videos are encrypted."},
		{"$XDG_CACHE_HOME/spool/", "scratch, a folder for each destination; usually below ~/.cache"},
	} {
		m.line(".TP\n.I %s", roff(f.name))
		m.text("%s", roff(f.what))
	}
}

// roff escapes text: backslashes, hyphens, and what a line may not begin with.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", `\[u2026]`, "“", `\(lq`, "”", `\(rq`, `"`, `\(dq`, "×", `\(mu`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

// quotable is text that may stand between quotes in a macro.
func quotable(text string) string { return strings.ReplaceAll(roff(text), `"`, "") }
