package flow_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spool-video/spool/flow"
)

// One task makes ten items, another one uses them. The queue between them
// holds two: the producer is never more than that ahead.
func Example() {
	err := flow.Run(context.Background(), func(g *flow.Group) {
		items := flow.NewQueue[int](2)

		flow.Produce(g, 1, items, func(ctx context.Context, put func(int) error) error {
			for n := 1; n <= 10; n++ {
				if err := put(n); err != nil {
					return err
				}
			}
			return nil
		})

		flow.Consume(g, 1, items, func(ctx context.Context, n int) error {
			fmt.Println("consumed", n)
			return nil
		})
	})
	fmt.Println("error:", err)
	// Output:
	// consumed 1
	// consumed 2
	// consumed 3
	// consumed 4
	// consumed 5
	// consumed 6
	// consumed 7
	// consumed 8
	// consumed 9
	// consumed 10
	// error: <nil>
}

// Three stages, two queues: while one video is uploaded, the next one is
// encoded and the one after that is downloaded.
func Example_pipeline() {
	download := func(ctx context.Context, put func(string) error) error {
		for _, name := range []string{"cat", "dog", "owl"} {
			if err := put(name + ".mp4"); err != nil {
				return err
			}
		}
		return nil
	}
	encode := func(ctx context.Context, file string) (string, error) {
		return file + " → 360p, 720p, 1080p", nil
	}
	upload := func(ctx context.Context, video string) error {
		fmt.Println(video)
		return nil
	}

	err := flow.Run(context.Background(), func(g *flow.Group) {
		downloaded := flow.NewQueue[string](2)
		encoded := flow.NewQueue[string](2)
		flow.Produce(g, 1, downloaded, download)
		flow.Pipe(g, 1, downloaded, encoded, encode)
		flow.Consume(g, 1, encoded, upload)
	})
	fmt.Println("error:", err)
	// Output:
	// cat.mp4 → 360p, 720p, 1080p
	// dog.mp4 → 360p, 720p, 1080p
	// owl.mp4 → 360p, 720p, 1080p
	// error: <nil>
}

// An error in one task ends the others: the producer would go on for ever, but
// its put returns when the consumer has failed.
func Example_error() {
	errFull := errors.New("disk is full")
	err := flow.Run(context.Background(), func(g *flow.Group) {
		items := flow.NewQueue[int](1)
		flow.Produce(g, 1, items, func(ctx context.Context, put func(int) error) error {
			for n := 0; ; n++ {
				if err := put(n); err != nil {
					return err
				}
			}
		})
		flow.Consume(g, 1, items, func(ctx context.Context, n int) error {
			if n == 3 {
				return errFull
			}
			return nil
		})
	})
	fmt.Println(err)
	// Output: disk is full
}

// When the caller's context ends, everything ends, and Run says why.
func Example_cancellation() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	err := flow.Run(ctx, func(g *flow.Group) {
		items := flow.NewQueue[int](1)
		flow.Consume(g, 1, items, func(ctx context.Context, n int) error { return nil })
		// Nobody puts anything: the consumer waits until the time is over.
	})
	fmt.Println(err)
	// Output: context deadline exceeded
}

// Slots belong to a resource, not to a pipeline: all pipelines of a program
// can share the two that its CPU has.
func ExampleSlots() {
	cpu := flow.NewSlots(2)
	encode := func(ctx context.Context, video string) error {
		if err := cpu.Acquire(ctx); err != nil {
			return err
		}
		defer cpu.Release()
		fmt.Println(video, "holds a slot")
		return nil
	}
	err := flow.Run(context.Background(), func(g *flow.Group) {
		for _, video := range []string{"cat", "dog", "owl"} {
			g.Go(func(ctx context.Context) error { return encode(ctx, video) })
		}
	})
	fmt.Println(cpu.Free(), "free at the end,", err)
	// Unordered output:
	// cat holds a slot
	// dog holds a slot
	// owl holds a slot
	// 2 free at the end, <nil>
}

// All is the queue as a loop.
func ExampleQueue_All() {
	ctx := context.Background()
	q := flow.NewQueue[string](3)
	for _, word := range []string{"one", "two", "three"} {
		if err := q.Put(ctx, word); err != nil {
			fmt.Println(err)
		}
	}
	q.Close()
	for word := range q.All(ctx) {
		fmt.Println(word)
	}
	fmt.Println("all of it:", ctx.Err() == nil)
	// Output:
	// one
	// two
	// three
	// all of it: true
}
