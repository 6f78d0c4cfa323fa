package fetch

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/staging"
	"github.com/spool-video/spool/internal/tap"
)

// partsAtOnce is how many parts of a source are on their way at a time, in
// memory.
const partsAtOnce = 2

// staged brings the source of a link to staging, part by part, without a copy
// here. Nil: staging is not asked for, or would be of no use.
func (g *get) staged(ctx context.Context) (*spool.Fetched, error) {
	if g.stage.Staging == nil || g.stored || !g.mayStay() || !mediaLink(g.url) {
		return nil, nil
	}
	f, source, end, err := g.far(ctx, &spool.Remote{URL: g.url})
	if f == nil {
		return nil, err
	}
	defer end()
	if before := g.job.Fetched; before != nil && (before.Size != f.Size || before.Tag != f.Tag) {
		return nil, replaced()
	}
	looked := &looked{Reader: source}
	if err := tap.Readable(ctx, looked); err != nil {
		return nil, g.inTheWay(err)
	}
	parts, err := g.stage.Staging.Begin(ctx, g.job.JobKey, f.Size, f.Tag)
	if err != nil {
		return nil, err
	}
	s := &stager{get: g, source: source, parts: parts, told: spool.Fetched{Size: f.Size, Tag: f.Tag, Remote: parts.Remote(), Arriving: true}}
	if err := s.bring(ctx, looked.seen()); err != nil {
		return nil, err
	}
	// All of it is one version.
	if err := g.stage.Sources.Remotes.Confirm(ctx, f, time.Now()); err != nil {
		return nil, err
	}
	s.told.Arriving = false
	return &s.told, nil
}

// looked remembers which parts of a source were read.
type looked struct {
	tap.Reader
	mu    sync.Mutex
	parts map[int]bool // guarded by mu
}

// ReadAtContext reads from the source.
func (l *looked) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	n, err := l.Reader.ReadAtContext(ctx, p, off)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.parts == nil {
		l.parts = map[int]bool{}
	}
	if n > 0 {
		l.parts[int(off/staging.PartSize)], l.parts[int((off+int64(n)-1)/staging.PartSize)] = true, true
	}
	return n, err
}

func (l *looked) seen() map[int]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.parts
}

// stager brings the parts of one source.
type stager struct {
	get    *get
	source tap.Reader
	parts  *staging.Source
	told   spool.Fetched // what is reported

	mu sync.Mutex // the order in which things are told
}

// bring brings all parts that are not there: first those that the source is
// planned by, which is then said, and then the others in order.
func (s *stager) bring(ctx context.Context, first map[int]bool) error {
	var index, media []int
	for n := range s.parts.Parts() {
		switch {
		case s.parts.Have().Has(s.parts.Part(n)):
		case first[n]:
			index = append(index, n)
		default:
			media = append(media, n)
		}
	}
	if err := s.all(ctx, index, func() {}); err != nil {
		return err
	}
	told := s.told
	s.get.progress(spool.Progress{Result: &spool.Result{Fetched: &told}})
	s.report()
	return s.all(ctx, media, s.report)
}

// all brings some parts, a few at a time.
func (s *stager) all(ctx context.Context, numbers []int, brought func()) error {
	next := make(chan int)
	return flow.Run(ctx, func(group *flow.Group) {
		group.Go(func(ctx context.Context) error {
			defer close(next)
			for _, n := range numbers {
				select {
				case next <- n:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			return nil
		})
		for range min(partsAtOnce, len(numbers)) {
			group.Go(func(ctx context.Context) error {
				for n := range next {
					if err := s.part(ctx, n); err != nil {
						return err
					}
					brought()
				}
				return nil
			})
		}
	})
}

// part brings one part.
func (s *stager) part(ctx context.Context, number int) error {
	span := s.parts.Part(number)
	body := make([]byte, span.Len())
	if err := tap.ReadFull(ctx, s.source, body, span.From); err != nil {
		if e := (*spool.Error)(nil); errors.As(err, &e) {
			return e
		}
		return err
	}
	return s.parts.Put(ctx, number, bytes.NewReader(body))
}

// report says which bytes can be read.
func (s *stager) report() {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := slices.Clone(s.parts.Have())
	s.get.progress(spool.Progress{Phase: spool.Downloading, Done: have.Len(), Total: s.told.Size, Have: have})
}
