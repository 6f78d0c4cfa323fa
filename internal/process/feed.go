package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
)

// feeding is what writes a child's standard input.
type feeding struct {
	child, ours *os.File // ends of the pipe
	stop        context.CancelFunc
	done        chan struct{} // closed when the writer has ended
}

// openFeed makes the pipe.
func (p *Process) openFeed(c Command) error {
	if c.Feed == nil {
		return nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	p.feed = &feeding{child: r, ours: w, done: make(chan struct{})}
	p.cmd.Stdin = r
	return nil
}

// closeFeed closes the pipe of a child that did not start.
func (p *Process) closeFeed() {
	if p.feed != nil {
		_, _ = p.feed.child.Close(), p.feed.ours.Close() // nothing was written
	}
}

// startFeed begins to write. An end of input that is not that of the source
// must not look like it: when the writer fails the child is stopped before its
// input ends, and Wait gives the writer's error.
func (p *Process) startFeed(ctx context.Context, c Command) {
	f := p.feed
	if f == nil {
		return
	}
	_ = f.child.Close() // the child has its own
	ctx, f.stop = context.WithCancel(ctx)
	go func() {
		defer close(f.done)
		defer f.ours.Close() //nolint:errcheck // what was written is in the pipe
		err := c.Feed(ctx, f.ours)
		if err == nil || errors.Is(err, syscall.EPIPE) || ctx.Err() != nil {
			return
		}
		p.cancel(err)
		<-p.ended
	}()
}

// endFeed ends the writer when the child has ended, and waits for it.
func (p *Process) endFeed() {
	if p.feed != nil {
		p.feed.stop()
		<-p.feed.done
	}
}
