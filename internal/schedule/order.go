package schedule

import (
	"context"
	"fmt"
	"slices"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// begun is the part of a job that stands in its record.
func begun(v spool.Video, j spool.JobRecord) *spool.Job {
	job := &spool.Job{
		JobKey: j.JobKey, Epoch: j.Epoch,
		Source: v.Source, Canonical: v.Canonical, Title: v.Title,
		Settings: v.Settings, Careful: v.Replans, Replaced: v.Replaced, Published: v.Published,
	}
	if j.Kind == spool.Finish {
		job.GivenUp = v.GivenUp
	}
	return job
}

// orders completes jobs with what earlier jobs of their revision found. It
// keeps the last few revisions at hand, because a video's chunks all need the
// same plan.
type orders struct {
	ledger ledger.Ledger
	keys   Keys
	known  []revision
}

// revision is what all encode and audio jobs of a revision need.
type revision struct {
	video, name string
	stamp       stamp
	fetched     *spool.Fetched
	plan        *spool.Plan
}

const knownRevisions = 32

// stamp is what of a record tells that more was found of it since: another
// scheduler may have taken the report.
type stamp struct {
	fetch, draft struct {
		state       spool.JobState
		epoch, seen int
	}
}

func stampOf(rec *ledger.Record) (s stamp) {
	if j := rec.Job(spool.Fetch, 0); j != nil {
		s.fetch.state, s.fetch.epoch, s.fetch.seen = j.State, j.Epoch, j.Seen
	}
	if j := rec.Job(spool.Draft, 0); j != nil {
		s.draft.state, s.draft.epoch, s.draft.seen = j.State, j.Epoch, j.Seen
	}
	return s
}

func (o *orders) complete(ctx context.Context, job *spool.Job, now stamp) error {
	if job.Kind == spool.Fetch {
		return o.before(ctx, job)
	}
	if job.Kind == spool.Draft || job.Kind == spool.Finish {
		return o.whole(ctx, job)
	}
	r, err := o.revision(ctx, job, now)
	if err != nil {
		return err
	}
	if r.plan == nil {
		return fmt.Errorf("complete job %s: there is no plan", job.JobKey)
	}
	job.Fetched = r.fetched
	plan := *r.plan
	plan.Chunks, plan.Pieces = nil, nil
	job.Plan = &plan
	switch {
	case job.Kind == spool.Encode && job.Number < len(r.plan.Chunks):
		job.Chunk = &r.plan.Chunks[job.Number]
		return o.encrypt(ctx, job, job.Chunk.FirstSegment, job.Chunk.Segments)
	case job.Kind == spool.Audio && job.Number < len(r.plan.Pieces):
		job.Piece = &r.plan.Pieces[job.Number]
		return o.encrypt(ctx, job, job.Piece.FirstSegment, job.Piece.Segments)
	}
	if job.Kind == spool.Texts {
		return o.encrypt(ctx, job, 0, plan.Grid.Segments())
	}
	return fmt.Errorf("complete job %s: the plan has no such part", job.JobKey)
}

// whole gives a job everything that was found so far.
func (o *orders) whole(ctx context.Context, job *spool.Job) error {
	done, err := o.ledger.Results(ctx, job.Video, job.Revision)
	if err != nil {
		return fmt.Errorf("load results of %s: %w", job.Video, err)
	}
	job.Made = &spool.Made{}
	for _, d := range done {
		switch {
		case d.Result == nil:
		case d.Result.Fetched != nil:
			job.Fetched = d.Result.Fetched
		case d.Result.Plan != nil:
			job.Plan = d.Result.Plan
		case d.Result.Made != nil:
			job.Made.Inits = append(job.Made.Inits, d.Result.Made.Inits...)
			job.Made.Segments = append(job.Made.Segments, d.Result.Made.Segments...)
		}
	}
	if job.Fetched == nil {
		return fmt.Errorf("complete job %s: nothing was fetched", job.JobKey)
	}
	if job.Kind != spool.Finish || job.Plan == nil {
		return nil
	}
	return o.encrypt(ctx, job, 0, job.Plan.Grid.Segments())
}

func (o *orders) revision(ctx context.Context, job *spool.Job, now stamp) (revision, error) {
	for _, r := range o.known {
		if r.video == job.Video && r.name == job.Revision && r.stamp == now {
			return r, nil
		}
	}
	full := *job
	if err := o.whole(ctx, &full); err != nil {
		return revision{}, err
	}
	r := revision{job.Video, job.Revision, now, full.Fetched, full.Plan}
	o.forget(job.JobKey)
	o.known = append(o.known, r)
	if len(o.known) > knownRevisions {
		o.known = o.known[1:]
	}
	return r, nil
}

// before tells a fetch what an earlier try of it reported, and others use.
func (o *orders) before(ctx context.Context, job *spool.Job) error {
	if job.Epoch == 1 {
		return nil
	}
	results, err := o.ledger.Results(ctx, job.Video, job.Revision)
	if err != nil {
		return fmt.Errorf("load results of %s: %w", job.Video, err)
	}
	for _, r := range results {
		if r.Kind == spool.Fetch && r.Result != nil {
			job.Fetched = r.Result.Fetched
		}
	}
	return nil
}

// forget drops what is known of a revision: a job has found more.
func (o *orders) forget(key spool.JobKey) {
	o.known = slices.DeleteFunc(o.known, func(r revision) bool { return r.video == key.Video && r.name == key.Revision })
}

// encrypt gives a job the keys of so many segments from first on, when they are
// to be encrypted.
func (o *orders) encrypt(ctx context.Context, job *spool.Job, first, segments int) (err error) {
	if !job.Settings.Encrypt {
		return nil
	}
	v := spool.Video{ID: job.Video, Revision: job.Revision, Settings: job.Settings}
	if job.Keys, err = o.keys.Content(ctx, v, first, first+segments); err != nil {
		return fmt.Errorf("content keys of %s: %w", job.Video, err)
	}
	return nil
}
