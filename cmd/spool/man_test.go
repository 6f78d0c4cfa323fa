package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// The manual page is one that groff takes without a warning, and it says what
// every command and every flag is for.
func TestManualPage(t *testing.T) {
	t.Parallel()
	root := newRoot()
	text := manual(root)
	groff := exec.CommandContext(t.Context(), "groff", "-man", "-ww", "-Kutf8", "-Tutf8", "-rLL=1000n", "-P-cbou")
	groff.Stdin = bytes.NewReader(text)
	var warned bytes.Buffer
	groff.Stderr = &warned
	shown, err := groff.Output()
	if err != nil || warned.Len() > 0 {
		t.Fatalf("groff: %v\n%s", err, warned.String())
	}
	words := strings.Join(strings.Fields(string(shown)), " ")
	for _, part := range []string{"NAME spool - videos in", "SYNOPSIS", "EXIT STATUS", "SETTINGS", "FILES", "[SPOOL_SCRATCH_LIMIT]", "spool run videos.txt --to /mnt/cdn-bucket"} {
		if !strings.Contains(words, part) {
			t.Errorf("it does not say %q", part)
		}
	}
	for _, c := range commands(root) {
		if !strings.Contains(words, c.UseLine()) {
			t.Errorf("it lacks %q", c.UseLine())
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && f.Name != "help" && !strings.Contains(words, "--"+f.Name+" ") {
				t.Errorf("%s: it lacks --%s", c.CommandPath(), f.Name)
			}
		})
	}
	// What is typed by hand in it can be typed: a hyphen is a hyphen, not a dash.
	if strings.ContainsAny(words, "\u2010\u2212") {
		t.Error("it has dashes where there should be hyphens")
	}
}

// What help says of private addresses is what a command does: services ask them
// only when told to.
func TestHelpOfPrivateAddresses(t *testing.T) {
	t.Parallel()
	root := newRoot()
	for name, private := range map[string]bool{"run": true, "watch": true, "plan": true, "serve": false, "worker": false} {
		cmd, _, err := root.Find([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		_, help, _ := strings.Cut(strings.Join(strings.Fields(cmd.UsageString()), " "), "--allow-private")
		help, _, _ = strings.Cut(help, " --")
		if !strings.Contains(help, "serve and worker: only when asked to") || strings.Contains(help, "(default true)") != private {
			t.Errorf("spool %s --help: %s", name, help)
		}
		if private {
			continue
		}
		if cfg, err := loadService(cmd); err != nil || cfg.AllowPrivate {
			t.Errorf("spool %s, when nothing is said: %v, %v", name, cfg.AllowPrivate, err)
		}
		if err := cmd.Flags().Parse([]string{"--allow-private"}); err != nil {
			t.Fatal(err)
		}
		if cfg, err := loadService(cmd); err != nil || !cfg.AllowPrivate {
			t.Errorf("spool %s --allow-private: %v, %v", name, cfg.AllowPrivate, err)
		}
	}
	if text := string(manual(root)); !strings.Contains(text, "serve and worker: only when asked to") {
		t.Error("the manual page does not say it")
	}
}
