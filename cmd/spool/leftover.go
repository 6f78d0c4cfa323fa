package main

import (
	"context"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/progress"
	"github.com/spool-video/spool/internal/stage/finish"
)

// sweepFailed removes from the destination what was put there for videos that
// failed for good in this run: nobody will ever name it. What failed for a
// passing reason stays, for the next try. An error costs nothing but room and
// is told.
func (r *running) sweepFailed(ctx context.Context, ended []progress.Ending) (notes []string) {
	for _, e := range ended {
		if e.Video == "" || e.Status != spool.Failed || e.Failure == nil || e.Failure.Class == spool.Transient {
			continue
		}
		rec, err := r.ledger.Get(ctx, e.Video)
		if err == nil {
			err = finish.SweepAbandoned(ctx, r.store, e.Video, "", append(rec.Video.GivenUp, rec.Video.Revision))
		}
		if err != nil {
			notes = append(notes, "what was published of "+e.Video+" could not be removed: "+plaintext.Sanitize(err.Error()))
		}
	}
	return notes
}
