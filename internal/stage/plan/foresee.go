package plan

import (
	"context"
	"slices"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/grid"
	"github.com/spool-video/spool/internal/ladder"
)

// Foresee gives what a source's header promises of its plan: what is copied,
// the grid and its chunks, its subtitles and those beside it. The plan that it gets has facts and rungs; of the
// source it reads no more than a moov box, which tells all of it.
func (s Stage) Foresee(ctx context.Context, source spool.Fetched, settings spool.Settings, p spool.Plan) (spool.Plan, error) {
	p.Grid.Segment = settings.Segment
	c, err := s.candidate(ctx, spool.Job{Fetched: &source, Settings: settings}, &p)
	if err != nil {
		return p, err
	}
	if c.movies.known() {
		if index, err := c.movies.index(p.Facts); err == nil {
			err := lay(&p, index, c, 0)
			layTexts(&p, 0, source.Subtitles)
			return p, err
		}
	}
	p = c.foresee(p)
	switch {
	case copied(p.Rungs):
		p.Chunks = grid.CopiedChunks(p.Grid, p.Timeline.Rate)
	case len(p.Grid.Frames) > 0:
		p.Chunks = grid.Chunks(p.Grid)
	}
	p.Notes = uneven(&p)
	p.LeftOut = leftOut(spool.Facts{Subtitles: p.Facts.Subtitles}, nil)
	layTexts(&p, 0, source.Subtitles)
	return p, nil
}

// foresee lays a timeline by the facts, and decides about the top rung by the
// source's index alone.
func (c candidate) foresee(p spool.Plan) spool.Plan {
	promised(&p)
	if p.Facts.Video == nil {
		return p
	}
	shown, end := []int64(nil), int64(0)
	if len(c.samples) > 0 {
		shown, end = c.shown()
		line := &p.Timeline
		line.Origin, line.TimeBase, line.SourceFrames = shown[0], c.base, len(shown)
		line.Rate, _ = outputRate(p.Facts.Video.FrameRate, c.base, shown)
		line.Frames = int(max(indexer(line.Rate, c.base, line.Origin)(end), 1))
		if more := c.heard - c.base.Float()*float64(end); more > max(padding, 1/line.Rate.Float()) {
			line.Frames += int(more * line.Rate.Float())
		}
	}
	c.decide(&p, shown, end)
	return p
}

// shown are the times of all pictures, sorted, and when the last of them ends.
func (c candidate) shown() (times []int64, end int64) {
	end = c.samples[0].PTS
	for _, s := range c.samples {
		if s.Hidden {
			continue
		}
		times = append(times, s.PTS)
		end = max(end, s.PTS+int64(s.Duration))
	}
	slices.Sort(times)
	if len(times) == 0 {
		times = []int64{c.samples[0].PTS}
	}
	return times, end
}

// promised lays the timeline and the grid that the header promises.
func promised(p *spool.Plan) {
	var t spool.Timeline
	if v := p.Facts.Video; v != nil {
		t.Rate = v.FrameRate
		t.Frames = int(p.Facts.Duration.Seconds() * t.Rate.Float())
	}
	if len(p.Facts.Audio) > 0 {
		t.Samples = int64(p.Facts.Duration.Seconds() * grid.SampleRate)
	}
	p.Timeline, p.Grid = t, grid.Lay(t, p.Grid.Segment)
}

// copied reports whether one of the rungs is copied.
func copied(rungs []spool.Rung) bool {
	return slices.ContainsFunc(ladder.Made(rungs), func(r spool.Rung) bool { return r.Action == spool.CopyRung })
}
