package encode

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/publish"
	"github.com/spool-video/spool/internal/tap"
)

// copiedRung is the rung of a plan that is copied.
func copiedRung(p *spool.Plan) (spool.Rung, bool) {
	at := slices.IndexFunc(p.Rungs, func(r spool.Rung) bool { return r.Action == spool.CopyRung })
	if at < 0 {
		return spool.Rung{}, false
	}
	return p.Rungs[at], true
}

// rungsMade is how many rungs of a plan get segments.
func rungsMade(p *spool.Plan) int {
	n := len(ffmpeg.EncodedRungs(p))
	if _, ok := copiedRung(p); ok {
		n++
	}
	return n
}

// copy makes the segments of the rung that is copied, if there is one, before
// an encoder runs: a breach costs nothing then.
func (c *chunk) copy(ctx context.Context, done func(publish.Plain) error) ([]publish.Init, error) {
	rung, ok := copiedRung(c.job.Plan)
	if !ok {
		return nil, nil
	}
	source, end, err := c.stage.pictures(ctx, c.job)
	if err != nil {
		return nil, breach(c.job.Chunk.Number, err)
	}
	defer end()
	alone := rungsMade(c.job.Plan) == 1
	k := copier{
		rung: rung, container: c.job.Settings.Container, line: c.job.Plan.Timeline, timescale: c.timescale, ticks: c.ticks, source: source, part: c.part,
		spans: spans(c.job.Plan.Grid, c.job.Chunk.FirstSegment, c.job.Chunk.FirstSegment+c.job.Chunk.Segments),
		began: c.began,
		done:  func(p publish.Plain) error { return c.finished(p, rungsMade(c.job.Plan), done) },
		alive: func(frames int) {
			if alone {
				c.progress(spool.Progress{Phase: spool.Encoding, Done: int64(frames), Total: int64(c.job.Chunk.Frames)})
			}
		},
	}
	init, err := k.copy(ctx)
	if err != nil {
		return nil, breach(c.job.Chunk.Number, err)
	}
	return []publish.Init{init}, nil
}

// pictures opens a source for a copier: through the tap while it is arriving.
// The returned function closes it.
func (s Stage) pictures(ctx context.Context, job spool.Job) (pictures, func(), error) {
	source, end, err := s.Sources.Read(job.Fetched)
	if err != nil {
		return pictures{}, nil, err
	}
	p, err := indexed(ctx, source, job.Plan.Facts.Video.Index)
	if err != nil {
		end()
		return pictures{}, nil, err
	}
	return p, end, nil
}

// indexed are the pictures of a source's stream.
func indexed(ctx context.Context, source tap.Reader, stream int) (pictures, error) {
	movie, err := tap.Locate(ctx, source)
	if errors.Is(err, tap.ErrUnsupported) {
		return pictures{}, unfit("%v", err)
	}
	if err != nil {
		return pictures{}, fmt.Errorf("read source: %w", err)
	}
	at := slices.IndexFunc(movie.Tracks, func(t tap.Track) bool { return t.Index == stream && t.Err == nil })
	if at < 0 {
		return pictures{}, unfit("its index names no pictures")
	}
	t := movie.Tracks[at]
	return pictures{config: t.Config, samples: t.Samples, read: func(ctx context.Context, p []byte, off int64) error {
		return tap.ReadFull(ctx, source, p, off)
	}}, nil
}
