package tap

import (
	"context"
	"io"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
)

// Input is how ffmpeg opens a source to make a part of a plan.
type Input struct {
	Args []string // "-i" and the source included
	// Feed writes its standard input: a window of a source that cannot be
	// sought in. Nil: ffmpeg opens the source, and seeks in it.
	Feed  func(ctx context.Context, w io.Writer) error
	Close func() // called when ffmpeg has ended
}

// Input opens a source, for a part whose window of it is that.
func (d *Desk) Input(p *spool.Plan, f *spool.Fetched, window spool.Span) (Input, error) {
	if len(p.Head) == 0 {
		address, release, err := d.address(f, window)
		if err != nil {
			return Input{}, err
		}
		return Input{Args: ffmpeg.InputArgs(address), Close: release}, nil
	}
	source, release, err := d.read(f, window)
	if err != nil {
		return Input{}, err
	}
	format := ffmpeg.Demuxer(p.Facts)
	part := Window{Format: format, Head: p.Head, Bytes: window}
	return Input{
		Args: ffmpeg.PipedArgs(format), Close: release,
		Feed: func(ctx context.Context, w io.Writer) error { return part.Copy(ctx, w, source) },
	}, nil
}
