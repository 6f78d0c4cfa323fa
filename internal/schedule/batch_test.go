package schedule_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/ledger/sqliteledger"
	"github.com/spool-video/spool/internal/queue/memq"
	"github.com/spool-video/spool/internal/schedule"
	"github.com/spool-video/spool/internal/worker"
)

// counted is a ledger that counts its transactions, each a sync of the disk.
type counted struct {
	ledger.Ledger
	commits *atomic.Int32
}

func (c counted) Update(ctx context.Context, id string, change func(*ledger.Record) error) error {
	c.commits.Add(1)
	return c.Ledger.Update(ctx, id, change)
}

func (c counted) UpdateAll(ctx context.Context, changes []ledger.Change) ([]error, error) {
	c.commits.Add(1)
	return c.Ledger.UpdateAll(ctx, changes)
}

// loaded does the jobs of 100 videos at full load, while others wait behind
// them, and gives how many jobs and transactions that were, and how long it
// took.
func loaded(t testing.TB, waiting int) (jobs, commits int, took time.Duration) {
	l, err := sqliteledger.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const videos = 100
	var recs []ledger.Record
	for n := range videos + waiting {
		v := link(fmt.Sprint("v", n))
		if n >= waiting {
			v.Priority = 1
		}
		recs = append(recs, schedule.NewRecord(v, time.Now()))
	}
	if err := l.Accept(t.Context(), recs...); err != nil {
		t.Fatal(err)
	}
	var committed, done, ready atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	all := make(chan struct{})
	q := memq.New()
	s := schedule.New(schedule.Scheduler{
		Ledger: counted{l, &committed}, Queue: q, Fleet: true,
		Reported: func(r spool.Report) {
			if r.Kind == spool.Finish && r.Outcome == spool.Done && ready.Add(1) == videos {
				close(all)
			}
		},
	})
	w := worker.New(worker.Config{
		Name: "w", Queue: q, Room: roomFor(64),
		Stages: crewOf(func(context.Context, spool.Job) error { done.Add(1); return nil }),
	})
	ended := make(chan error, 2)
	began := time.Now()
	go func() { ended <- w.Run(ctx) }()
	go func() { ended <- s.Run(ctx) }()
	<-all
	took, jobs, commits = time.Since(began), int(done.Load()), int(committed.Load())
	cancel()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	return jobs, commits, took
}

// At full load, one sync of the disk is for several jobs.
func TestBatches(t *testing.T) {
	jobs, commits, took := loaded(t, 0)
	ratio := float64(commits) / float64(jobs)
	t.Logf("%d jobs in %v: %.0f a second, %.3f commits a job", jobs, took, float64(jobs)/took.Seconds(), ratio)
	if ratio > 0.2 {
		t.Errorf("%.3f commits a job", ratio)
	}
}

// BenchmarkJobs is the rate of empty jobs through ledger and queue and back,
// with none and with 100,000 videos waiting behind them.
func BenchmarkJobs(b *testing.B) {
	for _, waiting := range []int{0, 100_000} {
		b.Run(fmt.Sprint(waiting), func(b *testing.B) {
			var jobs, commits int
			var took time.Duration
			for b.Loop() {
				j, c, d := loaded(b, waiting)
				jobs, commits, took = jobs+j, commits+c, took+d
			}
			b.ReportMetric(float64(jobs)/took.Seconds(), "jobs/s")
			b.ReportMetric(float64(commits)/float64(jobs), "commits/job")
		})
	}
}
