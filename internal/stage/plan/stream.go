package plan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/ladder"
	"github.com/spool-video/spool/internal/tap"
)

// streamed plans a source that tells its times only as it is read: while it
// arrives, the plan grows. A plan that was begun so is ended so, also when all
// of the source has come meanwhile: its chunks stay what they are. Nil is a
// source that is planned otherwise.
func (s Stage) streamed(ctx context.Context, job spool.Job, progress func(spool.Progress)) (*spool.Plan, error) {
	begun := job.Plan != nil && job.Plan.Open
	if job.Fetched.Sound != nil || !begun && job.Careful > 0 || !begun && !s.Sources.Tapped(job.Fetched) {
		return nil, nil // two files are planned from their indexes, and what was another than it promised when it is whole
	}
	source, release, err := s.Sources.Read(job.Fetched)
	if err != nil {
		return nil, err
	}
	defer release()
	stream, err := tap.ReadStream(ctx, source)
	if errors.Is(err, tap.ErrUnsupported) && !begun {
		return nil, nil
	}
	g := &growth{ctx: ctx, source: source, tell: progress, beside: job.Fetched.Subtitles}
	if begun {
		g.before = job.Plan
	}
	var p *spool.Plan
	if err == nil {
		p, err = s.follow(ctx, job, stream, g)
	}
	return p, g.doubt(err)
}

// follow reads a stream to its end.
func (s Stage) follow(ctx context.Context, job spool.Job, stream *tap.Stream, g *growth) (*spool.Plan, error) {
	all := tap.Window{Format: stream.Format, Bytes: spool.Span{To: tap.ToEnd}}
	in := ffmpeg.Stream{Format: stream.Format, Copy: func(ctx context.Context, w io.Writer) error {
		return all.Copy(ctx, w, g.source)
	}}
	if err := g.begin(ctx, s, job, in); err != nil {
		return nil, err
	}
	g.plan.Head, g.units = stream.Head, stream.Units(g.source)
	first, err := ffmpeg.FirstShown(ctx, s.Tools, in, g.plan.Facts.Video.Index)
	if err != nil {
		return nil, err
	}
	g.tell(spool.Progress{Phase: spool.Probing, Note: "reading the times of frames as they arrive"})
	index := ffmpeg.NewGrowing(g.plan.Facts, first)
	if err := index.Follow(ctx, s.Tools, in, func() error { return g.step(index) }); err != nil {
		return nil, err
	}
	return g.end(index)
}

// begin finds the facts and the rungs, or takes those that the plan was begun
// with.
func (g *growth) begin(ctx context.Context, s Stage, job spool.Job, in ffmpeg.Stream) error {
	g.plan.Grid.Segment = job.Settings.Segment
	if g.before != nil {
		g.plan.Facts, g.plan.Rungs = g.before.Facts, g.before.Rungs
		return nil
	}
	facts, err := ffmpeg.ProbeStream(ctx, s.Tools, in)
	if err != nil {
		return judged(err)
	}
	if facts.Video == nil {
		return fmt.Errorf("no pictures: %w", ffmpeg.ErrWhole)
	}
	facts.Size = max(g.source.Size(), 0)
	rungs, err := ladder.Choose(facts, job.Settings, s.Ladders)
	if err != nil {
		return err
	}
	g.plan.Facts, g.plan.Rungs = facts, rungs
	newCandidate(facts, rungs, job.Settings, movies{}).decide(&g.plan, nil, 0)
	return nil
}

// judged leaves the judgement of a source to who sees the whole file.
func judged(err error) error {
	var e *spool.Error
	if errors.As(err, &e) && e.Class == spool.Permanent {
		return fmt.Errorf("%s: %w", e.Reason, ffmpeg.ErrWhole)
	}
	return err
}

// doubt says what becomes of a plan that cannot grow as it began.
func (g *growth) doubt(err error) error {
	if err == nil || !errors.Is(err, tap.ErrUnsupported) && !errors.Is(err, ffmpeg.ErrWhole) {
		return err
	}
	if g.told || g.before != nil {
		return &spool.Error{
			Class: spool.Replan, Code: "stream-not-as-planned", Err: err,
			Reason: "the source is not what its beginning promised",
			Hint:   "it is planned again, when all of it is here",
		}
	}
	return needsWhole(err)
}

func needsWhole(err error) error {
	return &spool.Error{
		Class: spool.NeedsWhole, Code: "needs-whole-source", Err: err,
		Reason: "the source can be planned only when all of it is here",
	}
}

// rest is how long the next report waits: the more there is to tell, the
// longer, since each tells everything.
func (g *growth) rest() time.Duration {
	return min(time.Duration(len(g.plan.Chunks))*20*time.Millisecond, 5*time.Second)
}
