package worker

import (
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/queue"
)

// A report that the queue does not carry becomes one that says so. When not
// even that is carried, others are sent, and it is tried again later.
func TestRefusedReport(t *testing.T) {
	o := newOutbox("w", "s")
	long := spool.JobKey{Video: "long", Revision: "r", Kind: spool.Encode, Number: 3}
	o.add(spool.Report{JobKey: long, Epoch: 2, Outcome: spool.Done, Result: &spool.Result{Fetched: &spool.Fetched{Path: strings.Repeat("x", 99)}}})
	o.add(spool.Report{JobKey: spool.JobKey{Video: "short"}, Epoch: 1, Outcome: spool.Done})
	why := queue.TooBig(99, 9, "make it wider")
	first := o.next(time.Hour)
	o.refuse(first, why)
	if again := o.next(time.Hour); again != first {
		t.Fatalf("then comes %+v", again.Report)
	}
	r := first.Report
	if r.JobKey != long || r.Epoch != 2 || r.Serial != 1 || r.Worker != "w" || r.Session != "s" || r.Outcome != spool.Broke || r.Result != nil {
		t.Errorf("it became %+v", r)
	}
	if f := r.Failure; f == nil || f.Class != spool.Permanent || f.Code != queue.CodeTooBig || f.Hint != "make it wider" || !strings.Contains(f.Reason, "encode job") {
		t.Errorf("the failure is %+v", f)
	}
	o.refuse(first, why)
	second := o.next(time.Hour)
	if second == nil || second.Video != "short" {
		t.Fatalf("then comes %+v", second)
	}
	o.mark(second)
	if rest := o.next(time.Hour); rest != nil {
		t.Errorf("%+v does not wait", rest.Report)
	}
	if rest := o.next(0); rest != first {
		t.Errorf("later comes %+v", rest)
	}
	if last := o.accepted([]int{1}); len(last) != 1 || last[0].JobKey != long {
		t.Errorf("accepted: %+v", last)
	}
}
