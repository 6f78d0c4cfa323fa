package plan

import (
	"fmt"
	"reflect"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/grid"
)

// end completes the plan when all packets have been read.
func (g *growth) end(x *ffmpeg.Growing) (*spool.Plan, error) {
	if !g.begun {
		x.CountSound()
	}
	view, err := x.Whole()
	if err != nil {
		return nil, err
	}
	if g.begun {
		err = g.close(x, view)
	} else {
		err = g.short(view)
	}
	if err != nil {
		return nil, err
	}
	if g.plan.Sequential {
		return nil, fmt.Errorf("it cannot be sought in: %w", ffmpeg.ErrWhole)
	}
	if err := g.windows(x); err != nil {
		return nil, err
	}
	g.plan.Open = false
	laySubtitles(&g.plan, view, g.beside)
	p := g.plan
	return &p, g.kept()
}

// short plans a source that ended before the plan began to grow.
func (g *growth) short(view *ffmpeg.FrameIndex) error {
	rungs := g.plan.Rungs
	if err := lay(&g.plan, view, candidate{}, 0); err != nil {
		return err
	}
	g.plan.Rungs = rungs // it was said already that none is copied
	return nil
}

// close adds what is left to a plan that has grown.
func (g *growth) close(x *ffmpeg.Growing, view *ffmpeg.FrameIndex) error {
	p := &g.plan
	tracks := newTracks(p.Facts, view)
	extent(&p.Timeline, view, tracks)
	if len(p.Sounds) > 0 {
		laySounds(p, tracks)
	}
	p.Grid = grid.Lay(p.Timeline, p.Grid.Segment)
	p.Sequential = unseekable(p.Facts, view)
	begun := p.Chunks
	p.Chunks = chunks(p, view)
	if len(p.Chunks) < len(begun) {
		return fmt.Errorf("it has fewer chunks than before: %w", ffmpeg.ErrWhole)
	}
	for i, c := range begun {
		p.Chunks[i].Bytes = c.Bytes
		if !reflect.DeepEqual(p.Chunks[i], c) {
			return fmt.Errorf("chunk %d has changed: %w", i, ffmpeg.ErrWhole)
		}
	}
	for n, s := range p.Sounds {
		for _, piece := range grid.ClosedPieces(p.Grid, x.Sound(s.Stream).PacketSamples == 0)[g.soundPieces(n):] {
			piece.Sound = n
			if err := g.place(&piece, x, view); err != nil {
				return err
			}
			addPieces(p, n, []spool.AudioPiece{piece})
		}
	}
	constant := regular(p.Timeline.Rate, view.TimeBase, view.PTS) || holed(p.Timeline.Rate, view.TimeBase, view.PTS)
	p.LeftOut = leftOut(p.Facts, p.Sounds)
	p.Notes = append(notes(p, view, constant, 0), cut(p, tracks)...)
	return nil
}

// windows finds the bytes of the parts that have none yet. The last ones go to
// the end of the source.
func (g *growth) windows(x *ffmpeg.Growing) error {
	size := g.source.Size()
	if size < 0 {
		return fmt.Errorf("the source has no end: %w", ffmpeg.ErrWhole)
	}
	for i := range g.plan.Chunks {
		c := &g.plan.Chunks[i]
		if c.Bytes.Len() > 0 {
			continue
		}
		ready, err := g.window(c, x)
		if err == nil && !ready {
			c.Bytes, err = g.toEnd(g.key(c, x), size)
		}
		if err != nil {
			return err
		}
	}
	for i := range g.plan.Pieces {
		piece := &g.plan.Pieces[i]
		if piece.Bytes.Len() > 0 {
			continue
		}
		var err error
		if beyond, ok := g.heard(*piece, x); ok {
			piece.Bytes, err = g.cut(g.heardFrom(*piece, x), beyond)
		} else {
			piece.Bytes, err = g.toEnd(g.heardFrom(*piece, x), size)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *growth) toEnd(from, size int64) (spool.Span, error) {
	s := spool.Span{To: size}
	if from > 0 {
		first, err := g.units.Around(g.ctx, from)
		if err != nil {
			return s, err
		}
		s.From = first.From
	}
	return s, nil
}

// kept makes sure that all that was planned before an interruption still is.
func (g *growth) kept() error {
	if g.before == nil {
		return nil
	}
	if len(g.plan.Chunks) < len(g.before.Chunks) || len(g.plan.Pieces) < len(g.before.Pieces) {
		return fmt.Errorf("it has fewer parts than before: %w", ffmpeg.ErrWhole)
	}
	for i, c := range g.plan.Chunks {
		if err := g.same(i, c); err != nil {
			return err
		}
	}
	for i, p := range g.plan.Pieces {
		if err := g.sameSound(i, p); err != nil {
			return err
		}
	}
	return nil
}
