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
