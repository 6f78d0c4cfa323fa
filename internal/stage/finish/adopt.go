package finish

import (
	"context"
	"fmt"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/verify"
)

// Adopt makes a video that is published, but that the ledger does not know,
// into a READY one: its manifest is whole, and every object is there with its
// size. Source and Canonical are those of the card, which says of a local file
// only its name: fill them in when Card.SourceID is the SHA-256 of a canonical
// source at hand.
//
// The error wraps store.ErrNotFound when nothing is published, ErrForeign when
// it is not Spool's, and is a spool.Error with the code "incomplete-package"
// when something is missing.
func Adopt(ctx context.Context, s store.Store, video string) (spool.Video, error) {
	card, err := Look(ctx, s, video)
	if err != nil {
		return spool.Video{}, fmt.Errorf("adopt: %w", err)
	}
	if _, err := s.Stat(ctx, video+"/"+verify.MasterName); err != nil {
		return spool.Video{}, fmt.Errorf("adopt %s: %w", video, err)
	}
	manifest, report, err := verify.Present(ctx, s, video)
	if err != nil {
		return spool.Video{}, fmt.Errorf("adopt: %w", err)
	}
	if !report.OK() {
		return spool.Video{}, &spool.Error{
			Class: spool.Permanent, Code: "incomplete-package",
			Reason: "the published video is not complete: " + report.Findings[0].String(),
			Hint:   "it is made anew",
		}
	}
	v := spool.Video{
		ID: video, Source: card.Source, Canonical: card.Source, Title: card.Title, Settings: manifest.Settings,
		Status: spool.Ready, Revision: manifest.Revision, Published: manifest.Revision, LeftOut: manifest.LeftOut,
	}
	for _, r := range manifest.Renditions {
		if r.Pictures() {
			v.Sizes = append(v.Sizes, r.Label)
		}
	}
	return v, nil
}
