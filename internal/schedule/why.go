package schedule

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// Why says in a clause what a video is doing, or what it waits for. attended
// tells whether a process is at work on the destination: without one, nothing
// moves however free the slots are.
func Why(rec ledger.Record, attended bool, now time.Time) string {
	return why(rec, attended, now, func(ledger.Job) string { return "" })
}

// Why is the function Why for a fleet: it knows who is here, as of the last
// tick, and says who is missing.
func (s *Scheduler) Why(rec ledger.Record) string {
	return why(rec, true, time.Now(), func(j ledger.Job) string {
		if !s.Fleet {
			return ""
		}
		s.view.mu.Lock()
		defer s.view.mu.Unlock()
		return missing(s.view.workers, j, s.Destination)
	})
}

// missing says whom a job waits for who is not here; "" when there is somebody
// who could do it.
func missing(workers []Attendance, j ledger.Job, destination string) string {
	here := slices.DeleteFunc(slices.Clone(workers), func(w Attendance) bool {
		_, does := w.Free[j.Kind]
		return w.Lost || w.Refused != "" || w.Drained || w.Draining || !does
	})
	narrow := func(fits func(Attendance) bool) bool {
		here = slices.DeleteFunc(here, func(w Attendance) bool { return !fits(w) })
		return len(here) == 0
	}
	reaches := func(store string) func(Attendance) bool {
		return func(w Attendance) bool { return store == "" || slices.Contains(w.Reach, store) }
	}
	switch p := j.Place; {
	case len(here) == 0:
		return "waits for a worker"
	case j.Kind != spool.Fetch && j.Kind != spool.Draft && narrow(reaches(destination)):
		return "waits for a worker that can write the destination"
	case narrow(reaches(p.Store)) && p.Store == spool.LocalFiles:
		return "waits for a worker that can read the files of the scheduler's machine"
	case len(here) == 0:
		return "waits for a worker that can read " + p.Store
	case p.Worker != "" && narrow(func(w Attendance) bool { return w.Worker == p.Worker }):
		return "waits for the worker " + p.Worker + ", which has its source"
	case p.Class != "" && j.Kind != spool.Fetch && narrow(func(w Attendance) bool { return w.Class == p.Class }):
		return "waits for a worker of encoder class " + p.Class
	}
	return ""
}

// why is Why; lack says whom a ready job waits for who is not here.
func why(rec ledger.Record, attended bool, now time.Time, lack func(ledger.Job) string) string {
	v := rec.Video
	switch {
	case v.Status == spool.Ready:
		return ""
	case v.Status == spool.Cancelled:
		return "cancelled"
	case v.Failure != nil && v.Status == spool.Failed:
		return v.Failure.Reason
	case !attended:
		return "waits for the next spool run" + sofar(rec)
	case v.Failure != nil:
		return "paused: " + v.Failure.Reason
	}
	if doing := doing(rec); doing != "" {
		return doing
	}
	return waitingFor(rec, now, lack)
}

// doing says what the jobs that are out do.
func doing(rec ledger.Record) string {
	out := map[spool.Kind]int{}
	for _, j := range rec.Jobs {
		if j.State == spool.JobSent || j.State == spool.JobRunning {
			out[j.Kind]++
		}
	}
	var parts []string
	for _, p := range []struct {
		kind spool.Kind
		text string
	}{{spool.Fetch, "downloading"}, {spool.Draft, "planning"}, {spool.Encode, "encoding" + sofar(rec)}, {spool.Audio, "encoding audio"}, {spool.Texts, "reading subtitles"}, {spool.Finish, "verifying"}} {
		if out[p.kind] > 0 {
			parts = append(parts, p.text)
		}
	}
	return strings.Join(parts, ", ")
}

// sofar tells how many chunks are done, when there are any.
func sofar(rec ledger.Record) string {
	done, all := 0, 0
	for _, j := range rec.Jobs {
		if j.Kind != spool.Encode {
			continue
		}
		all++
		if j.State == spool.JobDone {
			done++
		}
	}
	if all == 0 {
		return ""
	}
	if all == 1 {
		return "" // what its only chunk does is said already
	}
	return fmt.Sprintf(" (%d of %d chunks done)", done, all)
}

// waitingFor says what the first ready job waits for.
func waitingFor(rec ledger.Record, now time.Time, lack func(ledger.Job) string) string {
	for _, j := range rec.Jobs {
		if j.State != spool.JobReady {
			continue
		}
		rests := ledger.Rests(j.NotBefore, now)
		if rests && j.Failure != nil {
			return fmt.Sprintf("tries again at %s (attempt %d of %d failed: %s)",
				j.NotBefore.Local().Format("15:04:05"), j.Attempts+j.Deaths, maxAttempts, j.Failure.Reason)
		}
		if rests {
			return fmt.Sprintf("waits until %s: who was at it was lost, more than once", j.NotBefore.Local().Format("15:04:05")) + sofar(rec)
		}
		if text := lack(j); text != "" {
			return text + sofar(rec)
		}
		switch j.Kind {
		case spool.Fetch:
			return "waits for a download slot"
		case spool.Encode, spool.Audio, spool.Texts:
			return "waits for a free encoder" + sofar(rec)
		case spool.Draft, spool.Finish:
			return "waits for its turn"
		}
	}
	if slices.ContainsFunc(rec.Jobs, func(j ledger.Job) bool { return j.State == spool.JobWaiting }) {
		return "waits for more of its source" + sofar(rec)
	}
	return "waits for its turn"
}
