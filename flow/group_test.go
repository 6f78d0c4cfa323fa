package flow_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spool-video/spool/flow"
)

var errBroken = errors.New("broken")

func TestFirstErrorEndsTheOthersAndWaits(t *testing.T) {
	var ended atomic.Int32
	err := flow.Run(t.Context(), func(g *flow.Group) {
		for range 3 {
			g.Go(func(ctx context.Context) error {
				<-ctx.Done()
				ended.Add(1)
				return fmt.Errorf("later: %w", ctx.Err())
			})
		}
		g.Go(func(context.Context) error { return errBroken })
	})
	if err != errBroken || ended.Load() != 3 {
		t.Fatalf("Run = %v with %d of 3 others ended", err, ended.Load())
	}
}

// Tasks that give up quietly when their context ends do not turn an
// interruption into a success.
func TestInterruptedRunIsNoSuccess(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	err := flow.Run(ctx, func(g *flow.Group) {
		g.Go(func(ctx context.Context) error { <-ctx.Done(); return nil })
		cancel(errBroken)
	})
	if err != errBroken {
		t.Fatalf("Run = %v, want the cause of the context's end", err)
	}
}

func TestQueueOfAFailedProducerStaysOpen(t *testing.T) {
	q := flow.NewQueue[int](4)
	sawEnd := false
	err := flow.Run(t.Context(), func(g *flow.Group) {
		flow.Produce(g, 1, q, func(_ context.Context, put func(int) error) error {
			if err := put(1); err != nil {
				return err
			}
			return errBroken
		})
		g.Go(func(ctx context.Context) error {
			for {
				_, err := q.Take(ctx)
				sawEnd = errors.Is(err, flow.ErrClosed)
				if err != nil {
					return err
				}
			}
		})
	})
	if err != errBroken || sawEnd {
		t.Fatalf("Run = %v, consumer saw an end: %v; want broken, false", err, sawEnd)
	}
}

func TestTeamsCloseWhenTheLastIsDone(t *testing.T) {
	var sum atomic.Int64
	err := flow.Run(t.Context(), func(g *flow.Group) {
		numbers, doubled := flow.NewQueue[int](1), flow.NewQueue[int](1)
		flow.Produce(g, 3, numbers, func(_ context.Context, put func(int) error) error {
			for n := range 100 {
				if err := put(n); err != nil {
					return err
				}
			}
			return nil
		})
		flow.Pipe(g, 4, numbers, doubled, func(_ context.Context, n int) (int, error) { return 2 * n, nil })
		flow.Consume(g, 2, doubled, func(_ context.Context, n int) error { sum.Add(int64(n)); return nil })
	})
	if err != nil || sum.Load() != 3*2*4950 {
		t.Fatalf("Run = %v, sum %d; want nil, %d", err, sum.Load(), 3*2*4950)
	}
}

func TestPipeAndConsumeErrors(t *testing.T) {
	for name, stage := range map[string]func(*flow.Group, *flow.Queue[int]){
		"pipe": func(g *flow.Group, in *flow.Queue[int]) {
			flow.Pipe(g, 2, in, flow.NewQueue[int](1), func(context.Context, int) (int, error) { return 0, errBroken })
		},
		"consume": func(g *flow.Group, in *flow.Queue[int]) {
			flow.Consume(g, 2, in, func(context.Context, int) error { return errBroken })
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := flow.Run(t.Context(), func(g *flow.Group) {
				in := flow.NewQueue[int](1)
				flow.Produce(g, 1, in, forever)
				stage(g, in)
			})
			if err != errBroken {
				t.Fatalf("Run = %v, want broken", err)
			}
		})
	}
}

func forever(_ context.Context, put func(int) error) error {
	for n := 0; ; n++ {
		if err := put(n); err != nil {
			return err
		}
	}
}

func TestPanicComesOutOfRun(t *testing.T) {
	others := false
	got := func() (v any) {
		defer func() { v = recover() }()
		_ = flow.Run(t.Context(), func(g *flow.Group) {
			g.Go(func(ctx context.Context) error { <-ctx.Done(); others = true; return nil })
			g.Go(func(context.Context) error { panic("ouch") })
		})
		return nil
	}()
	p, ok := got.(*flow.Panic)
	if !ok || p.Value != "ouch" || len(p.Stack) == 0 || !others {
		t.Fatalf("recovered %v with the others ended: %v", got, others)
	}
}

func TestPanicInStartWaitsForTasks(t *testing.T) {
	ended := false
	func() {
		defer func() { _ = recover() }()
		_ = flow.Run(t.Context(), func(g *flow.Group) {
			g.Go(func(ctx context.Context) error { <-ctx.Done(); ended = true; return nil })
			panic("in start")
		})
	}()
	if !ended {
		t.Fatal("Run left a task behind")
	}
}

func TestGoexitIsAnError(t *testing.T) {
	err := flow.Run(t.Context(), func(g *flow.Group) {
		q := flow.NewQueue[int](0)
		flow.Produce(g, 1, q, func(context.Context, func(int) error) error { runtime.Goexit(); return nil })
		flow.Consume(g, 1, q, func(context.Context, int) error { return nil })
	})
	if err == nil {
		t.Fatal("Run = nil although a task never returned")
	}
}

func TestTasksMayStartTasks(t *testing.T) {
	var n atomic.Int32
	var grow func(g *flow.Group, depth int)
	grow = func(g *flow.Group, depth int) {
		g.Go(func(context.Context) error {
			n.Add(1)
			if depth > 0 {
				grow(g, depth-1)
			}
			return nil
		})
	}
	if err := flow.Run(t.Context(), func(g *flow.Group) { grow(g, 9) }); err != nil || n.Load() != 10 {
		t.Fatalf("Run = %v after %d tasks, want 10", err, n.Load())
	}
}

// A download of 1 s and an encode of 1 s for each of ten items take 11 s, not
// 20: that is what the queue is for.
func TestBothSidesAreBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var order []int
		err := flow.Run(t.Context(), func(g *flow.Group) {
			q := flow.NewQueue[int](2)
			flow.Produce(g, 1, q, func(ctx context.Context, put func(int) error) error {
				for n := range 10 {
					work(ctx, time.Second)
					if err := put(n); err != nil {
						return err
					}
				}
				return nil
			})
			flow.Consume(g, 1, q, func(ctx context.Context, n int) error {
				work(ctx, time.Second)
				order = append(order, n)
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 11*time.Second {
			t.Errorf("took %v, want 11s", took)
		}
		if !slices.IsSorted(order) || len(order) != 10 {
			t.Errorf("order %v", order)
		}
	})
}

// work takes a while of the test's clock.
func work(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
