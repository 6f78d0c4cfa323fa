package flow_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// Every Go block of the page that teaches the pattern is, but for indentation,
// a piece of the compiled examples.
func TestPageShowsTheCompiledExamples(t *testing.T) {
	page, err := os.ReadFile("../docs/flow.md")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := goBlock.FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 3 {
		t.Fatalf("the page has %d Go blocks, want at least 3", len(blocks))
	}
	code := unindent(string(examples))
	for _, block := range blocks {
		if !strings.Contains(code, unindent(block[1])) {
			t.Errorf("not in example_test.go:\n%s", block[1])
		}
	}
}

func unindent(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}
