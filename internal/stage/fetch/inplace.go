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
	size, tag, err := g.stage.Sources.Remotes.Stamp(ctx, *at)
	if err != nil {
		return nil, g.inTheWay(err)
	}
	f := &spool.Fetched{Size: size, Tag: tag, Remote: at}
	source, end, err := g.stage.Sources.Read(f)
	if err != nil {
		return nil, err
	}
	defer end()
	if err := tap.Readable(ctx, source); err != nil {
		return nil, g.inTheWay(err)
	}
	g.count(size, size)
	return f, nil
}

// place is where the source lies, if it may be worked on there. What was not
// as it seemed before is copied, and so is what is to be kept.
func (g *get) place() *spool.Remote {
	s, begun := g.stage, g.job.Fetched != nil && g.job.Fetched.Remote == nil
	if s.Sources == nil || s.Sources.Remotes == nil || s.DownloadDir != "" || begun || g.job.Careful > 0 || g.job.Replaced > 0 {
		return nil
	}
	switch {
	case g.stored:
		return &spool.Remote{Store: g.job.Source}
	case s.Direct && mediaLink(g.url):
		return &spool.Remote{URL: g.url}
	}
	return nil
}

// inTheWay is what of an error of looking at a source in its place is one of
// the source.
func (g *get) inTheWay(err error) error {
	if errors.Is(err, tap.ErrUnsupported) {
		return nil
	}
	if e := spool.AsError(err); e.Code == spool.NeedsCopy || e.Class == spool.Permanent || !g.stored && e.Class != spool.Replan {
		return nil // what is to be said of it, the download says
	}
	return err
}
