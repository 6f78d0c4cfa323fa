package schedule

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/memq"
)

// A wall clock that jumps an hour, back or on, holds up nothing: a job that
// rests is handed out when its rest is over, and one that fails after the jump
// rests again, and not for an hour.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{"back": -time.Hour, "on": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var by atomic.Int64
			wall := func() time.Time { return time.Now().Add(time.Duration(by.Load())) }
			b := newBenchBy(t, spool.Video{ID: "v", Source: "/v", Canonical: "/v"}, Scheduler{Queue: memq.New(), Patience: time.Hour, Clock: wall})
			first := b.next()
			by.Store(int64(jump))
			broke := spool.Report{
				JobKey: first.JobKey, Epoch: first.Epoch, Outcome: spool.Broke, Worker: "w",
				Failure: &spool.Failure{Class: spool.Transient, Code: "test", Reason: "a test"},
			}
			began := time.Now()
			b.send(queue.ReportTopic, broke)
			again := b.next()
			if rest := time.Since(began); again.Epoch != first.Epoch+1 || rest < firstRest/2 {
				t.Errorf("handed out again: %s epoch %d, after %v", again.JobKey, again.Epoch, rest)
			}
			rec, err := b.ledger.Get(t.Context(), "v")
			if err != nil || rec.Jobs[0].Attempts != 1 {
				t.Errorf("%+v, %v", rec.Jobs, err)
			}
		})
	}
}

// What was to be waited for when the clock was set, back or on and back again,
// is not waited for longer.
func TestClockJumpsWhileResting(t *testing.T) {
	t.Parallel()
	const rest = 300 * time.Millisecond
	for name, jumps := range map[string][2]time.Duration{"back": {0, -time.Hour}, "on and back": {time.Hour, 0}} {
		by := jumps[0]
		c := newClock(time.Now)
		c.wall = func() time.Time { return time.Now().Add(by) }
		began := time.Now()
		due := c.now().Add(rest)
		by = jumps[1]
		for c.now().Before(due) {
			if time.Since(began) > 100*rest {
				t.Fatalf("%s: the rest has no end", name)
			}
			timer := time.NewTimer(rest / 10)
			<-timer.C
		}
		if took := time.Since(began); took < rest {
			t.Errorf("%s: a rest of %v was over after %v", name, rest, took)
		}
	}
}

// No server has a job wait for so long that it is taken for one that a clock
// that was ahead has put off.
func TestNobodyAsksForLonger(t *testing.T) {
	t.Parallel()
	for _, class := range []spool.Class{spool.Transient, spool.Environment} {
		rec := NewRecord(spool.Video{ID: "v"}, noon)
		rec.Jobs[0].State, rec.Jobs[0].Epoch = spool.JobRunning, 1
		Apply(&rec, spool.Report{
			JobKey: rec.Jobs[0].JobKey, Epoch: 1, Outcome: spool.Broke, After: 5 * time.Hour,
			Failure: &spool.Failure{Class: class, Code: "http-503", Reason: "the server is busy"},
		}, noon)
		if j := rec.Jobs[0]; j.NotBefore != noon.Add(longestAfter) || !ledger.Rests(j.NotBefore, noon) {
			t.Errorf("%s: it waits from %v until %v", class, noon, j.NotBefore)
		}
	}
}
