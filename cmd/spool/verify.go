package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/progress"
	"github.com/spool-video/spool/internal/server"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/folder"
	"github.com/spool-video/spool/internal/verify"
)

// checking is one call of verify.
type checking struct {
	all, asJSON bool
	cfg         config.Config
	out         io.Writer
	results     []checked // for JSON, which is one list
	wrong       bool      // a finding is an error
}

// checked is the result of one package.
type checked struct {
	Video string `json:"video"`
	verify.Report
}

func newVerify() *cobra.Command {
	var c checking
	cmd := &cobra.Command{
		Use: "verify ID…|--all|FOLDER", Short: "check what is published, down to the last byte",
		Long: `Reads a published video back: every object is there with its size and hash, the
playlists say what the segments are, every segment decrypts and decodes. FOLDER
is a video's folder, or a destination. Exit code 3 when something is wrong.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && !c.all {
				return usage("missing-argument", "spool verify needs an ID, --all or a folder", cmd.UseLine())
			}
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			c.cfg, c.out = cfg, cmd.OutOrStdout()
			return c.run(cmd.Context(), args)
		},
	}
	config.Bind(cmd.Flags(), "to", "state", "keys", "ffmpeg", "rclone-config", "config")
	cmd.Flags().BoolVar(&c.all, "all", false, "every ready video")
	cmd.Flags().BoolVar(&c.asJSON, "json", false, "print JSON")
	return cmd
}

func (c *checking) run(ctx context.Context, args []string) error {
	var ids []string
	for _, arg := range args {
		if info, err := os.Stat(arg); err == nil && info.IsDir() {
			if err := c.folder(ctx, arg); err != nil {
				return err
			}
			continue
		}
		ids = append(ids, arg)
	}
	if c.all || len(ids) > 0 {
		if err := c.videos(ctx, ids); err != nil {
			return err
		}
	}
	if c.asJSON {
		if err := printJSON(c.out, append([]checked{}, c.results...)); err != nil {
			return err
		}
	}
	if c.wrong {
		return ended(exitSomeFailed)
	}
	return nil
}

// take notes what was found, and tells it at once where that can be read.
func (c *checking) take(r checked) {
	for _, f := range r.Findings {
		c.wrong = c.wrong || f.Level == verify.Error
	}
	c.results = append(c.results, r)
	if !c.asJSON {
		printChecked(c.out, r)
	}
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

// folder checks a video's folder, or every video of a destination.
func (c *checking) folder(ctx context.Context, dir string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find %s: %w", dir, err)
	}
	var masters []string
	if _, err := os.Stat(filepath.Join(abs, "master.m3u8")); err == nil {
		masters = []string{filepath.Join(abs, "master.m3u8")}
	} else if masters, err = filepath.Glob(filepath.Join(abs, "*", "master.m3u8")); err != nil {
		return fmt.Errorf("look into %s: %w", dir, err)
	}
	if len(masters) == 0 {
		return usage("nothing-published", "no video is published in "+dir, "name a video's folder, or a destination")
	}
	keys := c.keySource(ctx, abs)
	for _, m := range masters {
		video := filepath.Dir(m)
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

func (c *checking) check(ctx context.Context, s store.Store, video string, keys keySource) (checked, error) {
	o := verify.Options{Deep: true, Tools: ffmpeg.Tools{FFmpeg: c.cfg.FFmpeg, FFprobe: c.cfg.FFprobe}}
	if keys != nil {
		revision, err := publishedRevision(ctx, s, video)
		if err != nil {
			return checked{}, err
		}
		o.Keys = func(uri string) ([]byte, error) {
			return keys(ctx, server.KeyRequest{Video: video, Name: revision, URI: uri})
		}
	}
	report, err := verify.Package(ctx, s, video, o)
	if err != nil {
		return checked{}, err
	}
	return checked{video, report}, nil
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

func printChecked(out io.Writer, r checked) {
	if len(r.Findings) == 0 {
		fmt.Fprintf(out, "%s\tgood\t%s\n", r.Video, progress.Number(r.Objects, "object"))
		return
	}
	for _, f := range r.Findings {
		fmt.Fprintf(out, "%s\t%s\n", r.Video, f)
	}
}
