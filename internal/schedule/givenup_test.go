package schedule

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
)

// Who finishes a revision has to know which were begun before it and never
// published: nobody else would ever remove what they put.
func TestRevisionsThatWereGivenUp(t *testing.T) {
	rec := NewRecord(spool.Video{ID: "v"}, noon)
	first := rec.Video.Revision
	Again(&rec, noon)
	do := func(kind spool.Kind, result spool.Result) {
		t.Helper()
		key := spool.JobKey{Video: "v", Revision: rec.Video.Revision, Kind: kind}
		if !Apply(&rec, spool.Report{JobKey: key, Outcome: spool.Done, Result: &result}, noon) {
			t.Fatalf("%s changes nothing", key)
		}
	}
	do(spool.Fetch, spool.Result{Fetched: &spool.Fetched{}})
	do(spool.Draft, spool.Result{Plan: plan(1, 0)})
	do(spool.Encode, spool.Result{Made: &spool.Made{}})
	job := begun(rec.Video, rec.Job(spool.Finish, 0).JobRecord)
	if diff := cmp.Diff([]string{first}, job.GivenUp); diff != "" {
		t.Error(diff)
	}
	do(spool.Finish, spool.Result{Finished: &spool.Finished{}})
	published := rec.Video.Revision
	if Again(&rec, noon); rec.Video.GivenUp != nil || rec.Video.Published != published {
		t.Errorf("%+v", rec.Video)
	}
}
