// Package process starts other programs, and is the only package that does.
//
// A child gets a process group of its own, a minimal environment and limits.
// When the context ends, the group is asked to end (SIGTERM) and, after a
// grace, killed (SIGKILL); when the child has ended by itself, whatever it
// left behind in its group is killed too. Standard error is read to its end
// and its tail is part of the error.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	defaultGrace = 5 * time.Second
	// drainDelay is how long output may still arrive after the child has
	// ended: only a grandchild that left the group can hold it open.
	drainDelay = 2 * time.Second
	// maxOutput bounds what Run keeps of standard output, in bytes.
	maxOutput = 64 << 20
)

// Command says what to run. The zero values of all fields but Path are useful.
type Command struct {
	Path  string   // of the program; a bare name is looked up in PATH
	Args  []string // without the program's name
	Dir   string   // working folder; also HOME and TMPDIR of the child
	Env   []string // added to the minimal environment; "KEY=value", later ones win
	Stdin io.Reader
	// Feed, when it is set, writes the standard input instead of Stdin. Its
	// context ends with the child, which may end before it has read all. When
	// it fails the child is stopped, and Wait gives its error.
	Feed   func(ctx context.Context, w io.Writer) error
	Stdout io.Writer
	Pipes  int // extra pipes to read from: the child's file descriptors 3, 4, …
	Limits Limits
	Nice   int           // added to the priority; 0 leaves it
	Grace  time.Duration // between SIGTERM and SIGKILL; 5 s when 0
	Tag    string        // marks the child's environment for KillLeftovers
	// Confine is all that the child may touch, as far as the kernel can hold it
	// to that. Nil: whatever its user may.
	Confine *Confine
}

// Limits are what the kernel enforces on the child; 0 means no limit. They
// hold on Linux only.
type Limits struct {
	AddressSpace uint64 // bytes
	FileSize     uint64 // bytes of any one file that it writes
	CPUSeconds   uint64
	OpenFiles    uint64
}

// Process is a child that was started. Wait must be called once.
type Process struct {
	cmd       *exec.Cmd
	path      string
	pipes     []*os.File // read ends
	tail      *tail
	grace     time.Duration
	ended     chan struct{} // closed when the child was reaped and its output read
	watched   chan struct{} // closed when the watch on the context has ended
	err       error         // of cmd.Wait; owned by the goroutine that closes ended
	signalled atomic.Bool   // the watch has asked the group to end
	ctx       func() error  // the cause of the context's end
	cancel    context.CancelCauseFunc
	feed      *feeding // nil without one
}

// Start starts the child. It is killed when ctx ends.
func Start(ctx context.Context, c Command) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(c.Path), context.Cause(ctx))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	p := &Process{
		cancel: cancel, path: c.Path, tail: &tail{limit: tailSize}, grace: c.Grace,
		ended: make(chan struct{}), watched: make(chan struct{}),
		ctx: func() error { return context.Cause(ctx) },
	}
	if p.grace <= 0 {
		p.grace = defaultGrace
	}
	p.cmd = exec.Command(c.Path, c.Args...)
	p.cmd.Dir = c.Dir
	p.cmd.Env = environment(c)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = c.Stdin, c.Stdout, p.tail
	p.cmd.WaitDelay = drainDelay
	p.cmd.SysProcAttr = attributes()
	err := p.openFeed(c)
	if err == nil {
		err = p.openPipes(c.Pipes)
	}
	if err == nil {
		started := make(chan error)
		go ownThread(func() bool { return p.live(c, started) })
		err = <-started
	}
	if err != nil {
		p.closePipes()
		p.closeFeed()
		cancel(nil)
		return nil, fmt.Errorf("start %s: %w", filepath.Base(c.Path), err)
	}
	go p.watch(ctx.Done())
	p.startFeed(ctx, c)
	return p, nil
}

// openPipes makes n pipes and gives their write ends to the child.
func (p *Process) openPipes(n int) error {
	for range n {
		r, w, err := os.Pipe()
		if err != nil {
			p.closePipes()
			p.closeChildEnds()
			return err
		}
		p.pipes = append(p.pipes, r)
		p.cmd.ExtraFiles = append(p.cmd.ExtraFiles, w)
	}
	return nil
}

func (p *Process) closePipes() {
	for _, f := range p.pipes {
		_ = f.Close() // a second Close says only that it was closed
	}
}

func (p *Process) closeChildEnds() {
	for _, f := range p.cmd.ExtraFiles {
		_ = f.Close()
	}
}

// live starts the child and waits for it, all on one thread: the kernel sends
// the parent-death signal when the thread that started the child ends. A
// confined child inherits what its thread was confined to, which nothing takes
// back: that thread is of no use to others, and live says so.
func (p *Process) live(c Command, started chan<- error) (spoiled bool) {
	var err error
	if c.Confine != nil && p.cmd.Err == nil {
		spoiled, err = c.Confine.enter(p.cmd.Path, p.cmd.SysProcAttr)
	}
	if err == nil {
		err = p.cmd.Start()
	}
	p.closeChildEnds()
	if err == nil {
		if err = restrict(p.cmd.Process.Pid, c.Limits, c.Nice); err != nil {
			killGroup(p.cmd.Process.Pid, syscall.SIGKILL)
			_ = p.cmd.Wait() // it was killed; the reason is err
		}
	}
	started <- err
	if err != nil {
		return spoiled
	}
	p.err = reap(p.cmd)
	close(p.ended)
	return spoiled
}

// watch ends the group when the context ends before the child does.
func (p *Process) watch(done <-chan struct{}) {
	defer close(p.watched)
	select {
	case <-p.ended:
		return
	case <-done:
	}
	p.signalled.Store(true)
	killGroup(p.cmd.Process.Pid, syscall.SIGTERM)
	timer := time.NewTimer(p.grace)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		killGroup(p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.ended
	}
	// Nobody needs what a cancelled child wrote, and a reader must not wait
	// for a grandchild that left the group with the pipe in its hand.
	p.closePipes()
}

// Pipe gives the read end of extra pipe i (from 0: the child's descriptor
// 3+i). It must be read to its end, or the context ended: else the child
// blocks in writing and Wait never returns.
func (p *Process) Pipe(i int) io.Reader { return p.pipes[i] }

// Wait waits until the child has ended. The error is *ExitError when the child
// failed by itself, and wraps the context's cause when it was stopped.
func (p *Process) Wait() error {
	<-p.ended
	p.endFeed()
	<-p.watched
	defer p.cancel(nil)
	err := p.exitError()
	if !p.signalled.Load() {
		return err
	}
	stopped := fmt.Errorf("stop %s: %w", filepath.Base(p.path), p.ctx())
	var exit *ExitError
	if errors.As(err, &exit) && !exit.asked() {
		// It failed on its own account while it was being stopped: both matter.
		return fmt.Errorf("%w, %w", stopped, exit)
	}
	return stopped
}

func (p *Process) exitError() error {
	if p.err == nil {
		return nil
	}
	var exit *exec.ExitError
	if !errors.As(p.err, &exit) {
		return fmt.Errorf("run %s: %w", filepath.Base(p.path), p.err)
	}
	e := &ExitError{Path: p.path, Code: exit.ExitCode(), Stderr: p.tail.String()}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		e.Signal = status.Signal()
	}
	return e
}

// Stderr is the tail of what the child has written to standard error so far.
func (p *Process) Stderr() string { return p.tail.String() }

// Run runs the child to its end and gives its standard output, at most 64 MB.
// Command.Stdout is not used.
func Run(ctx context.Context, c Command) ([]byte, error) {
	var out capped
	c.Stdout = &out
	p, err := Start(ctx, c)
	if err != nil {
		return nil, err
	}
	err = p.Wait()
	return out.buf.Bytes(), err
}

// capped is a buffer that refuses to grow beyond maxOutput.
type capped struct{ buf bytes.Buffer }

var errTooMuch = errors.New("more output than expected")

func (c *capped) Write(b []byte) (int, error) {
	if c.buf.Len()+len(b) > maxOutput {
		return 0, errTooMuch
	}
	return c.buf.Write(b)
}

// environment is all that a child sees of ours: no tokens, no LD_PRELOAD.
func environment(c Command) []string {
	home := c.Dir
	if home == "" {
		home = os.TempDir()
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "LANG=C.UTF-8",
	}
	if c.Tag != "" {
		env = append(env, marker+c.Tag)
	}
	return append(env, c.Env...)
}
