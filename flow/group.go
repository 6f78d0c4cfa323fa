package flow

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// errGone stands for a task whose goroutine ended without returning, by
// runtime.Goexit.
var errGone = errors.New("flow: a task ended without returning")

// Group is the tasks of one Run.
type Group struct {
	// ctx is that of the Run, which waits for all that uses it.
	ctx      context.Context         //nolint:containedctx // see above
	cancel   context.CancelCauseFunc // the first call wins: it is the Run's error
	running  sync.WaitGroup
	panicked atomic.Pointer[Panic] // the first one
}

// Panic is what Run panics with when a task panicked.
type Panic struct {
	Value any    // what the task panicked with
	Stack []byte // of the task, when it did
}

func (p *Panic) String() string {
	return fmt.Sprintf("flow: a task panicked: %v\n\n%s", p.Value, p.Stack)
}

// Error is String: a Panic that somebody recovers can be returned as an error.
func (p *Panic) Error() string { return p.String() }

// Run calls start, which starts tasks, and returns when all of them have
// ended: nil when all returned nil, else the first error. The first error ends
// the context of the other tasks. When ctx ends, Run returns its cause,
// whatever the tasks made of it. When a task panics the others are ended in
// the same way, and Run panics with a *[Panic].
func Run(ctx context.Context, start func(g *Group)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g := &Group{ctx: ctx, cancel: cancel}
	func() {
		defer g.running.Wait()
		g.do(func(context.Context) error { start(g); return nil })
	}()
	if p := g.panicked.Load(); p != nil {
		panic(p)
	}
	return context.Cause(ctx)
}

// Go starts a task. Tasks may start further ones; Run waits for them too.
func (g *Group) Go(task func(ctx context.Context) error) {
	g.running.Go(func() { g.do(task) })
}

// do runs a task to its end, however it ends.
func (g *Group) do(task func(ctx context.Context) error) {
	err := errGone
	defer func() {
		if v := recover(); v != nil {
			g.panicked.CompareAndSwap(nil, &Panic{Value: v, Stack: debug.Stack()})
		}
		if err != nil {
			g.cancel(err)
		}
	}()
	err = task(g.ctx)
}

// Produce starts n tasks that fill out: each one calls put for its items,
// which waits while out is full. When all n have returned nil, out is closed.
func Produce[T any](g *Group, n int, out *Queue[T], produce func(ctx context.Context, put func(T) error) error) {
	team(g, n, out.Close, func(ctx context.Context) error {
		return produce(ctx, func(v T) error { return out.Put(ctx, v) })
	})
}

// Pipe starts n tasks that take an item from in, make another one of it and
// put that into out. When in is closed and everything of it has gone through,
// out is closed. With n = 1 the order is kept.
func Pipe[In, Out any](g *Group, n int, in *Queue[In], out *Queue[Out], work func(context.Context, In) (Out, error)) {
	team(g, n, out.Close, func(ctx context.Context) error {
		return drain(ctx, in, func(ctx context.Context, v In) error {
			made, err := work(ctx, v)
			if err != nil {
				return err
			}
			return out.Put(ctx, made)
		})
	})
}

// Consume starts n tasks that take items from in until it is closed and empty.
func Consume[T any](g *Group, n int, in *Queue[T], consume func(context.Context, T) error) {
	team(g, n, func() {}, func(ctx context.Context) error { return drain(ctx, in, consume) })
}

// team starts n tasks, at least one, and calls finish when the last of them
// has returned nil. After an error there is no finish: the context ends the
// others, and an end that is not one is never announced.
func team(g *Group, n int, finish func(), task func(context.Context) error) {
	n = max(n, 1)
	var left atomic.Int64
	left.Store(int64(n))
	for range n {
		g.Go(func(ctx context.Context) error {
			if err := task(ctx); err != nil {
				return err
			}
			if left.Add(-1) == 0 {
				finish()
			}
			return nil
		})
	}
}

func drain[T any](ctx context.Context, in *Queue[T], each func(context.Context, T) error) error {
	for {
		v, err := in.Take(ctx)
		if errors.Is(err, ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := each(ctx, v); err != nil {
			return err
		}
	}
}
