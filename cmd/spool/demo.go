package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/demo"
	"github.com/spool-video/spool/internal/intake"
)

func newDemo() *cobra.Command {
	var stay bool
	cmd := &cobra.Command{
		Use: "demo", Short: "see it work, with three clips made and served here", Args: none,
		Long: `Makes three short clips with ffmpeg, serves them on 127.0.0.1 as a website would
(a file, a file whose index is at its end, a page with a video), publishes them
encrypted, and ends with the address of a page where the result plays.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			if err := publishDemo(cmd, cfg); err != nil {
				return err
			}
			if !stay {
				return nil
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "\nthe result plays at this address; Ctrl-C ends it")
			return preview(cmd.Context(), demoConfig(cfg), 0, false, cmd.OutOrStdout())
		},
	}
	config.Bind(cmd.Flags(), "to", "state", "work", "preset", "progress", "ytdlp", "ffmpeg", "ffprobe", "config")
	cmd.Flags().BoolVar(&stay, "preview", true, "stay and serve the preview")
	return cmd
}

// demoConfig is how the demo publishes: as the user would, but encrypted, and
// fast.
func demoConfig(cfg config.Config) config.Config {
	if cfg.KeyURI == "" && cfg.Keys == "" {
		cfg.KeyURI = "/keys/{video}/{key}.key"
	}
	if cfg.Origin("preset") == "default" {
		cfg.Preset = "veryfast"
	}
	cfg.AllowPrivate = true // its website is here
	return cfg
}

func publishDemo(cmd *cobra.Command, cfg config.Config) (err error) {
	ctx := cmd.Context()
	fmt.Fprintln(cmd.ErrOrStderr(), "making three clips and a small website that offers them …")
	site, err := demo.Start(ctx, filepath.Join(cfg.Work, "..", "demo-site"), demo.Options{
		FFmpeg: cfg.FFmpeg, Port: filepath.Join(cfg.State, "demo-port"), // with what is known of its videos
	})
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		err = errors.Join(err, site.Stop(end))
	}()
	var lines []intake.Line
	for i, clip := range site.Clips() {
		lines = append(lines, intake.Line{Number: i + 1, Source: clip.URL, ID: clip.ID, Title: clip.Title})
	}
	return mainJob(ctx, request{cfg: demoConfig(cfg), lines: lines, out: cmd.OutOrStdout(), err: cmd.ErrOrStderr()})
}
