// Package fetch is the stage that sees to it that a video's source can be read:
// a local file, a file in a store and, where that is asked for, a link stay
// where they are (decision 0019); other links are downloaded, and may be staged
// for other machines. Of a web page the page tool says which files it consists
// of; those are downloaded like links, and what are no plain files the tool
// gets itself (0010). What an earlier run has got already is not got again.
package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/download"
	"github.com/spool-video/spool/internal/page"
	"github.com/spool-video/spool/internal/scratch"
	"github.com/spool-video/spool/internal/staging"
	"github.com/spool-video/spool/internal/tap"
)

// slots is the right to use the network; a *flow.Slots is one.
type slots interface {
	Acquire(ctx context.Context) error
	Release()
}

// Stage gets sources.
type Stage struct {
	Client *download.Client
	// Stores reads files of the user's stores, at http://REMOTE/PATH. Nil: they
	// are refused.
	Stores *download.Client
	Pages  *page.Tool // nil: web pages are refused
	Slots  slots      // nil: no limit
	// Work gives the folder that is a job's own; the stage makes it.
	Work func(spool.JobKey) string
	// Sources is where others read a source while it is being downloaded, or in
	// the store that it lies in. Nil: they wait until it is here, and whole.
	Sources *tap.Desk
	// Direct: what servers give by ranges is read there, and not downloaded.
	Direct bool
	// Staging is where sources by link are kept, for other workers to read. Nil:
	// they lie here.
	Staging *staging.Place
	// DownloadDir, when it is not "", keeps sources as DownloadDir/<id>.<ext>,
	// and what lies there under that name is used as it is.
	DownloadDir string
	// Budget is the room that sources share in scratch. Nil: it is not bounded,
	// or none of it can be given back while it is needed.
	Budget *scratch.Budget

	mu      sync.Mutex
	readers map[string][]reader // by video; guarded by mu
	rooms   map[string]*room    // by video; guarded by mu
	spaces  map[string][]*space // by video; guarded by mu
}

// sourceName is the file in a job's folder. It says nothing of where it came
// from: names that others chose end up as arguments otherwise.
const sourceName = "source"

// Run gets job.Source and tells where it is. Errors are *spool.Error, or that
// of ctx; what was got until then stays for the next Run.
func (s *Stage) Run(ctx context.Context, job spool.Job, progress func(spool.Progress)) (spool.Result, error) {
	if progress == nil {
		progress = func(spool.Progress) {}
	}
	if !remote(job.Source) {
		return result(local(job.Source))
	}
	if !spool.ValidID(job.Video) {
		return spool.Result{}, fmt.Errorf("fetch %s: not an ID", job.JobKey)
	}
	g := &get{stage: s, client: s.Client, url: job.Source, job: job, work: s.Work(job.JobKey), progress: progress}
	if spool.IsRemotePath(job.Source) {
		if err := g.fromStore(); err != nil {
			return spool.Result{}, err
		}
	}
	if err := os.MkdirAll(g.work, 0o700); err != nil {
		return spool.Result{}, folderFault("make", g.work, err)
	}
	leave, err := s.enter(ctx, job.JobKey)
	if err != nil {
		return spool.Result{}, err
	}
	defer leave()
	g.another = g.elsewhere()
	if g.another != nil && !g.recognisable(g.another) {
		return spool.Result{}, gone()
	}
	if got, ok := g.kept(); ok {
		progress(spool.Progress{Phase: spool.Downloading, Done: got.Size, Total: got.Size})
		return result(g.again(got, nil))
	}
	if s.Slots != nil {
		progress(spool.Progress{Phase: spool.Downloading, Note: "waiting for a download slot"})
		if err := s.Slots.Acquire(ctx); err != nil {
			return spool.Result{}, err
		}
		release := sync.OnceFunc(s.Slots.Release)
		defer release()
		g.progress = func(p spool.Progress) {
			if p.Phase == spool.Downloading && p.Total > 0 && p.Done == p.Total {
				release() // what it waits for now is not the network
			}
			progress(p)
		}
	}
	progress(spool.Progress{Phase: spool.Downloading})
	return result(g.again(g.run(ctx)))
}

func result(f spool.Fetched, err error) (spool.Result, error) {
	if err != nil {
		return spool.Result{}, err
	}
	return spool.Result{Fetched: &f}, nil
}

// remote: everything with a scheme is for the downloader, which knows the two
// that it takes. So are files in stores.
func remote(source string) bool {
	return !filepath.IsAbs(source) && (strings.Contains(source, "://") || spool.IsRemotePath(source))
}

// get is one Run for a remote source.
type get struct {
	stage    *Stage
	client   *download.Client
	url      string // of the source
	stored   bool   // it lies in a store, where no pages are
	job      spool.Job
	another  *spool.Fetched // what an earlier try reported whose bytes are not here
	work     string         // folder
	progress func(spool.Progress)
}

func (g *get) run(ctx context.Context) (spool.Fetched, error) {
	for _, elsewhere := range []func(context.Context) (*spool.Fetched, error){g.inPlace, g.staged} {
		if f, err := elsewhere(ctx); f != nil || err != nil {
			return *cmp.Or(f, &spool.Fetched{}), err
		}
	}
	res, path, err := g.direct(ctx)
	if err == nil && res.Gone {
		return g.passed(path, res), nil
	}
	if err == nil {
		return g.settle(path, spool.Fetched{Size: res.Size, SHA256: res.SHA256, Tag: res.ETag}, extensionOf(g.url, res.ContentType))
	}
	if g.stage.Pages == nil || g.stored || mediaLink(g.url) || !maybePage(err) {
		return spool.Fetched{}, err
	}
	return g.page(ctx)
}

// direct downloads the source as a file.
func (g *get) direct(ctx context.Context) (download.Result, string, error) {
	path := filepath.Join(g.work, sourceName)
	if g.stage.DownloadDir != "" {
		path = g.keepAs(extensionOf(g.url, ""))
		if err := os.MkdirAll(g.stage.DownloadDir, 0o755); err != nil {
			return download.Result{}, "", folderFault("make", g.stage.DownloadDir, err)
		}
	}
	if !g.early() || g.unsure() || g.job.Replaced > 0 || g.stage.DownloadDir != "" && !mediaLink(g.url) {
		res, err := g.client.Get(ctx, download.Request{URL: g.url, Path: path}, g.count)
		return res, path, err
	}
	res, err := g.arriving(ctx, download.Request{URL: g.url, Path: path}, spool.Fetched{})
	return res, path, err
}

// arriving downloads the source so that it can be read meanwhile. about says
// what a page told of it.
func (g *get) arriving(ctx context.Context, r download.Request, about spool.Fetched) (download.Result, error) {
	ctx, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	a := g.arrival(ctx, lost, r.Path)
	a.told.Page, a.told.Subtitles = about.Page, about.Subtitles
	res, err := a.get(ctx, r)
	if errors.Is(context.Cause(ctx), errChanged) {
		return res, replaced()
	}
	return res, err
}

// gone says that what was downloaded, and used already, is not there any more,
// and nothing would tell whether what comes now is another file.
func gone() error {
	return &spool.Error{
		Class: spool.Replan, Code: spool.SourceGone,
		Reason: "what was downloaded of the source is not there any more", Hint: "it is fetched again",
	}
}

func replaced() error {
	return &spool.Error{
		Class: spool.Replan, Code: spool.SourceChanged, Err: errChanged,
		Reason: "the source was replaced at its server while it was being downloaded",
		Hint:   "it is downloaded anew; if that happens again, wait until the file is complete there",
	}
}

// settle gives a complete file its place, and notes what it is. One that was
// read while it arrived stays where it is.
func (g *get) settle(file string, f spool.Fetched, ext string) (spool.Fetched, error) {
	f.Scratch = g.stage.DownloadDir == ""
	switch {
	case f.Path != "":
	case f.Scratch:
		f.Path = filepath.Join(g.work, sourceName)
	default:
		f.Path = g.keepAs(ext)
	}
	// The note comes first: a file without one would be got again.
	if err := g.note(f); err != nil {
		return spool.Fetched{}, err
	}
	if err := os.Rename(file, f.Path); err != nil {
		return spool.Fetched{}, folderFault("rename a file in", filepath.Dir(f.Path), err)
	}
	if err := makeDurable(filepath.Dir(f.Path)); err != nil {
		return spool.Fetched{}, err
	}
	if f.Scratch {
		return f, nil
	}
	if err := os.Remove(download.RecordPath(file)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return spool.Fetched{}, folderFault("clear", g.stage.DownloadDir, err)
	}
	return f, nil
}

func (g *get) count(done, total int64) {
	g.progress(spool.Progress{Phase: spool.Downloading, Done: done, Total: total})
}

// maybePage: what came may be a page with a video, or a site that answers only
// those whom it takes for a person.
func maybePage(err error) bool {
	if not, ok := errors.AsType[*download.NotMedia](err); ok {
		return not.Kind == "html" || not.Kind == "xml" || not.Kind == "hls" || not.Kind == "dash"
	}
	switch spool.AsError(err).Code {
	case "http-401", "http-403", "http-405", "http-406", "http-429", "http-503", "redirect-loop":
		return true
	}
	return false
}

// mediaLink: the link's name says that it is a file.
func mediaLink(source string) bool {
	return extensionOf(source, "") != unknownExtension
}

// extensionOf is the file extension, without the dot, that fits to a link or,
// where that says nothing, to a content type.
func extensionOf(source, contentType string) string {
	if u, err := url.Parse(source); err == nil {
		ext := strings.ToLower(strings.TrimPrefix(filepath.Ext(u.Path), "."))
		if slices.Contains(mediaExtensions, ext) {
			return ext
		}
	}
	kind, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	if ext, ok := mediaTypes[strings.TrimSpace(kind)]; ok {
		return ext
	}
	return unknownExtension
}

func folderFault(op, dir string, err error) error {
	e := &spool.Error{
		Class: spool.Environment, Code: "work-folder",
		Reason: fmt.Sprintf("cannot %s the folder %q", op, dir), Hint: "look at its disk and permissions", Err: err,
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		e.Code, e.Hint = "no-space", "make room there, or choose another folder"
	}
	return e
}
