package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"

	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/page"
)

// Pages are read under the settings that somebody gave, whichever command does
// it: a run or a serve, a worker, or a plan.
func TestPagesAreReadAlike(t *testing.T) {
	t.Parallel()
	needTools(t, "ffmpeg", "ffprobe")
	for sandbox, unconfined := range map[string]bool{"off": true, "auto": false} {
		t.Run(sandbox, func(t *testing.T) {
			t.Parallel()
			cfg := settingsOf(t, "--sandbox="+sandbox, "--nice=7", "--cookies=cookies.txt", "--ytdlp=./yt-dlp")
			alike := func(who string, tool *page.Tool) {
				if tool.Unconfined != unconfined || tool.Nice != 7 || tool.Path != cfg.YTDLP || tool.Cookies != cfg.Cookies || tool.FFmpeg != cfg.FFmpeg || tool.Tag != tag(cfg) {
					t.Errorf("a %s reads pages with %+v", who, tool)
				}
			}
			run, err := build(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer run.close() //nolint:errcheck // the test is over
			alike("run", run.pages)
			worker, err := settle(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer worker.close() //nolint:errcheck // as above
			alike("worker", worker.pages)
			plan := &planner{cfg: cfg}
			end, err := plan.open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer end() //nolint:errcheck // as above
			alike("plan", plan.pages)
		})
	}
}

// settingsOf are the settings of a call in a folder of the test's own, which
// holds the state folder too.
func settingsOf(t *testing.T, flags ...string) config.Config {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	config.Bind(set)
	if err := set.Parse(append([]string{"--to=bucket", "--state=state"}, flags...)); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(set, []string{"HOME=" + dir}, dir)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}
