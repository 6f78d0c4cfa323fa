package spool_test

import (
	"bufio"
	"go/ast"
	"go/token"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// unfinished are words that belong in no finished file. A list of one's own,
// regular expressions separated by spaces, is given in SPOOL_FORBIDDEN_WORDS.
const unfinished = `\b(TODO|FIXME|XXX)\b`

var (
	code       = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	quoted     = regexp.MustCompile("`([^`]+)`")
	link       = regexp.MustCompile(`\]\(([^)\s]+)(?:\s+"[^"]*")?\)`)
	image      = regexp.MustCompile(`<img[^>]+src="([^"]+)"`)
	lineNumber = regexp.MustCompile(`\.go:[0-9]+|\.go#L[0-9]+`)
	target     = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
	makeCall   = regexp.MustCompile(`(?:^|[\s;&|(])make ([a-z][a-z-]*)`)
	spoolCall  = regexp.MustCompile(`(?:^|[\s;&|(]|\./|bin/)spool ([a-z][a-z-]*)`)
)

// page is one Markdown file.
type page struct {
	name, text string
}

func pages(t *testing.T) []page {
	t.Helper()
	var found []page
	err := walk(func(name string) error {
		if path.Ext(name) != ".md" {
			return nil
		}
		text, err := os.ReadFile(name)
		found = append(found, page{name, string(text)})
		return err
	})
	if err != nil {
		t.Fatalf("read the documents: %v", err)
	}
	return found
}

func TestLinksLeadSomewhere(t *testing.T) {
	for _, p := range pages(t) {
		prose := code.ReplaceAllString(p.text, "")
		targets := append(link.FindAllStringSubmatch(prose, -1), image.FindAllStringSubmatch(prose, -1)...)
		for _, m := range targets {
			to, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
				continue
			}
			file := p.name
			if to != "" {
				file = path.Join(path.Dir(p.name), to)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %s: %v", p.name, m[1], err)
				continue
			}
			if anchor != "" && path.Ext(file) == ".md" && !hasHeading(t, file, anchor) {
				t.Errorf("%s links to %s: there is no such heading", p.name, m[1])
			}
		}
	}
}

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// hasHeading reports whether a heading of the file has the anchor, as GitHub
// makes it: lower case, without punctuation, hyphens for spaces.
func hasHeading(t *testing.T, file, anchor string) bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		heading := strings.TrimLeft(line, "#")
		if heading == line {
			continue
		}
		made := notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
		if strings.ReplaceAll(made, " ", "-") == anchor {
			return true
		}
	}
	return false
}

// TestDocumentsNameSymbols: a line number is wrong after the next change.
func TestDocumentsNameSymbols(t *testing.T) {
	for _, p := range pages(t) {
		if found := lineNumber.FindString(p.text); found != "" {
			t.Errorf("%s points at %s; name the function or type instead", p.name, found)
		}
	}
	for _, f := range sources(t) {
		for _, comment := range f.tree.Comments {
			if found := lineNumber.FindString(comment.Text()); found != "" {
				t.Errorf("%s points at %s; name the function or type instead", f.at(comment), found)
			}
		}
	}
}

// TestDocumentedCommandsExist: what a page shows in code can be typed.
func TestDocumentedCommandsExist(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, m := range target.FindAllStringSubmatch(string(makefile), -1) {
		targets = append(targets, m[1])
	}
	commands := append(commandNames(t), "help", "completion")
	for _, p := range pages(t) {
		for _, line := range codeLines(p.text) {
			for _, m := range makeCall.FindAllStringSubmatch(line, -1) {
				if !slices.Contains(targets, m[1]) {
					t.Errorf("%s shows make %s, which the Makefile does not have", p.name, m[1])
				}
			}
			for _, m := range spoolCall.FindAllStringSubmatch(line, -1) {
				if !slices.Contains(commands, m[1]) {
					t.Errorf("%s shows spool %s, which is no command", p.name, m[1])
				}
			}
		}
	}
}

// codeLines are the commands of a page: what stands in fenced blocks of a
// shell, after the prompt where there is one, and between single backticks.
func codeLines(text string) []string {
	var lines []string
	fence := ""
	scan := bufio.NewScanner(strings.NewReader(text))
	for scan.Scan() {
		line := strings.TrimSpace(scan.Text())
		if rest, ok := strings.CutPrefix(line, "```"); ok {
			if fence == "" {
				fence = "```" + rest
			} else {
				fence = ""
			}
			continue
		}
		switch fence {
		case "":
			for _, m := range quoted.FindAllStringSubmatch(line, -1) {
				lines = append(lines, m[1])
			}
		case "```sh", "```bash", "```shell":
			line, _, _ = strings.Cut(line, " # ")
			lines = append(lines, strings.TrimPrefix(line, "$ "))
		case "```console":
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				lines = append(lines, command)
			}
		}
	}
	return lines
}

// commandNames are the first words of the Use fields in cmd/spool.
func commandNames(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, f := range sources(t) {
		if f.dir != "cmd/spool" || f.test {
			continue
		}
		ast.Inspect(f.tree, func(n ast.Node) bool {
			field, ok := n.(*ast.KeyValueExpr)
			if !ok {
				return true
			}
			key, _ := field.Key.(*ast.Ident)
			value, _ := field.Value.(*ast.BasicLit)
			if key == nil || key.Name != "Use" || value == nil || value.Kind != token.STRING {
				return true
			}
			use, err := strconv.Unquote(value.Value)
			if err == nil {
				name, _, _ := strings.Cut(use, " ")
				names = append(names, name)
			}
			return true
		})
	}
	return names
}

// TestTheMapIsWhole: docs/architecture.md has room for every package, on 100
// lines.
func TestTheMapIsWhole(t *testing.T) {
	text, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); lines > 100 {
		t.Errorf("docs/architecture.md has %d lines; a map of more than 100 is not read", lines)
	}
	for dir := range law {
		if dir != "." && !strings.Contains(string(text), "`"+strings.TrimPrefix(dir, "internal/")+"`") {
			t.Errorf("docs/architecture.md does not name `%s`", strings.TrimPrefix(dir, "internal/"))
		}
	}
}

func TestNothingIsUnfinished(t *testing.T) {
	words := regexp.MustCompile(strings.Join(append(strings.Fields(os.Getenv("SPOOL_FORBIDDEN_WORDS")), unfinished), "|"))
	// The two files that must name the words.
	speakOfThem := []string{"docs_test.go", ".golangci.yml"}
	written := []string{".go", ".md", ".txt", ".txtar", ".sql", ".yml", ".yaml", ".html", ".css", ""}
	err := walk(func(name string) error {
		if slices.Contains(speakOfThem, name) || !slices.Contains(written, path.Ext(name)) {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if found := words.Find(text); found != nil {
			t.Errorf("%s says %q", name, found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
