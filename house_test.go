package spool_test

import (
	"go/ast"
	"go/token"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// longestFile is in lines. What is longer has two subjects.
const longestFile = 400

// namesOfNothing say that somebody did not find the word.
var namesOfNothing = []string{"base", "common", "helper", "helpers", "lib", "misc", "model", "models", "shared", "types", "util", "utils"}

var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

func TestFilesAreShort(t *testing.T) {
	for _, f := range sources(t) {
		if lines := strings.Count(f.text, "\n"); lines > longestFile && !generated.MatchString(f.text) {
			t.Errorf("%s has %d lines; at most %d: give its second subject a file of its own", f.name, lines, longestFile)
		}
	}
}

func TestPackagesAreNamedForWhatTheyDo(t *testing.T) {
	folders := map[string]string{} // last name → folder
	libraries := libraries(t)
	documented := map[string]bool{}
	for _, f := range sources(t) {
		for _, imported := range f.imports() {
			if standard(imported) {
				libraries[path.Base(imported)] = imported
			}
		}
		documented[f.dir] = documented[f.dir] || f.tree.Doc != nil && !f.test
		if f.dir == "." || f.tree.Name.Name == "main" {
			continue
		}
		name := path.Base(f.dir)
		if other, taken := folders[name]; taken && other != f.dir {
			t.Errorf("%s and %s have the same last name; call one of them something else", other, f.dir)
		}
		folders[name] = f.dir
		if slices.Contains(namesOfNothing, name) {
			t.Errorf("%s says nothing: name the package for what it does for a video", f.dir)
		}
		if want := strings.ReplaceAll(name, "-", ""); f.tree.Name.Name != want && f.tree.Name.Name != want+"_test" {
			t.Errorf("%s is package %s; its folder says %s", f.name, f.tree.Name.Name, want)
		}
	}
	for name, dir := range folders {
		if library, taken := libraries[name]; taken {
			t.Errorf("%s is named as %s, a library that is used here; call it something else", dir, library)
		}
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment: say in one paragraph what it is for and what it promises", dir)
		}
	}
}

var (
	majorVersion = regexp.MustCompile(`/v[0-9]+$`)
	indirect     = regexp.MustCompile(`(?m)^.*// indirect$`)
	required     = regexp.MustCompile(`(?m)^(?:require )?\s*([a-z0-9.-]+\.[a-z]+/\S+) v`)
)

// libraries are the modules of go.mod that are used here, by the last part of
// their names.
func libraries(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	direct := indirect.ReplaceAllString(string(text), "")
	for _, m := range required.FindAllStringSubmatch(direct, -1) {
		names[path.Base(majorVersion.ReplaceAllString(m[1], ""))] = m[1]
	}
	if len(names) == 0 {
		t.Fatal("go.mod names no library")
	}
	return names
}

func TestNothingSleeps(t *testing.T) {
	for _, f := range sources(t) {
		ast.Inspect(f.tree, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && called(call) == "time.Sleep" {
				t.Errorf("%s: time.Sleep: wait for the event, or select on a timer and the context", f.at(n))
			}
			return true
		})
	}
}

// TestErrorsAreNotReadAsText finds code that decides by an error's words. The
// words are for people and change; errors.Is, errors.As and codes do not.
func TestErrorsAreNotReadAsText(t *testing.T) {
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		ast.Inspect(f.tree, func(n ast.Node) bool {
			if readsText(n) {
				t.Errorf("%s: decides by an error's text; use errors.Is, errors.As or a code", f.at(n))
			}
			return true
		})
	}
}

func readsText(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		return (n.Op == token.EQL || n.Op == token.NEQ) && (isErrorText(n.X) || isErrorText(n.Y))
	case *ast.SwitchStmt:
		return n.Tag != nil && isErrorText(n.Tag)
	case *ast.CallExpr:
		looks := []string{"strings.Contains", "strings.HasPrefix", "strings.HasSuffix", "strings.EqualFold", "strings.Index", "regexp.MatchString"}
		return slices.Contains(looks, called(n)) && slices.ContainsFunc(n.Args, isErrorText)
	}
	return false
}

// isErrorText reports whether e is a call of a method Error without arguments.
func isErrorText(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok || len(call.Args) != 0 {
		return false
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	return ok && method.Sel.Name == "Error"
}

// called is a call of a package's function as it is written, "time.Sleep", or
// "" for others.
func called(call *ast.CallExpr) string {
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	of, ok := fun.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return of.Name + "." + fun.Sel.Name
}

// TestSkipsHaveAReason: a test that is skipped says what was missing.
func TestSkipsHaveAReason(t *testing.T) {
	for _, f := range sources(t) {
		ast.Inspect(f.tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			of, what, _ := strings.Cut(called(call), ".")
			isSkip := strings.HasPrefix(what, "Skip") && slices.Contains([]string{"t", "b", "f", "tb"}, of)
			if isSkip && (what == "SkipNow" || len(call.Args) == 0) {
				t.Errorf("%s: skip with a sentence that says what is missing", f.at(n))
			}
			return true
		})
	}
}

// TestOneRoomStartsProcesses: groups, limits and the last words of stderr are
// right in one place, or nowhere. The benchmark shares no code with what it
// measures.
func TestOneRoomStartsProcesses(t *testing.T) {
	starts := []string{"exec.Command", "exec.CommandContext", "os.StartProcess", "syscall.ForkExec", "syscall.StartProcess", "syscall.Exec", "unix.Exec"}
	for _, f := range sources(t) {
		if f.test || f.dir == "internal/process" || f.dir == "bench" {
			continue
		}
		ast.Inspect(f.tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if ok && slices.Contains(starts, called(call)) {
				t.Errorf("%s: %s: only internal/process starts processes", f.at(n), called(call))
			}
			return true
		})
	}
}

// Whoever reads what strangers made is confined: commands for that are built in
// one place, which does so.
func TestStagesDoNotBuildCommands(t *testing.T) {
	for _, f := range sources(t) {
		if strings.HasPrefix(f.dir, "internal/stage/") && !f.test && commandLiteral.MatchString(f.text) {
			t.Errorf("%s builds a process.Command itself; Command of ffmpeg.Tools confines it, too", f.name)
		}
	}
}

var commandLiteral = regexp.MustCompile(`process\.Command\{[^}]`)

// TestContractsAreKept: a contract has one conformance suite, <contract>test,
// and every engine, one folder below the contract, runs it in its tests.
func TestContractsAreKept(t *testing.T) {
	engineOf := map[string]string{} // engine's folder → suite
	runs := map[string]bool{}       // engine's folder
	suites := map[string]bool{}
	files := sources(t)
	for _, f := range files {
		contract := path.Dir(f.dir)
		if !slices.Contains(contracts, contract) {
			continue
		}
		suite := contract + "/" + path.Base(contract) + "test"
		if f.dir == suite {
			suites[suite] = true
			continue
		}
		engineOf[f.dir] = suite
		runs[f.dir] = runs[f.dir] || f.test && callsSuite(f, path.Base(suite))
	}
	for _, contract := range contracts {
		if suite := contract + "/" + path.Base(contract) + "test"; !suites[suite] {
			t.Errorf("the contract %s has no conformance suite %s", contract, suite)
		}
	}
	for engine, suite := range engineOf {
		if !runs[engine] {
			t.Errorf("%s does not run %s.Run in its tests", engine, path.Base(suite))
		}
	}
}

func callsSuite(f source, suite string) bool {
	found := false
	ast.Inspect(f.tree, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		found = found || ok && called(call) == suite+".Run"
		return !found
	})
	return found
}
