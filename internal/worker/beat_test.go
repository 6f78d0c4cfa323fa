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

// Bytes that a part waits for are told at once, however rare beats are; others
// wait for the next one.
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
	have := func(to int64) {
		says <- spool.Progress{Phase: spool.Downloading, Have: spool.Spans{{From: 0, To: to}}}
	}
	told := func() spool.Spans { // with the next beat of a running download
		t.Helper()
		for {
			d, err := q.Receive(t.Context(), queue.BeatTopic)
			if err != nil {
				t.Fatal(err)
			}
			var b spool.Beat
			if err := json.Unmarshal(d.Body, &b); err != nil {
				t.Fatal(err)
			}
			if len(b.Running) == 1 && b.Running[0].Progress.Phase == spool.Downloading {
				return b.Running[0].Progress.Have
			}
		}
	}
	expect := func(to int64) {
		t.Helper()
		if got := told(); !slices.Equal(got, spool.Spans{{From: 0, To: to}}) {
			t.Fatalf("told of %v, want %d bytes", got, to)
		}
	}

	send(queue.Message{Job: &spool.Job{JobKey: key, Epoch: 1}})
	have(1)
	expect(1) // it has begun
	send(queue.Message{Needs: &spool.Needs{JobKey: key, Source: []spool.Span{{From: 0, To: 10}, {From: 10, To: 20}}}})
	<-needed
	have(9)
	have(10)
	expect(10)
	have(19)
	have(25)
	expect(25)
	have(34)
	have(35) // nobody is known to wait for it, until somebody is
	have(35) // the stage has said it once
	send(queue.Message{Needs: &spool.Needs{JobKey: key, Done: 1, Source: []spool.Span{{From: 10, To: 20}, {From: 20, To: 30}}}})
	<-needed
	expect(35)
}
