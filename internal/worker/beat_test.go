package worker_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/memq"
	"github.com/spool-video/spool/internal/worker"
)

// saying is a stage that says what a test has it say, until it is stopped.
type saying chan spool.Progress

func (s saying) Run(ctx context.Context, _ spool.Job, progress func(spool.Progress)) (spool.Result, error) {
	for {
		select {
		case p := <-s:
			progress(p)
		case <-ctx.Done():
			return spool.Result{}, context.Cause(ctx)
		}
	}
}

// Bytes that a part waits for are told at once, however rare beats are.
func TestAwaitedBytesAreToldAtOnce(t *testing.T) {
	q, says, needed := memq.New(), make(saying), make(chan struct{})
	w := worker.New(worker.Config{
		Name: "w", Queue: q, Stages: map[spool.Kind]worker.Stage{spool.Fetch: says}, Every: time.Hour,
		Room:  func(spool.Kind, []spool.Progress) int { return 1 },
		Needs: func(spool.Needs) { needed <- struct{}{} },
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	key := spool.JobKey{Video: "v", Revision: "r", Kind: spool.Fetch}
	send := func(m queue.Message) {
		t.Helper()
		body, err := json.Marshal(m)
		if err == nil {
			err = q.Send(t.Context(), queue.WorkTopic("w"), body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	have := func(from, to int64) {
		says <- spool.Progress{Phase: spool.Downloading, Have: spool.Spans{{From: from, To: to}}}
	}
	expect := func(from, to int64) { // before the clock has the worker beat
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for {
			d, err := q.Receive(ctx, queue.BeatTopic)
			if err != nil {
				t.Fatalf("nobody was told of bytes %d to %d: %v", from, to, err)
			}
			var b spool.Beat
			if err := json.Unmarshal(d.Body, &b); err != nil {
				t.Fatal(err)
			}
			if len(b.Running) == 1 && slices.Equal(b.Running[0].Progress.Have, spool.Spans{{From: from, To: to}}) {
				return
			}
		}
	}

	send(queue.Message{Job: &spool.Job{JobKey: key, Epoch: 1}})
	have(0, 1)
	expect(0, 1) // it has begun
	send(queue.Message{Needs: &spool.Needs{JobKey: key, Source: []spool.Span{{From: 0, To: 10}, {From: 10, To: 20}, {From: 20, To: 30}}}})
	<-needed
	have(0, 10)
	expect(0, 10)
	have(0, 25)
	expect(0, 25)
	have(20, 35) // others were given back
	expect(20, 35)
	have(20, 45) // nobody is known to wait for it, until somebody is
	send(queue.Message{Needs: &spool.Needs{JobKey: key, Done: 1, Source: []spool.Span{{From: 20, To: 30}, {From: 30, To: 40}}}})
	<-needed
	expect(20, 45)
}
