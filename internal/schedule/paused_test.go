package schedule

import (
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// TestOneThatGotThroughEndsNoPause: a pause ends when nothing waits for the
// environment any more, not with the first job that is done.
func TestOneThatGotThroughEndsNoPause(t *testing.T) {
	rec := sent()
	key := func(n int) spool.JobKey {
		return spool.JobKey{Video: "v", Revision: rec.Video.Revision, Kind: spool.Encode, Number: n}
	}
	rec.Jobs = nil
	for n := range 2 {
		rec.Jobs = append(rec.Jobs, ledger.Job{JobRecord: spool.JobRecord{JobKey: key(n), State: spool.JobRunning, Epoch: 1}})
	}
	Apply(&rec, spool.Report{JobKey: key(0), Epoch: 1, Outcome: spool.Broke, Failure: &spool.Failure{Class: spool.Environment}}, noon)
	Apply(&rec, spool.Report{JobKey: key(1), Epoch: 1, Outcome: spool.Done, Result: &spool.Result{}}, noon)
	if rec.Video.Status != spool.Paused {
		t.Errorf("%s while a job still waits", rec.Video.Status)
	}
	rec.Jobs[0].State = spool.JobRunning
	Apply(&rec, spool.Report{JobKey: key(0), Epoch: 1, Outcome: spool.Done, Result: &spool.Result{}}, noon)
	if rec.Video.Failure != nil {
		t.Errorf("%+v when nothing waits", rec.Video.Failure)
	}
}

// TestPauseSaysWhatIsStillWaitedFor: of several reasons, one that is over is not
// said any more.
func TestPauseSaysWhatIsStillWaitedFor(t *testing.T) {
	rec := sent()
	key := func(n int) spool.JobKey {
		return spool.JobKey{Video: "v", Revision: rec.Video.Revision, Kind: spool.Encode, Number: n}
	}
	rec.Jobs = nil
	for n := range 2 {
		rec.Jobs = append(rec.Jobs, ledger.Job{JobRecord: spool.JobRecord{JobKey: key(n), State: spool.JobRunning, Epoch: 1}})
	}
	paused := func(code string) {
		t.Helper()
		f := rec.Video.Failure
		if f == nil && code != "" || f != nil && f.Code != code || (f != nil) != (rec.Video.Status == spool.Paused) {
			t.Fatalf("%s for %+v, want %q", rec.Video.Status, f, code)
		}
	}
	broke := func(n int, class spool.Class, code string) {
		t.Helper()
		rec.Jobs[n].State = spool.JobRunning
		Apply(&rec, spool.Report{JobKey: key(n), Epoch: 1, Outcome: spool.Broke, Failure: &spool.Failure{Class: class, Code: code}}, noon)
	}
	broke(0, spool.Environment, "full")
	paused("full")
	broke(1, spool.Environment, "refused")
	paused("refused")
	broke(1, spool.Transient, "busy")
	paused("full")
	broke(1, spool.Environment, "refused")
	rec.Jobs[1].State = spool.JobRunning
	Apply(&rec, spool.Report{JobKey: key(1), Epoch: 1, Outcome: spool.Done, Result: &spool.Result{}}, noon)
	paused("full")
	broke(0, spool.Transient, "busy")
	paused("")
}
