package main

import (
	"context"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/progress"
)

// shelf is a ledger of one video that another process may take away.
type shelf struct {
	ledger.Ledger
	changes int64
	gone    bool
}

func (s *shelf) Changes(context.Context) (int64, error) { return s.changes, nil }

func (s *shelf) Get(context.Context, string) (ledger.Record, error) {
	if s.gone {
		return ledger.Record{}, ledger.ErrNotFound
	}
	return ledger.Record{Video: spool.Video{ID: "v", Status: spool.Working}}, nil
}

func job(kind spool.Kind, number int) spool.JobKey {
	return spool.JobKey{Video: "v", Revision: "r1", Kind: kind, Number: number}
}

func beatOf(phase spool.Phase, keys ...spool.JobKey) spool.Beat {
	var b spool.Beat
	for _, k := range keys {
		b.Running = append(b.Running, spool.Running{JobKey: k, Progress: spool.Progress{Phase: phase}})
	}
	return b
}

// What a video does is told while something of it runs; then it is told what
// it waits for, and that it was taken away.
func TestBoardTellsWhatIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []progress.Event
		kept := &shelf{}
		b := newBoard(kept, func(string) string { return "" }, func(e progress.Event) { told = append(told, e) })
		last := func() progress.Event { return told[len(told)-1] }

		plan := &spool.Plan{Chunks: []spool.Chunk{{Number: 0, Frames: 50}, {Number: 1, Frames: 50}}, Pieces: []spool.AudioPiece{{Packets: 9}}, Open: true}
		b.reported(spool.Report{JobKey: job(spool.Draft, 0), Outcome: spool.Arrived, Result: &spool.Result{Plan: plan}})
		b.reported(spool.Report{JobKey: job(spool.Encode, 0), Outcome: spool.Done, Result: &spool.Result{Made: &spool.Made{}}})
		whole := *plan
		whole.Chunks = append(whole.Chunks, spool.Chunk{Number: 2, Frames: 50})
		b.reported(spool.Report{JobKey: job(spool.Draft, 0), Outcome: spool.Done, Result: &spool.Result{Plan: &whole}})

		b.beat(beatOf(spool.Publishing, job(spool.Audio, 0)))
		if s := last().Snapshot; len(s.Phases) != 1 || s.Chunks != 3 || s.ChunksDone != 1 || s.Note != "" {
			t.Errorf("while its sound is published: %+v", s)
		}
		b.beat(spool.Beat{})
		if len(told) != 1 {
			t.Errorf("the moment between two jobs is told: %+v", last().Snapshot)
		}
		<-time.After(beatEvery)
		b.beat(spool.Beat{})
		b.beat(spool.Beat{})
		if s := last().Snapshot; len(told) != 2 || len(s.Phases) != 0 || s.Note != "waits for a free encoder" {
			t.Errorf("while nothing of it runs: %d events, %+v", len(told), s)
		}
		b.beat(beatOf(spool.Encoding, job(spool.Encode, 1)))
		b.beat(beatOf("", job(spool.Encode, 2)))
		if len(told) != 3 {
			t.Errorf("the moment before a job says what it does is told: %+v", last().Snapshot)
		}
		<-time.After(beatEvery)
		b.beat(beatOf("", job(spool.Encode, 2)))
		if s := last().Snapshot; s.Note != "waits for a free encoder" {
			t.Errorf("while its job has no CPU: %+v", s)
		}
		kept.changes, kept.gone = 1, true
		b.beat(spool.Beat{})
		b.beat(spool.Beat{})
		if len(told) != 5 || last().Type != progress.Removed {
			t.Errorf("when it is gone: %d events, %+v", len(told), last())
		}
	})
}

// A service that goes on for ever does not keep what has ended, and what comes
// late of it is not told a second time.
func TestBoardForgetsWhatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []progress.Event
		b := newBoard(&shelf{}, func(string) string { return "" }, func(e progress.Event) { told = append(told, e) })
		v := spool.Video{ID: "v", Status: spool.Ready, Changed: time.Now()}
		b.changed(v)
		b.changed(v)
		<-time.After(remembered / 2)
		b.beat(spool.Beat{})
		b.changed(v)
		if len(b.videos) != 1 || len(told) != 1 {
			t.Fatalf("soon after: %d videos are kept, %d events", len(b.videos), len(told))
		}
		<-time.After(remembered)
		b.beat(spool.Beat{})
		b.changed(v)
		if len(b.videos) != 0 || len(told) != 1 {
			t.Errorf("long after: %d videos are kept, %d events", len(b.videos), len(told))
		}
		v.Status, v.Changed = spool.Working, time.Now()
		b.changed(v)
		v.Status, v.Changed = spool.Failed, time.Now()
		b.changed(v)
		if len(told) != 2 || told[1].Type != progress.Failed {
			t.Errorf("when it is made again, and fails: %+v", told)
		}
	})
}

// What a video waits for may change while it waits: that is told, too, once.
func TestBoardTellsWhatElseIsWaitedFor(t *testing.T) {
	t.Parallel()
	var told []progress.Event
	b := newBoard(&shelf{}, func(string) string { return "" }, func(e progress.Event) { told = append(told, e) })
	v := spool.Video{ID: "v", Status: spool.Paused, Changed: time.Now()}
	for i, code := range []string{"no-space", "no-space", "dest-refused", "dest-refused"} {
		v.Failure = &spool.Failure{Class: spool.Environment, Code: code}
		b.changed(v)
		if want := i/2 + 1; len(told) != want || told[want-1].Type != progress.Paused || told[want-1].Failure.Code != code {
			t.Fatalf("after %s: %+v", code, told)
		}
	}
	v.Status, v.Failure = spool.Working, nil
	b.changed(v)
	b.changed(v)
	if len(told) != 3 || told[2].Type != progress.Resumed {
		t.Errorf("when it goes on: %+v", told)
	}
}

// What is told of a video's progress is filled in: nobody is promised a figure
// that nothing sets.
func TestSnapshotIsWhole(t *testing.T) {
	t.Parallel()
	plan := &spool.Plan{
		Timeline: spool.Timeline{Frames: 100, Rate: spool.Ratio{Num: 25, Den: 1}},
		Chunks:   []spool.Chunk{{Number: 0, Frames: 50}, {Number: 1, Frames: 50}},
	}
	s := &standing{revision: "r1", plan: plan, framesDone: 50, chunksDone: 1}
	snap := s.snapshot([]spool.Running{
		{JobKey: job(spool.Fetch, 0), Progress: spool.Progress{Phase: spool.Downloading, Done: 1, Total: 2}},
		{JobKey: job(spool.Encode, 1), Progress: spool.Progress{Phase: spool.Encoding, Done: 10, Note: "slowly"}},
		{JobKey: job(spool.Audio, 0), Progress: spool.Progress{Phase: spool.Publishing, Done: 1, Total: 2}},
	})
	fields := reflect.ValueOf(snap)
	for i := range fields.NumField() {
		if fields.Field(i).IsZero() {
			t.Errorf("nothing sets %s: %+v", fields.Type().Field(i).Name, snap)
		}
	}
}
