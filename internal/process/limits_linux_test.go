package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestFileSizeLimit(t *testing.T) {
	c := fake("big")
	c.Dir = t.TempDir()
	c.Limits.FileSize = 64 << 10
	_, err := Run(t.Context(), c)
	var exit *ExitError
	if !errors.As(err, &exit) || !strings.Contains(exit.Stderr, syscall.EFBIG.Error()) {
		t.Fatalf("got %v", err)
	}
	if info, err := os.Stat(c.Dir + "/big"); err != nil || info.Size() != 64<<10 {
		t.Errorf("wrote %v, %v", info, err)
	}
}

func TestLimitsAndPriorityReachTheChild(t *testing.T) {
	c := fake("hang")
	c.Limits = Limits{AddressSpace: 5 << 30, CPUSeconds: 77, OpenFiles: 99}
	c.Nice = 7
	out := lines(&c)
	p := start(t, t.Context(), c)
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(limits)), " ")
	for _, want := range []string{
		"Max address space 5368709120 5368709120", "Max cpu time 77 77",
		"Max open files 99 99", "Max core file size 0 0",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')'):])); f[17] != "7" {
		t.Errorf("priority %s", f[17])
	}
	killGroup(p.cmd.Process.Pid, syscall.SIGKILL)
	var exit *ExitError
	if err := p.Wait(); !errors.As(err, &exit) || exit.Signal != syscall.SIGKILL {
		t.Errorf("got %v", err)
	}
}

// A leftover is not our descendant: here it is the child of a shell that has
// ended, in a session of its own.
func TestKillLeftovers(t *testing.T) {
	tag := fmt.Sprintf("leftover-%d", os.Getpid())
	shell := exec.Command("setsid", "--fork", os.Args[0])
	shell.Env = []string{"SPOOL_TEST_CHILD=grandchild", marker + tag}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	shell.Stdout = w
	if err := shell.Run(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	b := make([]byte, 32)
	n, err := r.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		t.Fatal(err)
	}
	mine := fake("hang")
	mine.Tag = tag
	out := lines(&mine)
	p := start(t, t.Context(), mine)
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if n, err := KillLeftovers("other"); n != 0 || err != nil {
		t.Errorf("killed %d of another tag, %v", n, err)
	}
	if n, err := KillLeftovers(tag); n < 1 || err != nil {
		t.Errorf("killed %d, %v", n, err)
	}
	gone(t, pid)
	if !marked(p.cmd.Process.Pid, tag) {
		t.Error("a descendant was killed")
	}
	killGroup(p.cmd.Process.Pid, syscall.SIGKILL)
	if err := p.Wait(); err == nil {
		t.Error("the child ended well")
	}
}
