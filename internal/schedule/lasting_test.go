package schedule_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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

// cancel is what spool cancel does to the ledger.
func cancel(ctx context.Context, l ledger.Ledger, id string) error {
	return l.Update(ctx, id, func(r *ledger.Record) error { r.Video.Status = spool.Cancelled; return nil })
}

// endless is a fetch that runs until it is stopped.
func endless(running, stopped *atomic.Bool) map[spool.Kind]worker.Stage {
	return crewOf(func(ctx context.Context, _ spool.Job) error {
		running.Store(true)
		<-ctx.Done()
		stopped.Store(true)
		return ctx.Err()
	})
}

// The word that stops a job may be lost: it is said again for as long as the
// job runs.
func TestStopIsSaidAgain(t *testing.T) {
	inBubble(t, schedule.Scheduler{}, func(b *site) {
		var running, stopped atomic.Bool
		lost := 0
		b.net.mu.Lock()
		b.net.drops = func(_ string, body []byte) bool {
			first := bytes.Contains(body, []byte(`"stop":`)) && lost == 0
			if first {
				lost++
			}
			return first
		}
		b.net.mu.Unlock()
		b.hire(worker.Config{Name: "w", Stages: endless(&running, &stopped)})
		b.accept(link("v"))
		b.until("the fetch runs", running.Load)
		if err := cancel(b.ctx, b.ledger, "v"); err != nil {
			b.Fatal(err)
		}
		b.scheduler.Wake()
		began := time.Now()
		b.until("the fetch is stopped", stopped.Load)
		b.until("it is not out", func() bool { return b.video("v").Job(spool.Fetch, 0).State == spool.JobReady })
		b.net.mu.Lock()
		defer b.net.mu.Unlock()
		if took := time.Since(began); lost != 1 || took > 15*time.Second {
			b.Errorf("%d were lost, and it took %v", lost, took)
		}
	})
}

// A video that is cancelled while no scheduler lives is stopped by the next
// one.
func TestStopByTheNextScheduler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, stopped atomic.Bool
		n := newNet(1)
		n.calm = true
		l := ledgertest.NewMemory().Open()
		if err := l.Accept(t.Context(), schedule.NewRecord(link("v"), time.Now())); err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		begin := func(ctx context.Context) {
			s := schedule.New(schedule.Scheduler{Ledger: l, Queue: &port{net: n, name: "s"}, Fleet: true})
			go func() { ended <- s.Run(ctx) }()
		}
		first, kill := context.WithCancel(ctx)
		begin(first)
		w := worker.New(worker.Config{Name: "w", Queue: &port{net: n, name: "w"}, Stages: endless(&running, &stopped), Room: roomFor(1)})
		gone := make(chan error, 1)
		go func() { gone <- w.Run(ctx) }()
		for !running.Load() {
			<-time.After(time.Second)
		}
		kill()
		if err := errors.Join(<-ended, cancel(t.Context(), l, "v")); err != nil {
			t.Fatal(err)
		}
		begin(ctx)
		<-time.After(time.Minute)
		if !stopped.Load() {
			t.Error("it runs on")
		}
		end()
		if err := errors.Join(<-ended, <-gone); err != nil {
			t.Error(err)
		}
		n.carry.Wait()
	})
}

// What another scheduler has handed out for a video that has ended is stopped
// by the one that takes its place.
func TestStopOfWhatAnotherHandedOut(t *testing.T) {
	inBubble(t, schedule.Scheduler{}, func(b *site) {
		b.accept(link("v"))
		<-time.After(2 * time.Second)
		if err := b.ledger.Update(b.ctx, "v", func(r *ledger.Record) error {
			r.Video.Status = spool.Cancelled
			r.Jobs[0].State, r.Jobs[0].Worker, r.Jobs[0].Epoch = spool.JobRunning, "w", 1
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		ctx, end := context.WithTimeout(b.ctx, 10*time.Second)
		defer end()
		d, err := b.net.engine.Receive(ctx, queue.WorkTopic("w"))
		var m queue.Message
		if err != nil || json.Unmarshal(d.Body, &m) != nil || m.Stop == nil || m.Stop.Video != "v" || m.Stop.Epoch != 1 {
			b.Errorf("its worker is told %s, %v", d.Body, err)
		}
	})
}

// A worker that was lost is shown for an hour, and then forgotten: names that
// never come back would pile up.
func TestLostWorkersAreForgotten(t *testing.T) {
	inBubble(t, schedule.Scheduler{}, func(b *site) {
		ctx, end := context.WithCancel(b.ctx)
		gone := &port{net: b.net, name: "pod-1"}
		ended := make(chan error, 1)
		go func() {
			ended <- worker.New(worker.Config{Name: "pod-1", Queue: gone, Stages: crewOf(takes(time.Hour)), Room: roomFor(1)}).Run(ctx)
		}()
		b.accept(link("v"))
		b.until("it is at work", func() bool { return b.video("v").Job(spool.Fetch, 0).State == spool.JobRunning })
		gone.kill()
		end()
		<-ended
		<-time.After(55 * time.Minute)
		if all := b.scheduler.Workers(); len(all) != 1 || !all[0].Lost {
			b.Errorf("after 55 minutes: %+v", all)
		}
		<-time.After(10 * time.Minute)
		if all := b.scheduler.Workers(); len(all) != 0 {
			b.Errorf("after 65 minutes: %+v", all)
		}
		b.hire(worker.Config{Name: "pod-1", Stages: crewOf(takes(time.Second))})
		b.until("one of its name does the job", b.ready("v"))
	})
}

// What a clock that was ahead has put off for a year is tried at once by a
// process that begins when the clock is right.
func TestPutOffByAClockThatWasAhead(t *testing.T) {
	inBubble(t, schedule.Scheduler{}, func(b *site) {
		rec := schedule.NewRecord(link("v"), time.Now())
		rec.Jobs[0].NotBefore = time.Now().Add(365 * 24 * time.Hour)
		if err := b.ledger.Accept(b.ctx, rec); err != nil {
			b.Fatal(err)
		}
		b.hire(worker.Config{Name: "w", Stages: crewOf(takes(time.Second))})
		began := time.Now()
		b.until("ready", b.ready("v"))
		if took := time.Since(began); took > time.Minute {
			b.Errorf("it took %v", took)
		}
	})
}
