package schedule

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// arriving reports whether the source of a video is not wholly here.
func arriving(rec *ledger.Record) bool {
	fetch := rec.Job(spool.Fetch, 0)
	return fetch != nil && fetch.State != spool.JobDone
}

// hold makes ready jobs wait for the bytes that they need, as long as the
// source is arriving.
func hold(rec *ledger.Record) {
	if !arriving(rec) {
		return
	}
	for i := range rec.Jobs {
		if j := &rec.Jobs[i]; j.State == spool.JobReady && j.Kind != spool.Fetch {
			j.State = spool.JobWaiting
		}
	}
}

// release makes waiting jobs ready, and reports whether there were any.
func release(rec *ledger.Record, which func(spool.JobKey) bool) bool {
	any := false
	for i := range rec.Jobs {
		if j := &rec.Jobs[i]; j.State == spool.JobWaiting && which(j.JobKey) {
			j.State, j.Failure, any = spool.JobReady, nil, true
		}
	}
	return any
}

// arrived takes what a job that goes on has so far. Segments that are
// published before their part is done change nothing in the ledger.
func arrived(rec *ledger.Record, job *ledger.Job, r spool.Report) bool {
	if r.Result == nil || job.Kind != spool.Fetch && job.Kind != spool.Draft {
		return false
	}
	job.State, job.Result = spool.JobRunning, withSum(r.Result, job.Result)
	learn(&rec.Video, r.Result)
	if job.Kind == spool.Fetch {
		settleAt(rec, r)
		release(rec, func(k spool.JobKey) bool { return k.Kind == spool.Draft })
	}
	open(rec, Next(rec.Video, records(rec.Jobs), Event{Arrived: &r.JobKey, Plan: r.Result.Plan}), r)
	return true
}

// withSum is what arrives, with the sum that an earlier fetch has found of it:
// in the end it is compared with this one's.
func withSum(now, before *spool.Result) *spool.Result {
	if now.Fetched == nil || before == nil || before.Fetched == nil {
		return now
	}
	return &spool.Result{Fetched: summed(now.Fetched, before.Fetched)}
}

func summed(now, before *spool.Fetched) *spool.Fetched {
	if now == nil || before == nil || now.SHA256 != "" {
		return now
	}
	f := *now
	f.SHA256, f.Sound = before.SHA256, summed(now.Sound, before.Sound)
	return &f
}

// bring makes the parts ready whose windows of the source are here: what of it
// the pictures are read from, and what the sound, which may lie in a file of
// its own.
func bring(rec *ledger.Record, p *spool.Plan, pictures, sound spool.Spans) bool {
	if rec.Video.Status.Ended() {
		return false
	}
	return release(rec, func(k spool.JobKey) bool {
		window, have := window(p, k), pictures
		if k.Kind == spool.Audio {
			have = sound
		}
		return window.Len() > 0 && have.Has(window)
	})
}

// window is what a part needs of the source; empty when it needs all of it.
func window(p *spool.Plan, k spool.JobKey) spool.Span {
	switch {
	case k.Kind == spool.Encode && k.Number < len(p.Chunks):
		return p.Chunks[k.Number].Bytes
	case k.Kind == spool.Audio && k.Number < len(p.Pieces):
		return p.Pieces[k.Number].Bytes
	}
	return spool.Span{}
}

// heard takes what a running fetch says of the bytes that are here.
func (s *Scheduler) heard(ctx context.Context, run spool.Running) error {
	if run.Kind != spool.Fetch {
		return nil
	}
	have, sound := run.Progress.Have, run.Progress.HaveSound
	before, known := s.have[run.JobKey]
	if known && slices.Equal(before.source, have) && slices.Equal(before.sound, sound) && time.Since(before.told) < s.Patience {
		return nil
	}
	rec, err := s.Ledger.Get(ctx, run.Video)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up %s: %w", run.Video, err)
	}
	draft := rec.Job(spool.Draft, 0)
	if rec.Video.Revision != run.Revision || draft == nil || draft.State == spool.JobReady {
		return nil // there is no plan yet
	}
	if draft.State == spool.JobWaiting {
		s.needsWhole(rec, run.JobKey)
		return nil
	}
	here := held{source: have, sound: sound, told: time.Now()}
	s.have[run.JobKey] = here
	planned, err := s.orders.revision(ctx, &spool.Job{JobKey: run.JobKey, Settings: rec.Video.Settings}, stampOf(&rec))
	if err != nil || planned.plan == nil {
		return err
	}
	s.need(rec, run.JobKey, needs(&rec, planned.plan, planned.fetched.Sound != nil))
	if planned.fetched.Sound == nil {
		sound = have
	}
	brings := bring(&rec, planned.plan, have, sound)
	here.enough = !planned.plan.Open && !waits(&rec)
	s.have[run.JobKey] = here
	if !brings {
		return nil
	}
	return s.update(ctx, run.Video, func(rec *ledger.Record) bool { return bring(rec, planned.plan, have, sound) })
}

// planned looks at the bytes of a source that arrives as soon as there is a
// plan, or it has grown: what its worker has told of them waits for no beat.
func (s *Scheduler) planned(ctx context.Context, r spool.Report) error {
	fetch := spool.JobKey{Video: r.Video, Revision: r.Revision, Kind: spool.Fetch}
	h := s.out[fetch]
	m := s.members[h.worker]
	if m == nil {
		return nil // it is here, or is not fetched now
	}
	for _, run := range m.beat.Running {
		if run.JobKey == fetch && run.Epoch == h.epoch { // else it has begun anew
			return s.heard(ctx, run)
		}
	}
	return nil
}

// longRest is how long a download may rest before the plan that follows it
// gives its slot back.
const longRest = 30 * time.Second

// restsUntil is when a download that broke is tried again; zero when it is
// not, or at once.
func restsUntil(rec *ledger.Record, r spool.Report) time.Time {
	fetch := rec.Job(spool.Fetch, 0)
	if r.Kind != spool.Fetch || r.Outcome != spool.Broke || fetch == nil || fetch.State != spool.JobReady {
		return time.Time{}
	}
	return fetch.NotBefore
}

// stopIdle stops the plans of streams whose downloads rest for long. They wait
// for bytes that do not come, in slots that others need to be planned; they are
// given back, and go on with the download from what they have found. A plan
// that needs no more than is here has the time to come to its end.
func (s *Scheduler) stopIdle(now time.Time) {
	for fetch, until := range s.rests {
		if !until.After(s.clock.now()) {
			delete(s.rests, fetch)
			continue
		}
		draft := fetch
		draft.Kind = spool.Draft
		h, out := s.out[draft]
		if out && !h.stopped && now.Sub(h.since) >= s.Patience {
			s.stop(h.worker, draft, h.epoch)
		}
	}
}
