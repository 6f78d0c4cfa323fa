package main

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/spool-video/spool/internal/torturetest"
)

// traced runs a command under strace, which notes what it and its children
// open, and whom they ask.
func (s studio) traced(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	watch := []string{
		"-f", "-qq", "--seccomp-bpf", "-e", "signal=none", "-s", "8192", "-o", s.path("trace"),
		"-e", "trace=execve,open,openat,openat2,connect,bind,sendto,sendmsg", "--", cmd.Path,
	}
	c := exec.CommandContext(t.Context(), "strace", append(watch, cmd.Args[1:]...)...)
	c.Dir, c.Env = cmd.Dir, cmd.Env
	return c
}

var (
	traceCall = regexp.MustCompile(`^(\d+) +(\w+)\((.*)`)
	traceText = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
)

// checkTrace holds that nobody opened what hostile sources point to, nor asked
// anybody, and that each child read the one source that it was given.
func (s studio) checkTrace(t *testing.T, w *torturetest.Workshop) {
	t.Helper()
	f, err := os.Open(s.path("trace"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sources := s.path("in") + "/"
	given := map[string]string{} // process → the source that it was started with
	opened, chosen := 0, false
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := traceCall.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		pid, call, rest := m[1], m[2], m[3]
		network := strings.Contains(rest, "AF_INET")
		var path string
		if text := traceText.FindStringSubmatch(rest); text != nil {
			path = text[1]
		}
		switch {
		case call == "execve":
			given[pid] = ""
			for _, argument := range traceText.FindAllStringSubmatch(rest, -1) {
				if source, found := strings.CutPrefix(argument[1], "file:"+sources); found {
					given[pid] = sources + source
				}
			}
		case call == "bind" && network:
			// Go asks so what addresses there are. A port that somebody chose is
			// something else.
			chosen = chosen || !strings.Contains(rest, "htons(0)")
		case network:
			t.Errorf("somebody was asked: %s", lines.Text())
		case !strings.HasPrefix(call, "open"):
		case path == w.Secret(), strings.HasSuffix(path, "etc/shells"):
			t.Errorf("somebody else's file was opened: %s", lines.Text())
		case strings.HasPrefix(path, sources):
			opened++
			if source, isChild := given[pid]; isChild && source != "" && source != path {
				t.Errorf("a child that was given %s opened %s", source, path)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if opened == 0 || chosen {
		t.Errorf("%d sources were opened, and a port by its number: %v", opened, chosen)
	}
}
