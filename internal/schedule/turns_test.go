package schedule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// planned is a video with so many chunks.
func planned(id string, chunks int) ledger.Record {
	rec := NewRecord(spool.Video{ID: id}, time.Now())
	for n := range chunks {
		key := spool.JobKey{Video: id, Revision: rec.Video.Revision, Kind: spool.Encode, Number: n}
		rec.Jobs = append(rec.Jobs, ledger.Job{JobRecord: spool.JobRecord{JobKey: key, State: spool.JobReady}})
	}
	return rec
}

// handedOutIn plays one encoder that takes chunks by their turns, while videos
// are planned when so many chunks were handed out, and tells whose chunks those
// were.
func handedOutIn(videos map[int]ledger.Record) string {
	var line turns
	var order strings.Builder
	var ready []spool.JobRecord
	for n := 0; n == 0 || len(ready) > 0; n++ {
		if rec, comes := videos[n]; comes {
			line.assign(&rec)
			for _, j := range rec.Jobs {
				if j.Kind == spool.Encode {
					ready = append(ready, j.JobRecord)
				}
			}
		}
		slices.SortStableFunc(ready, func(a, b spool.JobRecord) int { return cmp.Compare(a.Turn, b.Turn) })
		line.handedOut(ready[0])
		fmt.Fprint(&order, ready[0].Video)
		ready = ready[1:]
	}
	return order.String()
}

// Short videos are made one after the other; a long one shares with those that
// come after it, and is not put off by them for ever.
func TestTurns(t *testing.T) {
	for _, test := range []struct {
		name, want string
		videos     map[int]ledger.Record
	}{
		{"short ones", "aaaabbbbccc", map[int]ledger.Record{0: planned("a", 4), 1: planned("b", 4), 2: planned("c", 3)}},
		{"a short one after a long one", "LLLLLLLLLLL" + "sLsLsL", map[int]ledger.Record{0: planned("L", 14), 11: planned("s", 3)}},
		{"two long ones", "aaaaaaaa" + "abababab" + "bbbbbbbb", map[int]ledger.Record{0: planned("a", 12), 1: planned("b", 12)}},
	} {
		if got := handedOutIn(test.videos); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// A job goes to who holds its source, however little room there is, then to who
// has most room; one who was just sent it in vain comes last.
func TestWhoGetsAJob(t *testing.T) {
	s := New(Scheduler{Fleet: true})
	s.forget()
	job := spool.JobRecord{JobKey: spool.JobKey{Video: "v", Revision: "r", Kind: spool.Encode}}
	roomy := &seat{member: &member{name: "roomy"}, free: 5}
	holder := &seat{member: &member{name: "holder", beat: spool.Beat{Holds: []string{job.Held()}}}, free: 1}
	seats := []*seat{roomy, holder}
	choose := func(want *seat) {
		t.Helper()
		got := s.choose(seats, job, time.Now())
		if got != want {
			t.Fatalf("it goes to %+v", got)
		}
		got.given++
	}
	choose(holder)
	choose(roomy) // the holder has no more
	holder.given = 0
	s.unbegun[job.JobKey] = "holder"
	choose(roomy)
	job.Place.Worker = "holder"
	choose(holder) // nobody else can read it
}
