package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/progress"
	"github.com/spool-video/spool/internal/rules"
	"github.com/spool-video/spool/internal/server"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/survey"
	"github.com/spool-video/spool/internal/survey/m3u8"
	"github.com/spool-video/spool/internal/survey/stream"
	"github.com/spool-video/spool/internal/verify"
)

// checked is the result of one package.
type checked struct {
	Video string `json:"video,omitempty"` // of what Spool published
	Place string `json:"place,omitempty"` // of other packages
	*verify.Report
	Rules *conformity `json:"rules,omitempty"`
}

// conformity is how a package keeps the rules.
type conformity struct {
	Playlists int             `json:"playlists"`
	Segments  int             `json:"segments"`
	Bytes     int64           `json:"bytes"`
	Seconds   float64         `json:"seconds"`
	Must      int             `json:"must"`   // findings of that level
	Should    int             `json:"should"` // findings of that level
	Unchecked []string        `json:"unchecked,omitempty"`
	Findings  []rules.Finding `json:"findings"`
}

// foreign checks a package by its playlist, or by a folder that holds one.
func (c *checking) foreign(ctx context.Context, place string) (err error) {
	places := survey.Places{Web: survey.NewWeb(nil)}
	root := place
	if !strings.Contains(place, "://") {
		dir, name, err := playlistIn(place)
		if err != nil {
			return err
		}
		if places.Folder, err = os.OpenRoot(dir); err != nil {
			return fmt.Errorf("open %s: %w", dir, err)
		}
		defer func() { err = errors.Join(err, places.Folder.Close()) }()
		root = (&url.URL{Path: name}).String()
	}
	o, err := c.foreignOptions(ctx)
	if err != nil {
		return err
	}
	r, err := c.survey(ctx, places, root, o)
	if e, ok := errors.AsType[*spool.Error](err); ok && places.Folder != nil {
		return &spool.Error{Class: e.Class, Code: e.Code, Reason: "of " + plaintext.Sanitize(place) + ", " + e.Reason, Hint: e.Hint, Err: e}
	}
	if err != nil {
		return err
	}
	c.take(checked{Place: plaintext.Redact(place), Rules: r})
	return nil
}

// foreignOptions are how others' packages are read.
func (c *checking) foreignOptions(ctx context.Context) (survey.Options, error) {
	tools, err := c.tools(ctx)
	if err != nil {
		return survey.Options{}, err
	}
	o := survey.Options{
		Decode: func(ctx context.Context, container stream.Container, media []byte) (map[stream.Kind]int, error) {
			return decode(ctx, tools, container, media)
		},
	}
	if c.cfg.Keys != "" {
		source := server.KeysIn(c.cfg.Keys)
		o.Keys = func(ctx context.Context, uri string) ([]byte, error) {
			if key, err := os.ReadFile(filepath.Join(c.cfg.Keys, filepath.Base(uri))); err == nil {
				return key, nil
			}
			return source(ctx, server.KeyRequest{Video: filepath.Base(filepath.Dir(uri)), URI: uri})
		}
	}
	return o, nil
}

// demuxers are ffmpeg's, by container.
var demuxers = map[stream.Container]string{stream.MP4: "mp4", stream.TS: "mpegts", stream.Packed: "aac", stream.AnnexB: "h264"}

func decode(ctx context.Context, tools ffmpeg.Tools, container stream.Container, media []byte) (map[stream.Kind]int, error) {
	counts, err := ffmpeg.Decode(ctx, tools, demuxers[container], media)
	if errors.Is(err, ffmpeg.ErrUndecodable) {
		return nil, fmt.Errorf("%w: %w", survey.ErrUndecodable, err)
	}
	if err != nil {
		return nil, err
	}
	kinds := map[stream.Kind]int{}
	for kind, n := range counts {
		kinds[stream.Kind(kind)] = n
	}
	return kinds, nil
}

// patience is how long verify waits for a list that grows.
const patience = 30 * time.Second

// survey reads the package of a playlist, and holds it against the rules.
func (c *checking) survey(ctx context.Context, from survey.Source, root string, o survey.Options) (*conformity, error) {
	o.Patience = patience
	o.Readers = runtime.NumCPU()
	pkg, err := survey.Read(ctx, from, root, o)
	if err != nil {
		return nil, err
	}
	var audiences []rules.Audience
	for _, a := range c.audiences {
		audiences = append(audiences, rules.Audience(a))
	}
	r := &conformity{Playlists: len(pkg.Lists), Bytes: pkg.Bytes, Unchecked: pkg.Unchecked, Findings: rules.Check(pkg, audiences...)}
	if pkg.Root.Multivariant() {
		r.Playlists++
	}
	for _, l := range pkg.Lists {
		r.Segments += len(l.Parts)
		r.Seconds = max(r.Seconds, l.Length().Seconds())
	}
	for _, f := range r.Findings {
		if f.Level == rules.Must {
			r.Must++
		} else {
			r.Should++
		}
	}
	return r, nil
}

// inStore reads a package where it is published, and keys by HTTP.
type inStore struct {
	store store.Store
	web   survey.Web
}

// Read implements survey.Source.
func (s inStore) Read(ctx context.Context, at *url.URL, part *m3u8.Range, most int64) ([]byte, survey.File, error) {
	if at.Scheme != "" || at.Host != "" {
		return s.web.Read(ctx, at, part, most)
	}
	offset, length, limit := int64(0), int64(-1), most+1
	if part != nil {
		offset, length, limit = part.Offset, part.Length, part.Length
	}
	name := strings.TrimPrefix(at.Path, "/")
	r, err := s.store.Open(ctx, name, offset, length)
	if errors.Is(err, store.ErrNotFound) {
		return nil, survey.File{}, unread("it is not there", err)
	}
	if err != nil {
		return nil, survey.File{}, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, limit))
	switch {
	case err != nil:
		return nil, survey.File{}, unread("it breaks off", err)
	case int64(len(b)) > most:
		return nil, survey.File{}, unread(fmt.Sprintf("it is larger than %d MB", most>>20), nil)
	case part != nil && int64(len(b)) < part.Length:
		return nil, survey.File{}, unread(fmt.Sprintf("it ends within the byte range %d@%d", part.Length, part.Offset), nil)
	}
	return b, survey.File{Size: int64(len(b))}, nil
}

// unread is an error of one object; its place is told with it.
func unread(why string, cause error) *spool.Error {
	return &spool.Error{Class: spool.Permanent, Code: "unreadable", Reason: why, Hint: "look at the store; if Spool published it, spool run with its source publishes it anew", Err: cause}
}

// playlistIn finds the playlist that a file or a folder stands for: the one
// that leads to others, else the only one.
func playlistIn(place string) (dir, name string, err error) {
	info, err := os.Stat(place)
	if err != nil {
		return "", "", usage("nothing-there", place+" cannot be read", "name a playlist, or a folder that holds one")
	}
	if !info.IsDir() {
		return filepath.Dir(place), filepath.Base(place), nil
	}
	files, err := filepath.Glob(filepath.Join(place, "*.m3u8"))
	if err != nil {
		return "", "", fmt.Errorf("look into %s: %w", place, err)
	}
	leading := slices.DeleteFunc(slices.Clone(files), func(file string) bool {
		text, err := os.ReadFile(file)
		return err != nil || !m3u8.Read(text).Multivariant()
	})
	switch {
	case len(leading) == 1:
		return place, filepath.Base(leading[0]), nil
	case len(files) == 1:
		return place, filepath.Base(files[0]), nil
	case len(files) == 0:
		return "", "", usage("nothing-published", "no video is published in "+place+", and it holds no playlist (.m3u8)", "name a video's folder, a destination, a playlist or a URL")
	}
	return "", "", usage("several-playlists", fmt.Sprintf("%s holds %d playlists, and it cannot be told which one leads to the others", place, len(files)), "name the playlist")
}

// take notes what was found, and tells it at once where that can be read.
func (c *checking) take(r checked) {
	if r.wrong(c.strict) {
		c.wrong++
	}
	c.results = append(c.results, r)
	if !c.asJSON {
		r.print(c.out, r.wrong(c.strict))
	}
}

// wrong: there is a finding that counts.
func (r checked) wrong(strict bool) bool {
	if r.Report != nil && (!r.Report.OK() || strict && len(r.Findings) > 0) {
		return true
	}
	return r.Rules != nil && (r.Rules.Must > 0 || strict && r.Rules.Should+len(r.Rules.Unchecked) > 0)
}

// alike is how many findings of one rule in one file are shown.
const alike = 5

// print writes a line a finding and one that sums up.
func (r checked) print(out io.Writer, wrong bool) {
	place := plaintext.Sanitize(cmp.Or(r.Video, r.Place))
	if r.Report != nil {
		for _, f := range r.Findings {
			fmt.Fprintf(out, "%s\t%s\n", place, plaintext.Sanitize(f.String()))
		}
	}
	if r.Rules != nil {
		r.Rules.print(out, place)
	}
	verdict := "good"
	switch {
	case wrong:
		verdict = "wrong"
	case r.Rules != nil && len(r.Rules.Unchecked) > 0:
		verdict = "not all checked"
	}
	fmt.Fprintf(out, "%s\t%s\t%s\n", place, verdict, strings.Join(r.sum(), ", "))
}

func (r *conformity) print(out io.Writer, place string) {
	shown := map[string]int{}
	like := func(f rules.Finding) string { return fmt.Sprintf("%s: %s %d", f.Place, f.Level, f.Rule) }
	for _, f := range r.Findings {
		if shown[like(f)]++; shown[like(f)] <= alike {
			fmt.Fprintf(out, "%s\t%s\n", place, plaintext.Sanitize(f.String()))
		}
	}
	told := map[string]bool{}
	for _, f := range r.Findings {
		if n := shown[like(f)]; n > alike && !told[like(f)] {
			told[like(f)] = true
			fmt.Fprintf(out, "%s\t%s: %d more like these\n", place, plaintext.Sanitize(like(f)), n-alike)
		}
	}
	for _, sentence := range r.Unchecked {
		fmt.Fprintf(out, "%s\tnot checked: %s\n", place, plaintext.Sanitize(sentence))
	}
}

// sum is what was checked and what was found, in parts of a sentence.
func (r checked) sum() []string {
	var parts []string
	if r.Report != nil {
		parts = append(parts, progress.Number(r.Objects, "object"))
		if n := len(r.Findings); n > 0 {
			parts = append(parts, progress.Number(n, "finding"))
		}
	}
	if r.Rules == nil {
		return parts
	}
	if r.Report == nil {
		parts = append(parts, progress.Number(r.Rules.Playlists, "playlist"), progress.Number(r.Rules.Segments, "segment"),
			time.Duration(r.Rules.Seconds*float64(time.Second)).Round(time.Second).String())
	}
	return append(parts, fmt.Sprintf("%d MUST", r.Rules.Must), fmt.Sprintf("%d SHOULD", r.Rules.Should))
}
