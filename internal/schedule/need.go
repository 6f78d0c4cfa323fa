package schedule

import (
	"slices"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/queue"
)

// held is what a fetch said of the bytes that are here.
type held struct {
	source, sound spool.Spans
	told          time.Time // when its worker was told what is needed of them
	enough        bool      // every chunk can be made of them
}

// waits reports whether chunks wait for bytes.
func waits(rec *ledger.Record) bool {
	return slices.ContainsFunc(rec.Jobs, func(j ledger.Job) bool { return j.Kind == spool.Encode && j.State == spool.JobWaiting })
}

// needs says what of the source of a planned video is still to be read: what
// came of the rest is in the ledger. apart: the sound lies in a file of its own.
func needs(rec *ledger.Record, p *spool.Plan, apart bool) spool.Needs {
	// What a plan is made of that grows is all of the source.
	n := spool.Needs{Whole: p.Open, Made: largestPart(p)}
	for _, j := range rec.Jobs {
		switch window := window(p, j.JobKey); {
		case !isPart(j.Kind):
		case j.State == spool.JobDone:
			n.Done++
		case window.Len() == 0:
			n.Whole = true
		case apart && j.Kind == spool.Audio:
			n.Sound = append(n.Sound, window)
		default:
			n.Source = append(n.Source, window)
		}
	}
	return n
}

// largestPart is how many bytes what is made of a chunk has at most: rungs are
// capped, with a second of buffer, and what is copied is as long as its window.
func largestPart(p *spool.Plan) int64 {
	most := int64(0)
	for _, c := range p.Chunks {
		seconds := int64(p.Timeline.Rate.Invert().Duration(int64(c.Frames))/time.Second) + 2
		size := int64(0)
		for _, r := range p.Rungs {
			switch r.Action {
			case spool.EncodeRung:
				size += seconds * int64(r.MaxRate) / 8
			case spool.CopyRung:
				size += c.Bytes.Len()
			case spool.SkipRung:
			}
		}
		most = max(most, size)
	}
	return most
}

// needsWhole tells the worker of a fetch that the source is planned only when
// all of it is here, when that is what its plan waits for.
func (s *Scheduler) needsWhole(rec ledger.Record, fetch spool.JobKey) {
	if why := rec.Job(spool.Draft, 0).Failure; why == nil || why.Class != spool.NeedsWhole || why.Code == spool.NotArriving {
		return // it waits for its first bytes
	}
	s.need(rec, fetch, spool.Needs{Whole: true})
}

// need tells the worker of a fetch. A message that is lost is made up for: it
// is told again before long.
func (s *Scheduler) need(rec ledger.Record, fetch spool.JobKey, n spool.Needs) {
	if job := rec.Job(spool.Fetch, 0); job != nil && job.Worker != "" {
		n.JobKey = fetch
		s.send(job.Worker, queue.Message{Needs: &n})
	}
}
