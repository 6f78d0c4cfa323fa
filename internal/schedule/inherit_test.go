package schedule_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/ledger/ledgertest"
	"github.com/spool-video/spool/internal/schedule"
	"github.com/spool-video/spool/internal/worker"
)

// lives is a process with a scheduler and a worker, until all videos have
// ended. It reports whether it was killed before: by chunk 1 of the video bad.
func lives(t *testing.T, memory *ledgertest.Memory, fleet bool) (killed bool) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	n := newNet(1)
	n.calm = true
	p := &port{net: n, name: "here"}
	s := schedule.New(schedule.Scheduler{Ledger: memory.Open(), Queue: p, Fleet: fleet, Inherits: "here"})
	stages := crewOf(func(ctx context.Context, job spool.Job) error {
		if job.Video != "bad" || job.Kind != spool.Encode || job.Number != 1 {
			return takes(20*time.Second)(ctx, job)
		}
		if err := takes(5*time.Second)(ctx, job); err != nil {
			return err
		}
		killed = true
		p.kill()
		end()
		return ctx.Err()
	})
	working := make(chan error, 1)
	go func() {
		working <- worker.New(worker.Config{Name: "here", Queue: p, Stages: stages, Room: roomFor(2)}).Run(ctx)
	}()
	s.FinishAll()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
	end()
	if err := <-working; err != nil {
		t.Error(err)
	}
	n.carry.Wait()
	_ = n.engine.Close()
	return killed
}

// A job that kills the process which schedules and works fails its video before
// long, and not the one that was worked on beside it.
func TestProcessThatDiesOfAJob(t *testing.T) {
	for _, fleet := range []bool{false, true} {
		t.Run(fmt.Sprint("fleet ", fleet), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := ledgertest.NewMemory()
				l := memory.Open()
				if err := l.Accept(t.Context(), schedule.NewRecord(link("bad"), time.Now()), schedule.NewRecord(link("good"), time.Now())); err != nil {
					t.Fatal(err)
				}
				began, deaths := time.Now(), 0
				for lives(t, memory, fleet) {
					if deaths++; deaths > 9 {
						t.Fatal("it dies again and again")
					}
				}
				t.Logf("%d deaths, all ended after %v", deaths, time.Since(began))
				videos, err := l.List(t.Context(), ledger.Filter{})
				if err != nil || len(videos) != 2 {
					t.Fatal(videos, err)
				}
				if f := videos[0].Failure; videos[0].Status != spool.Failed || f.Code != "poison" || deaths < 3 || deaths > 4 {
					t.Errorf("bad is %s after %d deaths: %+v", videos[0].Status, deaths, f)
				}
				if videos[1].Status != spool.Ready {
					t.Errorf("good is %s: %+v", videos[1].Status, videos[1].Failure)
				}
			})
		})
	}
}
