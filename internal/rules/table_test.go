package rules_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spool-video/spool/internal/rules"
)

var update = flag.Bool("update", false, "write docs/rules.md anew")

const page = "../../docs/rules.md"

// The table of docs/rules.md is this package's Table.
func TestRulesAreDocumented(t *testing.T) {
	var b strings.Builder
	b.WriteString("| rule | level | what it says | source |\n|---|---|---|---|\n")
	for _, r := range rules.Table {
		fmt.Fprintf(&b, "| %d | %s | %s | %s |\n", r.Number, r.Level, r.Says, r.Source)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(text), "| rule |")
	if !found {
		t.Fatal("docs/rules.md has no table")
	}
	_, after, _ := strings.Cut(string(text), "\n\n<!-- end of the table -->")
	whole := before + strings.TrimSuffix(b.String(), "\n") + "\n\n<!-- end of the table -->" + after
	if *update {
		if err := os.WriteFile(page, []byte(whole), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if whole != string(text) {
		t.Error("docs/rules.md is not what the table says: go test ./internal/rules -run Documented -update")
	}
}

func TestTableIsInOrder(t *testing.T) {
	if !slices.IsSortedFunc(rules.Table, func(a, b rules.Rule) int { return a.Number - b.Number }) {
		t.Error("the rules are not in the order of their numbers")
	}
	numbers := map[int]bool{}
	for _, r := range rules.Table {
		numbers[r.Number] = true
		if r.Says == "" || r.Source == "" || r.Number <= 0 {
			t.Errorf("rule %d says nothing, or has no source", r.Number)
		}
	}
	if len(numbers) <= 80 {
		t.Errorf("README.md and CHANGELOG.md say that there are more than 80 rules, and there are %d", len(numbers))
	}
}

var inDoc = regexp.MustCompile(`rules? (\d+)`)

// A check is one function, and its comment begins with the number of its rule.
func TestChecksNameTheirRule(t *testing.T) {
	comments := map[string]string{}
	var table *ast.File
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		tree, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if name == "table.go" {
			table = tree
		}
		for _, d := range tree.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				comments[f.Name.Name] = f.Doc.Text()
			}
		}
	}
	checked := 0
	ast.Inspect(table, func(n ast.Node) bool {
		row, ok := n.(*ast.CompositeLit)
		if !ok || len(row.Elts) != 5 {
			return true
		}
		number := row.Elts[0].(*ast.BasicLit).Value
		ast.Inspect(row.Elts[4], func(n ast.Node) bool {
			name, ok := n.(*ast.Ident)
			if !ok || name.Name == "check" || name.Name == "told" || strings.HasPrefix(name.Name, "each") {
				return true
			}
			checked++
			if m := inDoc.FindStringSubmatch(comments[name.Name]); m == nil || m[1] != number {
				t.Errorf("%s checks rule %s, and its comment does not say so", name.Name, number)
			}
			return true
		})
		return false
	})
	if checked < 60 {
		t.Errorf("only %d checks were looked at", checked)
	}
}
