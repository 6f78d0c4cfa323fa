package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spool-video/spool"
)

// typed runs a command in this process, as far as its words decide.
func typed(t *testing.T, words ...string) (code int, said string) {
	t.Helper()
	var out bytes.Buffer
	code = run(context.Background(), words, strings.NewReader(""), &out, &out)
	return code, out.String()
}

// What is typed and makes no sense is told with what would, and ends with 2;
// no word is passed over.
func TestWordsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ words, reason, hint string }{
		{"show", "spool show needs an ID", "spool show ID"},
		{"show one two", `spool show takes only 1 argument, and got "two"`, "spool show ID"},
		{"version now", `spool version takes no argument, and got "now"`, "spool version"},
		{"completion bash now", `spool completion bash takes no argument, and got "now"`, "spool completion bash"},
		{"keys export", "spool keys export needs a folder", "spool keys export DIR"},
		{"keys export one two", `spool keys export takes only 1 argument, and got "two"`, "spool keys export DIR"},
		{"keys link one two", `spool keys link takes only 1 argument, and got "two"`, "spool keys link ID"},
		{"keys fleet one two", `spool keys fleet takes only 1 argument, and got "two"`, "spool keys fleet [FILE]"},
		{"retry", "spool retry needs an ID, or --all", "spool ls --status failed"},
		{"retry --all film", `spool retry --all takes no ID, and got "film"`, "one of the two"},
		{"retry film --cause poison", "--cause chooses among all that failed, and IDs are given", "--all in place of the IDs"},
		{"runn", `"runn" is not a command of spool`, "did you mean: spool run?"},
		{"film.mp4", `"film.mp4" is not a command of spool`, "to publish it, type: spool run film.mp4"},
		{"nonsense", `"nonsense" is not a command of spool`, "spool --help lists the commands"},
		{"keys exp", `"exp" is not a command of spool keys`, "did you mean: spool keys export?"},
		{"keys exprot", `"exprot" is not a command of spool keys`, "did you mean: spool keys export?"},
		{"keys fleet.key", `"fleet.key" is not a command of spool keys`, "spool keys --help lists the commands"},
		{"config s", `"s" is not a command of spool config`, "did you mean: spool config show, spool config schema?"},
	} {
		code, said := typed(t, strings.Fields(c.words)...)
		reason, hint, _ := strings.Cut(said, "\n")
		if code != exitUsage || reason != "spool: "+c.reason || !strings.HasPrefix(hint, "  hint: ") || !strings.Contains(hint, c.hint) {
			t.Errorf("spool %s: %d\n%swant %s … %s", c.words, code, said, c.reason, c.hint)
		}
	}
}

// A command takes as many arguments as it says, and refuses one more in our
// words.
func TestCommandsRefuseWhatTheyDoNotLookAt(t *testing.T) {
	t.Parallel()
	root := newRoot()
	for _, c := range commands(root) {
		if strings.Contains(c.Use, "…") || c.Name() == "completion" {
			continue
		}
		takes := len(strings.Fields(c.Use)) - 1
		if err := c.ValidateArgs(slices.Repeat([]string{"x"}, takes)); err != nil {
			t.Errorf("%s: %v", c.UseLine(), err)
		}
		var e *spool.Error
		if err := c.ValidateArgs(slices.Repeat([]string{"x"}, takes+1)); !errors.As(err, &e) || e.Code != "unexpected-argument" {
			t.Errorf("%s: with an argument too many: %v", c.UseLine(), err)
		}
	}
}

// A line of a list that spool add cannot hand in is told with what to do.
func TestAddSaysWhatToDoAboutALine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"list.txt": "https://example.com/v.mp4 titel=x\n", "token": strings.Repeat("t", 40)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, said := typed(t, "add", "-f", filepath.Join(dir, "list.txt"), "--api", "http://127.0.0.1:1", "--token-file", filepath.Join(dir, "token"),
		"--to", filepath.Join(dir, "bucket"), "--state", filepath.Join(dir, "state"))
	want := "refused line 1 of " + filepath.Join(dir, "list.txt") + `: this line says "titel", which is not known here` + "\n  hint: did you mean title?\n"
	if code != exitSomeFailed || said != want {
		t.Errorf("%d\n%swant\n%s", code, said, want)
	}
}
