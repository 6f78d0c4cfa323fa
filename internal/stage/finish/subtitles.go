package finish

import (
	"fmt"
	"slices"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/verify"
)

// subtitles lists the subtitles that were made. Those of which nothing could be
// shown were not.
func (p *parcel) subtitles(job spool.Job) error {
	for n, s := range job.Plan.Subtitles {
		r := verify.Rendition{
			Name: s.Name, Text: true, Language: s.Language, Title: s.Title, Role: s.Role, Forced: s.Forced, Track: n,
		}
		for _, made := range job.Made.Segments {
			if made.Rendition == s.Name {
				r.Segments = append(r.Segments, verify.Segment{Segment: made})
			}
		}
		if len(r.Segments) == 0 {
			words := "subtitles"
			if s.Language != "" {
				words += " (" + s.Language + ")"
			}
			p.manifest.LeftOut = append(slices.Clone(p.manifest.LeftOut), words+" of which nothing can be shown")
			continue
		}
		slices.SortFunc(r.Segments, func(a, b verify.Segment) int { return a.Number - b.Number })
		for i, made := range r.Segments {
			if made.Number != i || len(r.Segments) != job.Plan.Grid.Segments() {
				return broken(fmt.Sprintf("segments of %s are missing, or were made twice", s.Name))
			}
		}
		p.manifest.Subtitles = append(p.manifest.Subtitles, r)
	}
	return nil
}
