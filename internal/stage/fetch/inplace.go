package fetch

import (
	"context"
	"errors"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/tap"
)

// inPlace looks whether the source can be worked on where it lies, by ranges,
// so that nothing is copied. Nil: it has to be copied, or what is wrong with it
// is told by trying that.
func (g *get) inPlace(ctx context.Context) (*spool.Fetched, error) {
	at := g.place()
	if at == nil {
		return nil, nil
	}
	f, source, end, err := g.far(ctx, at)
	if f == nil {
		return nil, err
	}
	defer end()
	if err := tap.Readable(ctx, source); err != nil {
		return nil, g.inTheWay(err)
	}
	g.count(f.Size, f.Size)
	return f, nil
}

// far opens a source where it lies. Nil: it cannot be read so.
func (g *get) far(ctx context.Context, at *spool.Remote) (f *spool.Fetched, source tap.Reader, end func(), err error) {
	size, tag, err := g.stage.Sources.Remotes.Stamp(ctx, *at)
	if err != nil || tag == "" { // without a tag nobody would see that it changed
		return nil, nil, nil, g.inTheWay(err)
	}
	f = &spool.Fetched{Size: size, Tag: tag, Remote: at}
	if source, end, err = g.stage.Sources.Read(f); err != nil {
		return nil, nil, nil, err
	}
	return f, source, end, nil
}

// place is where the source lies, if it may be worked on there. What was not
// as it seemed before is copied, and so is what is to be kept.
func (g *get) place() *spool.Remote {
	s := g.stage
	switch {
	case !g.mayStay():
		return nil
	case g.stored:
		return &spool.Remote{Store: g.job.Source}
	case s.Direct && mediaLink(g.url):
		return &spool.Remote{URL: g.url}
	}
	return nil
}

// mayStay: a copy of the source on this disk is neither asked for, nor needed,
// nor begun.
func (g *get) mayStay() bool {
	s, begun := g.stage, g.job.Fetched != nil && g.job.Fetched.Remote == nil
	return s.Sources != nil && s.Sources.Remotes != nil && s.DownloadDir == "" && !begun && g.job.Careful == 0 && g.job.Replaced == 0
}

// inTheWay is what of an error of looking at a source in its place is one of
// the source.
func (g *get) inTheWay(err error) error {
	if err == nil || errors.Is(err, tap.ErrUnsupported) {
		return nil
	}
	if e := spool.AsError(err); e.Code == spool.NeedsCopy || e.Class == spool.Permanent || !g.stored && e.Class != spool.Replan {
		return nil // what is to be said of it, the download says
	}
	return err
}
