package schedule_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/schedule"
	"github.com/spool-video/spool/internal/worker"
)

// wordy is work whose chunks of some videos name so many segments that a
// message with all of them is long.
type wordy struct {
	work

	video string
	kind  spool.Kind // whose report is long
	long  int        // bytes
}

func (w wordy) Run(ctx context.Context, job spool.Job, progress func(spool.Progress)) (spool.Result, error) {
	result, err := w.work.Run(ctx, job, progress)
	if err == nil && job.Video == w.video && job.Kind == w.kind {
		segment := spool.Segment{Object: spool.Object{Name: strings.Repeat("x", w.long)}}
		result = spool.Result{Made: &spool.Made{Segments: []spool.Segment{segment}}}
	}
	return result, err
}

func wordyCrew(w wordy) map[spool.Kind]worker.Stage {
	stages := crewOf(w.work)
	for kind := range stages {
		stages[kind] = w
	}
	return stages
}

// narrow has the engine carry no message that is longer.
func (b *site) narrow(most int) {
	b.net.mu.Lock()
	defer b.net.mu.Unlock()
	b.net.most = most
}

func (b *site) video(id string) *ledger.Record {
	b.Helper()
	rec, err := b.ledger.Get(b.ctx, id)
	if err != nil {
		b.Fatal(err)
	}
	return &rec
}

func (b *site) failed(id string) func() bool {
	return func() bool { return b.video(id).Video.Status == spool.Failed }
}

// A job that no message can carry fails its video, with what is to be done;
// others are not held up. When the queue carries more, the video goes on where
// it ended.
func TestJobTooBigToSend(t *testing.T) {
	inBubble(t, schedule.Scheduler{}, func(b *site) {
		b.narrow(8 << 10)
		b.hire(worker.Config{Name: "w", Stages: wordyCrew(wordy{work: takes(time.Second), video: "long", kind: spool.Encode, long: 4 << 10})})
		b.accept(link("long"), link("short"))
		b.until("the short one is ready", b.ready("short"))
		b.until("the long one has failed", b.failed("long"))
		f := b.video("long").Video.Failure
		if f.Code != queue.CodeTooBig || !strings.Contains(f.Reason, "finish job") || !strings.Contains(f.Reason, "8192") || f.Hint != "make the net wider" {
			b.Errorf("it failed with %+v", f)
		}
		b.narrow(0)
		if err := b.ledger.Update(b.ctx, "long", func(r *ledger.Record) error { schedule.Retry(r, time.Now()); return nil }); err != nil {
			b.Fatal(err)
		}
		b.scheduler.Wake()
		b.until("the long one is ready", b.ready("long"))
		rec := b.video("long")
		for n := range 4 {
			if j := rec.Job(spool.Encode, n); j.Epoch != 1 {
				b.Errorf("chunk %d was made again: %+v", n, j)
			}
		}
	})
}

// A report that no message can carry fails its video, and holds up no other
// report of its worker.
func TestReportTooBigToSend(t *testing.T) {
	inBubble(t, schedule.Scheduler{}, func(b *site) {
		b.narrow(8 << 10)
		b.hire(worker.Config{Name: "w", Stages: wordyCrew(wordy{work: takes(time.Second), video: "long", kind: spool.Encode, long: 9 << 10})})
		b.accept(link("long"), link("short"))
		began := time.Now()
		b.until("the short one is ready", b.ready("short"))
		b.until("the long one has failed", b.failed("long"))
		if f := b.video("long").Video.Failure; f.Code != queue.CodeTooBig || f.Class != spool.Permanent || !strings.Contains(f.Reason, "encode job") || f.Hint == "" {
			b.Errorf("it failed with %+v", f)
		}
		if took := time.Since(began); took > 5*time.Minute {
			b.Errorf("it took %v", took)
		}
	})
}
