// Command skips names the tests that a run skipped, with the reason of each.
// Where CI=true it fails if one of them is not on the list of those that may
// be skipped, so that green never means "not run".
//
//	skips -allow LIST TEST-JSON
//
// TEST-JSON is what `go test -json` printed; LIST has a package's path and a
// test's name a line, and # before a comment.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() { os.Exit(run(os.Args[1:], os.Getenv("CI") == "true", os.Stdout, os.Stderr)) }

func run(args []string, ci bool, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("skips", flag.ContinueOnError)
	flags.SetOutput(stderr)
	list := flags.String("allow", "", "the file that names the tests that may be skipped")
	if err := flags.Parse(args); err != nil || flags.NArg() != 1 {
		fmt.Fprintln(stderr, "usage: skips -allow LIST TEST-JSON")
		return 2
	}
	refused, err := check(flags.Arg(0), *list, stdout)
	if err != nil {
		fmt.Fprintf(stderr, "skips: %v\n", err)
		return 2
	}
	if ci && refused > 0 {
		fmt.Fprintf(stderr, "skips: %d skipped tests are not in %s\n", refused, *list)
		return 1
	}
	return 0
}

// check prints the skipped tests and counts those that are not on the list.
func check(events, list string, out io.Writer) (int, error) {
	allowed, err := readList(list)
	if err != nil {
		return 0, err
	}
	file, err := os.Open(events)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	skipped, err := find(file)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", events, err)
	}
	refused := 0
	for _, s := range skipped {
		note := ""
		if !s.in(allowed) {
			refused++
			note = " (not on the list)"
		}
		fmt.Fprintf(out, "SKIPPED %s %s: %s%s\n", s.pkg, s.test, s.reason, note)
	}
	return refused, nil
}

// skip is one skipped test.
type skip struct{ pkg, test, reason string }

// in reports whether the list names the test: by its package's whole path or
// the end of it.
func (s skip) in(allowed [][2]string) bool {
	for _, a := range allowed {
		if a[1] == s.test && (s.pkg == a[0] || strings.HasSuffix(s.pkg, "/"+a[0])) {
			return true
		}
	}
	return false
}

func readList(name string) ([][2]string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var allowed [][2]string
	for number, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 2 {
			return nil, fmt.Errorf("%s line %d: want a package and a test", name, number+1)
		}
		allowed = append(allowed, [2]string{fields[0], fields[1]})
	}
	return allowed, nil
}

// event is one line of `go test -json`.
type event struct{ Action, Package, Test, Output string }

// find gives the skipped tests in the order in which they ended. A package
// without test files is no skipped test.
func find(r io.Reader) ([]skip, error) {
	said := map[[2]string]string{}
	var skipped []skip
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if jsonErr := json.Unmarshal(line, &e); jsonErr != nil {
				return nil, jsonErr
			}
			key := [2]string{e.Package, e.Test}
			switch {
			case e.Test == "":
			case e.Action == "output":
				said[key] += e.Output
			case e.Action == "skip":
				skipped = append(skipped, skip{e.Package, e.Test, reason(said[key])})
				delete(said, key)
			case e.Action == "pass", e.Action == "fail":
				delete(said, key)
			}
		}
		if errors.Is(err, io.EOF) {
			return skipped, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// reason is what the test itself printed, without the lines of go test.
func reason(output string) string {
	var said []string
	for _, line := range strings.Split(output, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		said = append(said, line)
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}
