// Command crew is many workers in one process, for the benchmark: Spool's own,
// each with a connection of its own, whose stages do nothing but wait. A video
// has as many chunks as is told, and nothing of it is fetched, encoded or
// published. It works until it is interrupted, then prints what was done.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/natsq"
	"github.com/spool-video/spool/internal/queue/rabbitq"
	"github.com/spool-video/spool/internal/queue/redisq"
	"github.com/spool-video/spool/internal/worker"
)

func main() {
	var c crew
	flag.StringVar(&c.queue, "queue", "", "the queue's URL")
	flag.StringVar(&c.reach, "reach", "", "the identity of the destination")
	flag.StringVar(&c.name, "name", "crew", "what the workers' names begin with")
	flag.IntVar(&c.workers, "workers", 1, "how many workers")
	flag.IntVar(&c.slots, "slots", 1, "how many jobs of a kind a worker does at a time")
	flag.IntVar(&c.chunks, "chunks", 8, "how many chunks a video has")
	flag.DurationVar(&c.takes, "takes", 0, "how long a chunk takes, on average: half of it to one and a half")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := c.work(ctx)
	stop()
	if err = cmp.Or(err, json.NewEncoder(os.Stdout).Encode(c.done)); err != nil {
		fmt.Fprintln(os.Stderr, "crew:", err)
		os.Exit(1)
	}
}

// crew is the workers.
type crew struct {
	queue, reach, name     string
	workers, slots, chunks int
	takes                  time.Duration

	mu   sync.Mutex
	done log // owned by mu
}

// log is what was done.
type log struct {
	Jobs   int    `json:"jobs"`
	Chunks []span `json:"chunks,omitempty"` // those that took any time
}

// span is when a chunk was worked on, in nanoseconds since 1970.
type span struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// work is all workers, until ctx ends.
func (c *crew) work(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	failed := make([]error, c.workers)
	for n := range c.workers {
		all.Go(func() {
			if failed[n] = c.employ(ctx, fmt.Sprintf("%s-%d", c.name, n)); failed[n] != nil {
				stop() // one that does not work measures something else
			}
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

// employ is one worker.
func (c *crew) employ(ctx context.Context, name string) (err error) {
	q, err := open(ctx, c.queue)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	stages := map[spool.Kind]worker.Stage{}
	for _, kind := range []spool.Kind{spool.Fetch, spool.Draft, spool.Encode, spool.Finish} {
		stages[kind] = stage{c}
	}
	return worker.New(worker.Config{
		Name: name, Queue: q, Stages: stages, Class: "crew", Reach: []string{c.reach},
		Room: func(_ spool.Kind, running []spool.Progress) int { return c.slots - len(running) },
	}).Run(ctx)
}

// open connects to the engine of a URL.
func open(ctx context.Context, at string) (queue.Queue, error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "redis":
		return redisq.Open(ctx, at, queue.Link{})
	case "amqp":
		return rabbitq.Open(ctx, at, queue.Link{})
	case "nats":
		return natsq.Open(ctx, at, natsq.Options{})
	}
	return nil, fmt.Errorf("no queue has the scheme %q", u.Scheme)
}

// stage does all kinds of jobs.
type stage struct{ *crew }

// Run gives what the next jobs of a video need, and no more.
func (s stage) Run(ctx context.Context, job spool.Job, _ func(spool.Progress)) (spool.Result, error) {
	began := time.Now()
	if job.Kind == spool.Encode && s.takes > 0 {
		select {
		case <-time.After(s.takes/2 + rand.N(s.takes)):
		case <-ctx.Done():
			return spool.Result{}, ctx.Err()
		}
	}
	s.note(job, began)
	switch job.Kind {
	case spool.Fetch:
		return spool.Result{Fetched: &spool.Fetched{Size: 1, Remote: &spool.Remote{URL: job.Source}}}, nil
	case spool.Draft:
		p := &spool.Plan{Chunks: make([]spool.Chunk, s.chunks)}
		for i := range p.Chunks {
			p.Chunks[i].Number = i
		}
		return spool.Result{Plan: p}, nil
	case spool.Finish:
		return spool.Result{Finished: &spool.Finished{}}, nil
	case spool.Encode, spool.Audio, spool.Texts:
	}
	return spool.Result{Made: &spool.Made{}}, nil
}

func (s stage) note(job spool.Job, began time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done.Jobs++
	if job.Kind == spool.Encode && s.takes > 0 {
		s.done.Chunks = append(s.done.Chunks, span{began.UnixNano(), time.Now().UnixNano()})
	}
}
