package main

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// child is a run of spool as a process of its own.
type child struct {
	cmd   *exec.Cmd
	out   *lines
	ended chan struct{}
}

func (c *child) said() string { return c.out.String() }

// patient is how long a child may take to say or to do what is expected of it.
// It ends what hangs, so it is far longer than anything takes on a busy machine.
const patient = 4 * time.Minute

// await waits until the child has said something.
func (c *child) await(t *testing.T, what string) {
	t.Helper()
	want := regexp.MustCompile(what)
	late := time.After(patient)
	for {
		text, more := c.out.look()
		if want.MatchString(text) {
			return
		}
		select {
		case <-more:
		case <-c.ended:
			if text := c.said(); !want.MatchString(text) {
				t.Fatalf("it ended with %d and never said %q:\n%s", c.cmd.ProcessState.ExitCode(), what, text)
			}
			return
		case <-late:
			_ = c.cmd.Process.Signal(syscall.SIGQUIT) // it says what it waits for
			<-c.ended
			t.Fatalf("it never said %q:\n%s", what, c.said())
		}
	}
}

// end waits for the child to end by itself, with code, and gives what it said.
func (c *child) end(t *testing.T, code int) string {
	t.Helper()
	select {
	case <-c.ended:
	case <-time.After(patient):
		_ = c.cmd.Process.Signal(syscall.SIGQUIT) // it says where it hangs
		<-c.ended
		t.Fatalf("it does not end:\n%s", c.said())
	}
	if got := c.cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("it ended with %d, want %d:\n%s", got, code, c.said())
	}
	return c.said()
}

func (c *child) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func launch(t *testing.T, cmd *exec.Cmd) *child {
	t.Helper()
	c := &child{cmd: cmd, out: newLines(), ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = c.out, c.out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // how it ended is in ProcessState
		close(c.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-c.ended
	})
	return c
}

func needTools(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
	}
}

// lines is what a process has said, for whoever waits for a word of it.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed and made anew at every write
}

func newLines() *lines { return &lines{more: make(chan struct{})} }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.more)
	l.more = make(chan struct{})
	return l.text.Write(p)
}

func (l *lines) String() string {
	text, _ := l.look()
	return text
}

func (l *lines) look() (string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String(), l.more
}
