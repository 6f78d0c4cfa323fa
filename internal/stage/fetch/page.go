package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/download"
	"github.com/spool-video/spool/internal/page"
)

// filmName is the file of a page's video in a job's folder.
const filmName = "film"

// page gets what the source shows. A plain file is downloaded as one, so that
// it can be read meanwhile; all else is the page tool's business.
func (g *get) page(ctx context.Context) (spool.Fetched, error) {
	if _, err := os.Stat(g.toolFolder()); err == nil {
		return g.byTool(ctx) // it has begun
	}
	choice, err := g.choose(ctx)
	if err != nil {
		return spool.Fetched{}, err
	}
	if !g.plain(choice) {
		if g.job.Fetched != nil {
			return spool.Fetched{}, replaced() // by another format
		}
		return g.byTool(ctx)
	}
	texts, err := g.texts(ctx, choice)
	if err != nil {
		return spool.Fetched{}, err
	}
	bring := g.film
	if len(choice.Files) == 2 {
		bring = g.apart
	}
	got, err := bring(ctx, choice, texts)
	if err != nil && refusesUs(err) && !begun(got.Path) {
		return g.byTool(ctx)
	}
	return got, err
}

// plain: the choice can be downloaded as a file, or as two. A source that is to
// be kept is one file.
func (g *get) plain(c page.Choice) bool {
	if g.stage.DownloadDir == "" {
		return len(c.Files) > 0
	}
	return len(c.Files) == 1 && slices.Contains(mediaExtensions, c.Files[0].Ext)
}

// film downloads the one file of a page's video.
func (g *get) film(ctx context.Context, choice page.Choice, texts []spool.SubtitleFile) (spool.Fetched, error) {
	file := choice.Files[0]
	f := spool.Fetched{Path: filepath.Join(g.work, filmName), Page: &choice.Page, Subtitles: texts}
	if g.stage.DownloadDir != "" {
		f.Path = g.keepAs(file.Ext)
		if err := os.MkdirAll(g.stage.DownloadDir, 0o755); err != nil {
			return f, folderFault("make", g.stage.DownloadDir, err)
		}
	}
	if err := g.stick(choice, f.Path); err != nil {
		return f, err
	}
	r := g.request(choice, 0, f.Path)
	var res download.Result
	var err error
	if g.early() {
		res, err = g.arriving(ctx, r, f)
	} else {
		res, err = g.stage.Client.Get(ctx, r, g.count)
	}
	if err != nil {
		return f, err
	}
	if res.Gone {
		passed := g.passed(f.Path, res)
		passed.Page, passed.Subtitles = f.Page, f.Subtitles
		return passed, nil
	}
	f.Size, f.SHA256, f.Tag = res.Size, res.SHA256, res.ETag
	return g.settle(f.Path, f, file.Ext)
}

// request asks for one file of a choice.
func (g *get) request(choice page.Choice, number int, path string) download.Request {
	file := choice.Files[number]
	return download.Request{
		URL: file.URL, Header: file.Header, ChunkSize: file.Chunk, Path: path, Identity: file.Name,
		Renew: g.renewal(choice, number),
	}
}

// chosen is what a job's folder says of the formats that were begun.
type chosen struct {
	Canonical string   `json:"canonical"`
	Revision  string   `json:"revision"` // that took them
	Name      string   `json:"name"`     // page.Choice.Name
	Files     []string `json:"files"`    // page.File.Name
}

func (g *get) chosenPath() string { return filepath.Join(g.work, "chosen.json") }

// before gives what an earlier run has begun.
func (g *get) before() (chosen, bool) {
	var c chosen
	b, err := os.ReadFile(g.chosenPath())
	ok := err == nil && json.Unmarshal(b, &c) == nil && c.Canonical == g.job.Canonical
	return c, ok
}

// choose asks the page for what was begun or, if it does not offer that any
// more, for the best.
func (g *get) choose(ctx context.Context) (page.Choice, error) {
	old, _ := g.before()
	choice, err := g.stage.Pages.Choose(ctx, g.job.Source, old.Name)
	if err != nil && old.Name != "" && spool.AsError(err).Code == "page-no-format" {
		return g.stage.Pages.Choose(ctx, g.job.Source, "")
	}
	return choice, err
}

// stick notes the choice, so that the next run takes the same one. Where a plan
// of this revision may have been made of another one, the revision ends;
// otherwise what lies at the paths is of no use.
func (g *get) stick(choice page.Choice, paths ...string) error {
	now := chosen{Canonical: g.job.Canonical, Revision: g.job.Revision, Name: choice.Name}
	for _, f := range choice.Files {
		now.Files = append(now.Files, f.Name)
	}
	old, ok := g.before()
	same, ours := ok && slices.Equal(old.Files, now.Files), ok && old.Revision == now.Revision
	switch {
	case same && ours:
		return nil
	case ours && g.early():
		return replaced()
	case !same:
		if err := g.drop(paths...); err != nil {
			return err
		}
	}
	// It is durable before the first byte: who loses it might take others.
	if err := g.keepNote(g.chosenPath(), now); err != nil {
		return err
	}
	return makeDurable(g.work)
}

// early: others read the source while it is being downloaded. What was planned
// wrongly before is planned when it is whole, unless it might not fit as that.
func (g *get) early() bool {
	return g.stage.Sources != nil && (g.job.Careful == 0 || g.stage.Budget != nil)
}

// begun: there are bytes of a file.
func begun(path string) bool {
	_, part := os.Lstat(download.PartPath(path))
	_, whole := os.Lstat(path)
	return part == nil || whole == nil
}

// drop forgets files that are not wanted any more.
func (g *get) drop(paths ...string) error {
	var errs []error
	for _, path := range paths {
		if g.stage.Sources != nil {
			g.unread(path)
		}
		errs = append(errs, download.Discard(path))
		for _, name := range []string{path, download.RecordPath(path)} {
			if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
				errs = append(errs, folderFault("clear", g.work, err))
			}
		}
	}
	return errors.Join(errs...)
}

// unread ends the reading of a file.
func (g *get) unread(path string) {
	if source := g.stage.Sources.Taps.Find(path); source != nil {
		source.End(errChanged)
		g.stage.Sources.Taps.Forget(source)
	}
}

// renewal asks the page for another link to a file of the choice.
func (g *get) renewal(choice page.Choice, number int) func(context.Context) (download.Link, error) {
	return func(ctx context.Context) (download.Link, error) {
		again, err := g.stage.Pages.Choose(ctx, g.job.Source, choice.Name)
		if err != nil && spool.AsError(err).Code != "page-no-format" {
			return download.Link{}, err
		}
		if err != nil || len(again.Files) <= number || again.Files[number].Name != choice.Files[number].Name {
			return download.Link{}, &spool.Error{
				Class: spool.Transient, Code: "link-expired", Err: err,
				Reason: "the link expired in mid-download, and the page does not offer that format any more",
				Hint:   "it is tried again with another format",
			}
		}
		file := again.Files[number]
		return download.Link{URL: file.URL, Header: file.Header}, nil
	}
}

// refusesUs: a server gave us nothing of a file, for a reason that may not hold
// for the page tool, which knows its site.
func refusesUs(err error) bool {
	if _, ok := errors.AsType[*download.NotMedia](err); ok {
		return true
	}
	e := spool.AsError(err)
	switch e.Code {
	case "bad-range", "bad-url", "bad-redirect", "redirect-loop", "content-encoding", "tls":
		return true
	}
	return e.Class == spool.Permanent && strings.HasPrefix(e.Code, "http-")
}

// toolFolder is where the page tool works: on the same file system as where
// its file is to be kept.
func (g *get) toolFolder() string {
	if g.stage.DownloadDir != "" {
		return filepath.Join(g.stage.DownloadDir, "."+g.job.Video+".page")
	}
	return filepath.Join(g.work, "page")
}

// byTool has the page tool get what the source shows.
func (g *get) byTool(ctx context.Context) (spool.Fetched, error) {
	dir := g.toolFolder()
	file, choice, err := g.stage.Pages.Download(ctx, g.job.Source, dir, g.count)
	if err != nil {
		return spool.Fetched{}, err
	}
	texts, err := g.texts(ctx, choice)
	if err != nil {
		return spool.Fetched{}, err
	}
	if err := checkMedia(file, "the page's video"); err != nil {
		return spool.Fetched{}, errors.Join(err, os.RemoveAll(dir))
	}
	info, err := os.Stat(file)
	if err != nil {
		return spool.Fetched{}, folderFault("read", filepath.Dir(file), err)
	}
	ext := strings.ToLower(strings.TrimPrefix(filepath.Ext(file), "."))
	if !slices.Contains(mediaExtensions, ext) {
		ext = unknownExtension
	}
	if err := makeDurable(file); err != nil {
		return spool.Fetched{}, err
	}
	got, err := g.settle(file, spool.Fetched{Size: info.Size(), Page: &choice.Page, Subtitles: texts}, ext)
	if err != nil {
		return spool.Fetched{}, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return spool.Fetched{}, folderFault("clear", dir, err)
	}
	return got, nil
}
