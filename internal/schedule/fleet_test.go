package schedule_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/ledger/ledgertest"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/schedule"
	"github.com/spool-video/spool/internal/worker"
)

// work is a stage that takes its time and does nothing.
type work func(ctx context.Context, job spool.Job) error

func (f work) Run(ctx context.Context, job spool.Job, _ func(spool.Progress)) (spool.Result, error) {
	if err := f(ctx, job); err != nil {
		return spool.Result{}, err
	}
	switch job.Kind {
	case spool.Fetch:
		return spool.Result{Fetched: &spool.Fetched{Remote: &spool.Remote{URL: job.Source}}}, nil
	case spool.Draft:
		p := &spool.Plan{Chunks: make([]spool.Chunk, 4)}
		for i := range p.Chunks {
			p.Chunks[i].Number = i
		}
		return spool.Result{Plan: p}, nil
	case spool.Encode, spool.Audio, spool.Texts:
		return spool.Result{Made: &spool.Made{}}, nil
	case spool.Finish:
	}
	return spool.Result{Finished: &spool.Finished{}}, nil
}

func crewOf(f work) map[spool.Kind]worker.Stage {
	stages := map[spool.Kind]worker.Stage{}
	for _, kind := range []spool.Kind{spool.Fetch, spool.Draft, spool.Encode, spool.Audio, spool.Finish} {
		stages[kind] = f
	}
	return stages
}

func takes(d time.Duration) work {
	return func(ctx context.Context, _ spool.Job) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func roomFor(n int) func(spool.Kind, []spool.Progress) int {
	return func(_ spool.Kind, running []spool.Progress) int { return n - len(running) }
}

func link(id string) spool.Video {
	return spool.Video{ID: id, Canonical: id, Source: "https://x/" + id}
}

// site is a scheduler of a fleet over memory.
type site struct {
	*testing.T
	ledger    ledger.Ledger
	net       *net
	scheduler *schedule.Scheduler
	ctx       context.Context //nolint:containedctx // of the test's bubble
	all       sync.WaitGroup  // the workers
}

// inBubble runs a test in a bubble of time, with a scheduler.
func inBubble(t *testing.T, s schedule.Scheduler, test func(*site)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		n := newNet(1)
		n.calm = true
		s.Ledger, s.Queue, s.Fleet = ledgertest.NewMemory().Open(), &port{net: n, name: "s"}, true
		b := &site{T: t, ledger: s.Ledger, net: n, scheduler: schedule.New(s), ctx: ctx}
		ended := make(chan error, 1)
		go func() { ended <- b.scheduler.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			n.set(&n.away, false)
			b.all.Wait()
			n.carry.Wait()
		}()
		test(b)
	})
}

// hire starts a worker and gives the end of its Run.
func (b *site) hire(c worker.Config) (*worker.Worker, <-chan error) {
	c.Queue = &port{net: b.net, name: c.Name}
	if c.Room == nil {
		c.Room = roomFor(2)
	}
	w := worker.New(c)
	ended := make(chan error, 1)
	b.all.Go(func() { ended <- w.Run(b.ctx) })
	return w, ended
}

func (b *site) accept(vs ...spool.Video) {
	b.Helper()
	for _, v := range vs {
		if err := b.ledger.Accept(b.ctx, schedule.NewRecord(v, time.Now())); err != nil {
			b.Fatal(err)
		}
	}
	b.scheduler.Wake()
}

// until waits for what must come, in the time of the bubble.
func (b *site) until(what string, come func() bool) {
	b.Helper()
	for range 3600 {
		if come() {
			return
		}
		<-time.After(time.Second)
	}
	b.Fatalf("an hour passed, and not: %s", what)
}

func (b *site) ready(id string) func() bool {
	return func() bool {
		rec, err := b.ledger.Get(b.ctx, id)
		return err == nil && rec.Video.Status == spool.Ready
	}
}

// A worker of another version is told so, with both versions.
func TestOtherVersionIsRefused(t *testing.T) {
	inBubble(t, schedule.Scheduler{Version: "2.0"}, func(b *site) {
		body, err := json.Marshal(spool.Beat{Worker: "old", Session: "a", Serial: 1, Protocol: spool.Protocol + 1, Version: "1.0", Free: map[spool.Kind]int{spool.Fetch: 1}})
		if err != nil {
			b.Fatal(err)
		}
		b.accept(link("v"))
		q := &port{net: b.net, name: "old"}
		if err := q.Send(b.ctx, queue.BeatTopic, body); err != nil {
			b.Fatal(err)
		}
		d, err := q.Receive(b.ctx, queue.WorkTopic("old"))
		var m queue.Message
		if err != nil || json.Unmarshal(d.Body, &m) != nil || m.Refused == nil {
			b.Fatalf("it is told %s, %v", d.Body, err)
		}
		for _, want := range []string{"1.0", "2.0", "protocol 1", "protocol 2"} {
			if !strings.Contains(m.Refused.Reason, want) {
				b.Errorf("%q does not name %s", m.Refused.Reason, want)
			}
		}
		<-time.After(time.Second)
		if all := b.scheduler.Workers(); len(all) != 1 || all[0].Refused == "" {
			b.Errorf("workers: %+v", all)
		}
	})
}

// Two that live under one name: the first one is refused, and ends.
func TestOneNameOneWorker(t *testing.T) {
	inBubble(t, schedule.Scheduler{}, func(b *site) {
		_, first := b.hire(worker.Config{Name: "w", Stages: crewOf(takes(time.Second))})
		<-time.After(time.Second)
		_, second := b.hire(worker.Config{Name: "w", Stages: crewOf(takes(time.Second))})
		var err error
		select {
		case err = <-first:
		case err = <-second:
		}
		var refused *spool.Error
		if !errors.As(err, &refused) || refused.Code != "worker-name-taken" {
			b.Errorf("it ended with %v", err)
		}
	})
}

// A worker that beats and hears nothing costs jobs ten seconds, and holds up none.
func TestDeafWorker(t *testing.T) {
	inBubble(t, schedule.Scheduler{}, func(b *site) {
		q := &port{net: b.net, name: "deaf"}
		b.all.Go(func() {
			for n := 1; b.ctx.Err() == nil; n++ {
				body, _ := json.Marshal(spool.Beat{ // it is made of texts and numbers
					Worker: "deaf", Session: "a", Serial: n, Protocol: spool.Protocol,
					Free: map[spool.Kind]int{spool.Fetch: 9, spool.Draft: 9, spool.Encode: 9, spool.Finish: 9},
				})
				_ = q.Send(b.ctx, queue.BeatTopic, body) // it ends with the test
				select {
				case <-time.After(time.Second):
				case <-b.ctx.Done():
				}
			}
		})
		b.until("it is known", func() bool { return len(b.scheduler.Workers()) == 1 })
		b.hire(worker.Config{Name: "w", Stages: crewOf(takes(time.Second))})
		b.accept(link("v"))
		began := time.Now()
		b.until("ready", b.ready("v"))
		if took := time.Since(began); took > 3*time.Minute {
			b.Errorf("it took %v", took)
		}
	})
}

// A worker that is drained by name ends its jobs and itself; another one does
// the rest.
func TestDrainByName(t *testing.T) {
	inBubble(t, schedule.Scheduler{}, func(b *site) {
		_, ended := b.hire(worker.Config{Name: "one", Stages: crewOf(takes(10 * time.Second))})
		b.accept(link("v"))
		b.until("a worker is known", func() bool { return len(b.scheduler.Workers()) == 1 })
		if b.scheduler.DrainWorker("nobody") || !b.scheduler.DrainWorker("one") {
			b.Error("drained nobody, or not one")
		}
		if err := <-ended; err != nil {
			b.Error(err)
		}
		b.hire(worker.Config{Name: "two", Stages: crewOf(takes(10 * time.Second))})
		b.until("ready", b.ready("v"))
		if rec, err := b.ledger.Get(b.ctx, "v"); err != nil || rec.Job(spool.Finish, 0).Worker != "two" || rec.Job(spool.Fetch, 0).Epoch != 1 {
			b.Errorf("%+v, %v", rec.Jobs, err)
		}
		b.until("one has left", func() bool { return len(b.scheduler.Workers()) == 1 })
	})
}

// Who counts is told of the job that a worker was lost with.
func TestLostIsTold(t *testing.T) {
	var lost atomic.Int32
	inBubble(t, schedule.Scheduler{Lost: func(k spool.JobKey) {
		if k.Video == "v" && k.Kind == spool.Fetch {
			lost.Add(1)
		}
	}}, func(b *site) {
		body, err := json.Marshal(spool.Beat{Worker: "gone", Session: "a", Serial: 1, Protocol: spool.Protocol, Free: map[spool.Kind]int{spool.Fetch: 1}})
		if err != nil {
			b.Fatal(err)
		}
		b.accept(link("v"))
		if err := (&port{net: b.net, name: "gone"}).Send(b.ctx, queue.BeatTopic, body); err != nil {
			b.Fatal(err)
		}
		b.until("the job is lost", func() bool { return lost.Load() == 1 })
	})
}

// Without an engine a job goes on, and its report is kept; after five minutes
// jobs are stopped. The worker itself waits.
func TestWithoutAnEngine(t *testing.T) {
	inBubble(t, schedule.Scheduler{}, func(b *site) {
		var ran, stopped atomic.Int32
		var told []string
		b.hire(worker.Config{
			Name: "w", Away: func(err error) { told = append(told, fmt.Sprint(err)) },
			Stages: crewOf(func(ctx context.Context, job spool.Job) error {
				ran.Add(1)
				wait := time.Minute
				if job.Kind == spool.Draft {
					wait = time.Hour
				}
				if err := takes(wait)(ctx, job); err != nil {
					stopped.Add(1)
					return err
				}
				return nil
			}),
		})
		b.accept(link("v"))
		b.until("the fetch runs", func() bool { return ran.Load() == 1 })
		b.net.set(&b.net.away, true)
		<-time.After(2 * time.Minute)
		b.net.set(&b.net.away, false)
		b.until("the plan runs", func() bool { return ran.Load() == 2 })
		if rec, err := b.ledger.Get(b.ctx, "v"); err != nil || rec.Job(spool.Fetch, 0).Epoch != 1 {
			b.Errorf("the fetch was handed out again: %+v, %v", rec.Jobs, err)
		}
		b.net.set(&b.net.away, true)
		<-time.After(4 * time.Minute)
		if stopped.Load() != 0 {
			b.Error("a job was stopped after four minutes")
		}
		<-time.After(90 * time.Second)
		if stopped.Load() != 1 {
			b.Error("no job was stopped after five minutes and a half")
		}
		b.net.set(&b.net.away, false)
		b.until("the plan runs again", func() bool { return ran.Load() == 3 })
		if got := strings.Join(told, ", "); got != "connection refused, <nil>, connection refused, <nil>" {
			b.Errorf("the worker said %s", got)
		}
	})
}

// A source on the disk of a worker that is lost is fetched again, and what is
// done stays done; but two classes of encoders do not mix.
func TestWhoeverIsGoneIsReplaced(t *testing.T) {
	inBubble(t, schedule.Scheduler{}, func(b *site) {
		ctx, cancel := context.WithCancel(b.ctx)
		first := &port{net: b.net, name: "one"}
		own := func(chunk time.Duration) map[spool.Kind]worker.Stage {
			stages := crewOf(takes(time.Second))
			stages[spool.Fetch] = fetched{}
			stages[spool.Encode] = crewOf(takes(chunk))[spool.Encode]
			return stages
		}
		w := worker.New(worker.Config{Name: "one", Queue: first, Class: "x", Stages: own(20 * time.Second), Room: roomFor(1)})
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		b.accept(link("v"))
		state := func(kind spool.Kind, n int) spool.JobRecord {
			rec, err := b.ledger.Get(b.ctx, "v")
			if err != nil || rec.Job(kind, n) == nil {
				return spool.JobRecord{}
			}
			return rec.Job(kind, n).JobRecord
		}
		b.until("a chunk is done", func() bool { return state(spool.Encode, 0).State == spool.JobDone })
		first.kill()
		cancel()
		<-ended
		_, second := b.hire(worker.Config{Name: "two", Class: "x", Stages: own(20 * time.Second), Room: roomFor(1)})
		b.until("the second chunk is done", func() bool { return state(spool.Encode, 1).State == spool.JobDone })
		if j := state(spool.Encode, 0); j.Worker != "one" || j.Epoch != 1 || state(spool.Fetch, 0).Epoch != 2 {
			b.Errorf("chunk %+v, fetch %+v", j, state(spool.Fetch, 0))
		}
		was := state(spool.Encode, 0).Revision
		b.scheduler.DrainWorker("two")
		<-second
		b.hire(worker.Config{Name: "three", Class: "y", Stages: own(time.Second), Room: roomFor(1)})
		<-time.After(30 * time.Second)
		b.says("v", "waits for the worker two, which has its source (3 of 4 chunks done)")
		b.until("ready", b.ready("v"))
		if j := state(spool.Encode, 0); j.Revision == was || j.Place.Class != "y" {
			b.Errorf("made by two classes: %+v", j)
		}
	})
}

func (b *site) says(id, want string) {
	b.Helper()
	rec, err := b.ledger.Get(b.ctx, id)
	if said := b.scheduler.Why(rec); err != nil || said != want {
		b.Errorf("%s says %q, %v, and not %q", id, said, err, want)
	}
}

// A video waits for encoders of the class that it was begun with, and says so;
// when none has come for long, it is begun anew.
func TestClassThatVanishes(t *testing.T) {
	inBubble(t, schedule.Scheduler{Vanish: 5 * time.Minute, Destination: "nas:"}, func(b *site) {
		nas := []string{"nas:"}
		b.accept(link("v"))
		<-time.After(20 * time.Second)
		b.says("v", "waits for a worker")
		_, first := b.hire(worker.Config{Name: "one", Class: "x", Reach: nas, Stages: crewOf(takes(20 * time.Second)), Room: roomFor(1)})
		b.until("chunks run", func() bool {
			rec, err := b.ledger.Get(b.ctx, "v")
			return err == nil && rec.Job(spool.Encode, 1) != nil && rec.Job(spool.Encode, 1).State == spool.JobRunning
		})
		b.scheduler.DrainWorker("one")
		<-first
		<-time.After(time.Second)
		b.says("v", "waits for a worker (2 of 4 chunks done)")
		b.hire(worker.Config{Name: "blind", Class: "x", Stages: crewOf(takes(time.Second))})
		<-time.After(10 * time.Second)
		b.says("v", "waits for a worker that can write the destination (2 of 4 chunks done)")
		b.scheduler.DrainWorker("blind")
		b.hire(worker.Config{Name: "other", Class: "y", Reach: nas, Stages: crewOf(takes(time.Second))})
		<-time.After(4 * time.Minute)
		b.says("v", "waits for a worker of encoder class x (2 of 4 chunks done)")
		b.until("ready", b.ready("v"))
		if rec, err := b.ledger.Get(b.ctx, "v"); err != nil || rec.Job(spool.Encode, 0).Place.Class != "y" || rec.Job(spool.Encode, 0).Worker != "other" {
			b.Errorf("%+v, %v", rec.Jobs, err)
		}
	})
}

// fetched is a fetch to the worker's own disk.
type fetched struct{}

func (fetched) Run(context.Context, spool.Job, func(spool.Progress)) (spool.Result, error) {
	return spool.Result{Fetched: &spool.Fetched{Path: "/disk", Scratch: true, SHA256: "s"}}, nil
}
