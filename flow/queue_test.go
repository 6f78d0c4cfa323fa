package flow_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/spool-video/spool/flow"
)

func TestPutWaitsWhileFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := flow.NewQueue[int](1)
		put := make(chan error, 2)
		go func() {
			put <- q.Put(t.Context(), 1)
			put <- q.Put(t.Context(), 2)
		}()
		synctest.Wait()
		if len(put) != 1 || q.Len() != 1 || q.Cap() != 1 {
			t.Fatalf("%d puts returned, %d items in the queue of %d; want 1, 1, 1", len(put), q.Len(), q.Cap())
		}
		take(t, q, 1)
		synctest.Wait()
		if len(put) != 2 {
			t.Fatal("the second put still waits after room was made")
		}
		take(t, q, 2)
	})
}

func TestEndedContextPutsAndTakesNothing(t *testing.T) {
	q := flow.NewQueue[int](2)
	ended, cancel := context.WithCancel(t.Context())
	if err := q.Put(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := q.Put(ended, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("Put = %v, want canceled", err)
	}
	if _, err := q.Take(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Take = %v, want canceled", err)
	}
	take(t, q, 1)
	if q.Len() != 0 {
		t.Errorf("%d items left, want 0: the refused put must not be in", q.Len())
	}
}

func TestCancelWakesThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full, empty := flow.NewQueue[int](0), flow.NewQueue[int](0)
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 2)
		go func() { errs <- full.Put(ctx, 1) }()
		go func() { _, err := empty.Take(ctx); errs <- err }()
		synctest.Wait()
		cancel()
		for range 2 {
			if err := <-errs; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want canceled", err)
			}
		}
	})
}

func TestCloseLetsGoOfPutsAndLeavesItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := flow.NewQueue[int](1)
		if err := q.Put(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
		waiting := make(chan error, 1)
		go func() { waiting <- q.Put(t.Context(), 8) }()
		synctest.Wait()
		q.Close()
		q.Close()
		if err := <-waiting; !errors.Is(err, flow.ErrClosed) {
			t.Errorf("waiting Put = %v, want ErrClosed", err)
		}
		if err := q.Put(t.Context(), 9); !errors.Is(err, flow.ErrClosed) {
			t.Errorf("Put after Close = %v, want ErrClosed", err)
		}
		take(t, q, 7)
		if _, err := q.Take(t.Context()); !errors.Is(err, flow.ErrClosed) {
			t.Errorf("Take at the end = %v, want ErrClosed", err)
		}
	})
}

// What Put accepted is taken exactly once, in the order of each producer,
// whatever the moment of closing is.
func TestQueueLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		producers := rapid.IntRange(1, 4).Draw(t, "producers")
		consumers := rapid.IntRange(1, 4).Draw(t, "consumers")
		each := rapid.IntRange(0, 40).Draw(t, "items")
		closeAt := int64(rapid.IntRange(0, producers*each+1).Draw(t, "close after"))
		q := flow.NewQueue[[2]int](rapid.IntRange(0, 5).Draw(t, "capacity"))
		ctx := context.Background()

		accepted := make([]int, producers)
		got := make([][][2]int, consumers)
		var puts atomic.Int64
		var putting, taking sync.WaitGroup
		for p := range producers {
			putting.Go(func() {
				for i := range each {
					if puts.Add(1) == closeAt {
						q.Close()
					}
					if q.Put(ctx, [2]int{p, i}) != nil {
						return
					}
					accepted[p]++
				}
			})
		}
		for c := range consumers {
			taking.Go(func() { got[c] = slices.Collect(q.All(ctx)) })
		}
		putting.Wait()
		q.Close()
		taking.Wait()
		checkTaken(t, accepted, got)
	})
}

func checkTaken(t *rapid.T, accepted []int, got [][][2]int) {
	seen := make([]int, len(accepted))
	for c, items := range got {
		last := map[int]int{}
		for _, item := range items {
			seen[item[0]]++
			if before, ok := last[item[0]]; ok && before >= item[1] {
				t.Fatalf("consumer %d took item %d of producer %d after %d", c, item[1], item[0], before)
			}
			last[item[0]] = item[1]
		}
	}
	if !slices.Equal(seen, accepted) {
		t.Fatalf("taken %v of the accepted %v", seen, accepted)
	}
}

func take(t *testing.T, q *flow.Queue[int], want int) {
	t.Helper()
	if got, err := q.Take(t.Context()); err != nil || got != want {
		t.Fatalf("Take = %d, %v; want %d", got, err, want)
	}
}

// BenchmarkHandOver is one item through a queue of 16, from one goroutine to
// another.
func BenchmarkHandOver(b *testing.B) {
	err := flow.Run(b.Context(), func(g *flow.Group) {
		q := flow.NewQueue[int](16)
		flow.Produce(g, 1, q, func(_ context.Context, put func(int) error) error {
			for i := range b.N {
				if err := put(i); err != nil {
					return err
				}
			}
			return nil
		})
		flow.Consume(g, 1, q, func(context.Context, int) error { return nil })
	})
	if err != nil {
		b.Fatal(err)
	}
}
