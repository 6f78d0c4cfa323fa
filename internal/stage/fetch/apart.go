package fetch

import (
	"context"
	"errors"
	"path/filepath"
	"sync"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/download"
	"github.com/spool-video/spool/internal/page"
	"github.com/spool-video/spool/internal/tap"
)

// soundName is the file of a page's sound in a job's folder, where it is apart.
const soundName = "sound"

// apart downloads pictures and sound side by side, into files of their own:
// nothing is merged.
func (g *get) apart(ctx context.Context, choice page.Choice, texts []spool.SubtitleFile) (spool.Fetched, error) {
	f := spool.Fetched{Path: filepath.Join(g.work, filmName), Page: &choice.Page, Subtitles: texts}
	sound := spool.Fetched{Path: filepath.Join(g.work, soundName), Scratch: true}
	if err := g.stick(choice, f.Path, sound.Path); err != nil {
		return f, err
	}
	both := &pair{tell: g.progress, about: f}
	requests := [2]download.Request{g.request(choice, 0, f.Path), g.request(choice, 1, sound.Path)}
	requests[1].Beside = true
	results, err := g.both(ctx, both, requests)
	if err != nil {
		if refusesUs(err) && !both.told() {
			// What came of the other one is of no use without this.
			err = errors.Join(err, g.drop(f.Path, sound.Path))
		}
		return f, err
	}
	f.Size, f.SHA256, f.Tag = results[0].Size, results[0].SHA256, results[0].ETag
	sound.Size, sound.SHA256, sound.Tag = results[1].Size, results[1].SHA256, results[1].ETag
	f.Sound = &sound
	if results[0].Gone || results[1].Gone {
		f.Scratch, f.Arriving = true, true
		return f, nil
	}
	return g.settle(f.Path, f, "")
}

// both runs two downloads, which tell of themselves as one.
func (g *get) both(ctx context.Context, both *pair, requests [2]download.Request) ([2]download.Result, error) {
	var results [2]download.Result
	ctx, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	err := flow.Run(ctx, func(group *flow.Group) {
		for i, r := range requests {
			group.Go(func(ctx context.Context) (err error) {
				if !g.early() {
					count := both.part(i)
					results[i], err = g.stage.Client.Get(ctx, r, func(done, total int64) {
						count(spool.Progress{Phase: spool.Downloading, Done: done, Total: total})
					})
					return err
				}
				a := g.arrival(ctx, lost, r.Path)
				a.tell = both.part(i)
				if i == 1 {
					a.readable = plannable
					if a.space != nil {
						a.space.sound = true
					}
				}
				results[i], err = a.get(ctx, r)
				if err == nil && a.reading() == nil {
					both.whole(i, a.told, results[i].Size)
				}
				return err
			})
		}
	})
	if errors.Is(context.Cause(ctx), errChanged) {
		return results, replaced()
	}
	return results, err
}

// plannable is tap.Readable for what need not have pictures.
func plannable(ctx context.Context, s tap.Reader) error {
	if s.Size() < 0 {
		return tap.ErrUnsupported
	}
	_, err := tap.Plannable(ctx, s)
	return err
}

// pair tells of two files as of one source: pictures, then sound.
type pair struct {
	tell  func(spool.Progress)
	about spool.Fetched // what the page told

	mu    sync.Mutex // guards the rest, and the order in which things are told
	files [2]*spool.Fetched
	at    [2]spool.Progress
}

// told: the source was announced.
func (p *pair) told() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.readable()
}

func (p *pair) readable() bool { return p.files[0] != nil && p.files[1] != nil }

// part gives one of the files a way to tell of itself.
func (p *pair) part(i int) func(spool.Progress) {
	return func(told spool.Progress) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if told.Result == nil {
			p.at[i] = told
			p.report()
			return
		}
		p.files[i] = told.Result.Fetched
		if p.readable() {
			both := *p.files[0]
			both.Page, both.Subtitles, both.Sound = p.about.Page, p.about.Subtitles, p.files[1]
			p.tell(spool.Progress{Result: &spool.Result{Fetched: &both}})
		}
	}
}

// whole says that one of the files was here before.
func (p *pair) whole(i int, file spool.Fetched, size int64) {
	file.Size = size
	part := p.part(i)
	part(spool.Progress{Result: &spool.Result{Fetched: &file}})
	part(spool.Progress{Phase: spool.Downloading, Done: size, Total: size, Have: spool.Spans{{To: size}}})
}

// report says how far both are; the total is not known as long as that of one
// is not. The caller holds the lock.
func (p *pair) report() {
	all := spool.Progress{Phase: spool.Downloading, Done: p.at[0].Done + p.at[1].Done}
	if p.at[0].Total > 0 && p.at[1].Total > 0 {
		all.Total = p.at[0].Total + p.at[1].Total
	}
	if p.readable() {
		all.Have, all.HaveSound = p.at[0].Have, p.at[1].Have
	}
	p.tell(all)
}
