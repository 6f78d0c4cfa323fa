package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/progress"
	"github.com/spool-video/spool/internal/rules"
	"github.com/spool-video/spool/internal/server"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/folder"
	"github.com/spool-video/spool/internal/survey"
	"github.com/spool-video/spool/internal/verify"
)

// checking is one call of verify.
type checking struct {
	all, asJSON, strict bool
	audiences           []string

	cfg     config.Config
	out     io.Writer
	results []checked    // for JSON, which is one list
	wrong   int          // packages with a finding that counts
	decoder ffmpeg.Tools // what segments are decoded with, once that was asked for
}

func newVerify() *cobra.Command {
	var c checking
	cmd := &cobra.Command{
		Use: "verify ID…|--all|FOLDER…|NAME:PATH…|FILE…|URL…", Short: "check what is published, and anybody's HLS, against the rules",
		Long: `Reads a package back and holds it against the rules of HLS (docs/rules.md): playlists,
durations, time stamps, key frames, rates, codecs, encryption; every segment is decoded.
Of what Spool published it checks, too, that every object is as it was made.

FOLDER is a video's folder, a destination, or any folder with HLS in it; NAME:PATH is such a
folder in a store, or a playlist there; FILE and URL are playlists. Keys come from --keys, or from where the playlists say.

Playlists are read again at the end, to see that nothing changes that should not; for a list
that still grows it is waited 1.5 target durations, 30 s at most.

A line a finding: place, MUST or SHOULD, number of the rule, what is declared and what was
measured; then a line a package. Exit code 3 when a MUST is broken, with --strict also
when a SHOULD is, or when something could not be checked.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && !c.all {
				return usage("missing-argument", "spool verify needs an ID, --all, a folder, a playlist or a URL", cmd.UseLine())
			}
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			c.cfg, c.out = cfg, cmd.OutOrStdout()
			for _, a := range c.audiences {
				if !slices.Contains(rules.Audiences, rules.Audience(a)) {
					return usage("bad-flag", fmt.Sprintf("--for %q is neither cellular, television nor apple", a), cmd.UseLine())
				}
			}
			return c.run(cmd.Context(), args)
		},
	}
	config.Bind(cmd.Flags(), "to", "state", "keys", "ffmpeg", "sandbox", "rclone-config", "config")
	cmd.Flags().BoolVar(&c.all, "all", false, "every ready video")
	cmd.Flags().BoolVar(&c.asJSON, "json", false, "print JSON")
	cmd.Flags().StringSliceVar(&c.audiences, "for", nil, "also ask for what these need: cellular, television, apple")
	cmd.Flags().BoolVar(&c.strict, "strict", false, "exit with 3 for a SHOULD, too, and when something could not be checked")
	return cmd
}

func (c *checking) run(ctx context.Context, args []string) error {
	var ids []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case strings.Contains(arg, "://"):
			err = c.foreign(ctx, arg)
		case err != nil && spool.IsRemotePath(arg):
			err = c.stored(ctx, arg)
		case err == nil && info.IsDir():
			err = c.folder(ctx, arg)
		case err == nil:
			err = c.foreign(ctx, arg)
		case strings.ContainsRune(arg, filepath.Separator) || strings.HasSuffix(arg, ".m3u8"): // no ID
			err = usage("nothing-there", arg+" cannot be read", "name a playlist, a folder that holds one, or a URL")
		default:
			ids, err = append(ids, arg), nil
		}
		if err != nil {
			return err
		}
	}
	if c.all || len(ids) > 0 {
		if err := c.videos(ctx, ids); err != nil {
			return err
		}
	}
	return c.finish()
}

// finish tells what concerns all packages, and the exit code.
func (c *checking) finish() error {
	switch {
	case c.asJSON:
		if err := printJSON(c.out, append([]checked{}, c.results...)); err != nil {
			return err
		}
	case len(c.results) > 1:
		fmt.Fprintf(c.out, "%s checked, %d wrong\n", progress.Number(len(c.results), "package"), c.wrong)
	}
	if c.wrong > 0 {
		return ended(exitSomeFailed)
	}
	return nil
}

// videos checks videos that the ledger knows.
func (c *checking) videos(ctx context.Context, ids []string) (err error) {
	h, err := enter(ctx, c.cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	if c.all {
		ready, err := h.ledger.List(ctx, ledger.Filter{Statuses: []spool.Status{spool.Ready}})
		if err != nil {
			return err
		}
		for _, v := range ready {
			ids = append(ids, v.ID)
		}
	}
	for _, id := range ids {
		rec, err := h.record(ctx, id)
		if err != nil {
			return err
		}
		if rec.Video.Published == "" {
			return usage("not-published", fmt.Sprintf("%s is %s and not published", rec.Video.ID, rec.Video.Status), "spool run publishes it")
		}
		r, err := c.check(ctx, h.store, rec.Video.ID, h.keySource())
		if err != nil {
			return err
		}
		c.take(r)
	}
	return nil
}

// folder checks a video's folder, every video of a destination, or whatever
// HLS lies there.
func (c *checking) folder(ctx context.Context, dir string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find %s: %w", dir, err)
	}
	if _, err := os.Stat(filepath.Join(abs, verify.MasterName)); err == nil && !ours(abs) {
		return c.foreign(ctx, dir)
	}
	masters := []string{filepath.Join(abs, verify.MasterName)}
	if _, err := os.Stat(masters[0]); err != nil {
		if masters, err = filepath.Glob(filepath.Join(abs, "*", verify.MasterName)); err != nil {
			return fmt.Errorf("look into %s: %w", dir, err)
		}
	}
	if len(masters) == 0 {
		return c.foreign(ctx, dir)
	}
	keys := c.keySource(ctx, abs)
	for _, m := range masters {
		video := filepath.Dir(m)
		if !ours(video) {
			if err := c.foreign(ctx, m); err != nil {
				return err
			}
			continue
		}
		s, err := folder.Open(filepath.Dir(video), folder.Options{ReadOnly: true})
		if err != nil {
			return err
		}
		r, err := c.check(ctx, s, filepath.Base(video), keys)
		if err != nil {
			return err
		}
		c.take(r)
	}
	return nil
}

// ours reports whether a folder looks like a video that Spool published,
// damaged perhaps.
func ours(video string) bool {
	if _, err := os.Stat(filepath.Join(video, verify.CardName)); err == nil {
		return true
	}
	manifests, err := filepath.Glob(filepath.Join(video, "*", verify.ManifestName))
	return err == nil && len(manifests) > 0
}

// keySource gives the key that a playlist names.
type keySource = func(context.Context, server.KeyRequest) ([]byte, error)

// keySource finds keys for a folder that may be anybody's: in --keys, and in
// the ledger when the folder is its destination.
func (c *checking) keySource(ctx context.Context, dir string) keySource {
	var sources []keySource
	if c.cfg.Keys != "" {
		sources = append(sources, server.KeysIn(c.cfg.Keys))
	}
	if dir == c.cfg.To || filepath.Dir(dir) == c.cfg.To {
		sources = append(sources, func(ctx context.Context, ask server.KeyRequest) (key []byte, err error) {
			h, err := enter(ctx, c.cfg)
			if err != nil {
				return nil, server.ErrNoKey
			}
			defer func() { err = errors.Join(err, h.close()) }()
			return h.keySource()(ctx, ask)
		})
	}
	if len(sources) == 0 {
		return nil
	}
	return server.FirstKey(sources...)
}

// tools are what segments are decoded with. They are looked for when there is
// something to decode.
func (c *checking) tools(ctx context.Context) (ffmpeg.Tools, error) {
	if c.decoder.FFmpeg != "" {
		return c.decoder, nil
	}
	var err error
	c.decoder, err = findDecoder(ctx, c.cfg)
	return c.decoder, err
}

// check checks a video that Spool published: against its manifest, and against
// the rules. Segments are decoded once.
func (c *checking) check(ctx context.Context, s store.Store, video string, source keySource) (checked, error) {
	tools, err := c.tools(ctx)
	if err != nil {
		return checked{}, err
	}
	o := verify.Options{Deep: true, Tools: tools}
	if source != nil {
		revision, err := publishedRevision(ctx, s, video)
		if err != nil {
			return checked{}, err
		}
		o.Keys = func(uri string) ([]byte, error) {
			return source(ctx, server.KeyRequest{Video: video, Name: revision, URI: uri})
		}
	}
	report, err := verify.Package(ctx, s, video, o)
	if err != nil {
		return checked{}, err
	}
	r := checked{Video: video, Report: &report}
	master := (&url.URL{Path: path.Join(video, verify.MasterName)}).String()
	if _, err := s.Stat(ctx, path.Join(video, verify.MasterName)); errors.Is(err, store.ErrNotFound) {
		return r, nil // that it is missing is in the report
	}
	r.Rules, err = c.survey(ctx, inStore{s, survey.NewWeb(nil)}, master, survey.Options{Keys: func(_ context.Context, uri string) ([]byte, error) {
		if o.Keys == nil {
			return nil, server.ErrNoKey
		}
		return o.Keys(uri)
	}})
	if e := new(spool.Error); errors.As(err, &e) && e.Code == survey.CodeNoHLS {
		return r, nil // the report says what is wrong with the master
	}
	return r, err
}

// publishedRevision is the revision that a video's master names; "" when that
// cannot be told, which verify will say better.
func publishedRevision(ctx context.Context, s store.Store, video string) (string, error) {
	m, _, err := verify.Present(ctx, s, video)
	if err != nil && ctx.Err() != nil {
		return "", ctx.Err()
	}
	return m.Revision, nil //nolint:nilerr // see above
}
