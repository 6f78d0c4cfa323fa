package fetch

import (
	"context"
	"errors"
	"os"
	"sync"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/download"
	"github.com/spool-video/spool/internal/tap"
)

// arrival lets others read a source while it is being downloaded: it tells the
// tap what is here and the download what is wanted, and says when the source
// can be planned. It is what download.Watcher asks for.
type arrival struct {
	stage  *Stage
	client *download.Client
	video  string
	// revision that it is for.
	revision string
	told     spool.Fetched // what is reported once the source can be read
	// before is what an earlier try of the same job reported, and others use.
	before *spool.Fetched
	// another is that of a try whose bytes are not here: what comes has to be
	// the same file.
	another *spool.Fetched
	tell    func(spool.Progress)
	ctx     context.Context //nolint:containedctx // the download's: the arrival ends with it
	lost    context.CancelCauseFunc
	// readable waits until enough is here to plan by.
	readable func(context.Context, tap.Reader) error
	group    sync.WaitGroup // the look at what is arriving
	space    *space         // nil: its room is not bounded

	mu        sync.Mutex // guards what follows
	source    *tap.Source
	stop      context.CancelFunc // ends the look
	done      int64
	total     int64
	have      spool.Spans
	announced bool
	note      string // what it waits for
}

// arrival is one into path. lost ends ctx, which is that of the download.
func (g *get) arrival(ctx context.Context, lost context.CancelCauseFunc, path string) *arrival {
	a := &arrival{
		stage: g.stage, client: g.client, video: g.job.Video, revision: g.job.Revision, tell: g.progress, ctx: ctx, lost: lost,
		readable: tap.Readable, before: g.job.Fetched, another: g.another,
		told: spool.Fetched{Path: path, Scratch: g.stage.DownloadDir == "", Arriving: true},
	}
	if a.another != nil {
		a.before = nil // nobody reads what comes here before it is told
	}
	a.space = g.stage.space(g.job.JobKey, a)
	return a
}

// get downloads the file.
func (a *arrival) get(ctx context.Context, r download.Request) (download.Result, error) {
	r.Watcher = a
	if a.space != nil {
		r.Space, r.Use = a.space, a.revision
	}
	res, err := a.client.Get(ctx, r, a.count)
	a.end()
	if err == nil {
		a.complete()
	}
	if err == nil && a.space != nil && !res.Gone {
		a.space.claim.Lies(res.Size)
	}
	return res, err
}

// errChanged is why a download ends whose file became another one while it was
// being encoded.
var errChanged = errors.New("the source was replaced while it was being downloaded")

// Opened takes the file that bytes are written to. One that was registered
// by an earlier try is read on: its bytes are those of this one.
func (a *arrival) Opened(f *os.File, size int64, etag string) {
	source := a.stage.kept(a.video, f)
	if source == nil || source.Err() != nil || source.Size() != size {
		source = a.stage.Sources.Taps.Open(a.told.Path, f, size)
		a.stage.keep(a.video, source, f)
	} else {
		_ = f.Close() // it was only to be read from
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.source, a.told.Size, a.told.Tag = source, max(size, 0), etag
	if a.before != nil && a.before.Path == a.told.Path && a.before.Size != a.told.Size || a.another != nil && !sameVersion(a.another, &a.told) {
		a.lost(errChanged)
	}
	if errors.Is(context.Cause(a.ctx), errChanged) {
		a.stage.Sources.Taps.Forget(source) // what is made of the old bytes must not meet it
	}
	ctx, stop := context.WithCancel(a.ctx)
	a.stop = stop
	a.group.Go(func() { a.look(ctx, source) })
}

// look waits until enough of the source is here to plan it.
func (a *arrival) look(ctx context.Context, source *tap.Source) {
	err := a.readable(ctx, source)
	if a.space != nil {
		a.space.look(ctx, source, err)
	}
	if err != nil {
		return // it is planned when all of it is here
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	a.announced = true
	told := a.told
	a.tell(spool.Progress{Result: &spool.Result{Fetched: &told}})
	a.report()
}

// Arrived takes all that is here.
func (a *arrival) Arrived(have spool.Spans) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.have = have
	a.source.Arrived(have)
	a.report()
}

// Reset takes back what was read. When others have used it already, the
// revision that they make ends.
func (a *arrival) Reset(why error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stop() // the look at what is not the file
	a.have = nil
	a.source.End(why)
	a.stage.Sources.Taps.Forget(a.source)
	// A failure for good is the download's to tell.
	if (a.announced || a.before != nil) && spool.AsError(why).Class != spool.Permanent {
		a.lost(errChanged)
	}
}

// Wanted is what readers wait for. Of a source whose bytes are given back,
// what a reader only takes ahead of its need is not fetched out of its turn.
func (a *arrival) Wanted() []spool.Span {
	if a.space == nil || !a.space.gives() {
		return a.reading().Wants()
	}
	return a.space.wanted(a.reading())
}

// Changed tells when that changes.
func (a *arrival) Changed() <-chan struct{} { return a.reading().WantChanged() }

func (a *arrival) reading() *tap.Source {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.source
}

// count is how many bytes are here.
func (a *arrival) count(done, total int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done, a.total = done, total
	a.report()
}

// report says how far the download is. The caller holds the lock.
func (a *arrival) report() {
	p := spool.Progress{Phase: spool.Downloading, Done: a.done, Total: a.total, Note: a.note}
	if a.announced {
		p.Have = a.have
	}
	a.tell(p)
}

// waits says what the download waits for; "" is nothing.
func (a *arrival) waits(note string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.note != note {
		a.note = note
		a.report()
	}
}

// end waits for what was begun. The source stays readable: another try, or
// another part of the worker, goes on with it.
func (a *arrival) end() {
	a.mu.Lock()
	if a.stop != nil {
		a.stop()
	}
	a.mu.Unlock()
	a.group.Wait()
}

// complete says that the file lies under its path, whole.
func (a *arrival) complete() {
	if source := a.reading(); source != nil {
		source.End(nil)
	}
}

// enter lets one fetch of a video go on at a time: two would write to the same
// files. What an earlier revision has read from is closed.
func (s *Stage) enter(ctx context.Context, key spool.JobKey) (leave func(), err error) {
	s.mu.Lock()
	if s.rooms == nil {
		s.rooms = map[string]*room{}
	}
	r := s.rooms[key.Video]
	if r == nil {
		r = &room{turn: make(chan struct{}, 1)}
		s.rooms[key.Video] = r
	}
	s.mu.Unlock()
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if r.revision != key.Revision {
		s.Release(key.Video)
		r.revision = key.Revision
	}
	return func() { <-r.turn }, nil
}

// room is where the fetch of a video works.
type room struct {
	turn     chan struct{} // holds an element while somebody is in
	revision string        // that fetched last; belongs to who is in
}

// reader is a file that jobs may be reading from.
type reader struct {
	source *tap.Source
	file   *os.File
}

func (s *Stage) keep(video string, source *tap.Source, file *os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readers == nil {
		s.readers = map[string][]reader{}
	}
	s.readers[video] = append(s.readers[video], reader{source, file})
}

// kept is what a video's jobs read from that is the same file as this one.
func (s *Stage) kept(video string, file *os.File) *tap.Source {
	info, err := file.Stat()
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.readers[video] {
		if old, err := r.file.Stat(); err == nil && os.SameFile(info, old) {
			return r.source
		}
	}
	return nil
}

// Release closes what a video's jobs have read from: it has ended.
func (s *Stage) Release(video string) {
	s.mu.Lock()
	readers, spaces := s.readers[video], s.spaces[video]
	delete(s.readers, video)
	delete(s.spaces, video)
	s.mu.Unlock()
	for _, space := range spaces {
		s.Budget.Leave(space.path)
	}
	for _, r := range readers {
		r.source.End(tap.ErrGone)
		s.Sources.Taps.Forget(r.source)
		_ = r.file.Close() // it was only read from
	}
}
