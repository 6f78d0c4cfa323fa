package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/intake"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/lock"
	"github.com/spool-video/spool/internal/progress"
)

func newRun() *cobra.Command {
	var list string
	cmd := &cobra.Command{
		Use:   "run [SOURCE…|LIST]",
		Short: "publish videos: fetch, encode, encrypt, upload, verify",
		Long: `Publishes each source: a direct link, a page that yt-dlp knows, a file or a
folder, here or in a store (NAME:PATH, where NAME is a remote of rclone.conf),
or a list of them (.txt, .yaml, .json, or -f FILE; - is standard input).
What is published already is skipped; what was interrupted goes on. Without a
source, run continues what is unfinished.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			lines, err := sources(args, list, cmd.InOrStdin())
			if err != nil {
				return err
			}
			return mainJob(cmd.Context(), request{cfg: cfg, lines: lines, out: cmd.OutOrStdout(), err: cmd.ErrOrStderr()})
		},
	}
	config.Bind(cmd.Flags(), config.RunKeys()...)
	cmd.Flags().StringVarP(&list, "file", "f", "", "read sources from `FILE`, one a line; - is standard input")
	return cmd
}

// sources makes lines of what was typed: arguments, lists among them, and -f.
func sources(args []string, list string, stdin io.Reader) ([]intake.Line, error) {
	var lines []intake.Line
	if list != "" {
		more, err := readList(list, stdin)
		if err != nil {
			return nil, err
		}
		lines = append(lines, more...)
	}
	for _, arg := range args {
		more := intake.Arguments([]string{arg})
		if intake.IsList(arg) {
			var err error
			if more, err = readList(arg, stdin); err != nil {
				return nil, err
			}
		}
		lines = append(lines, more...)
	}
	return lines, nil
}

func readList(name string, stdin io.Reader) ([]intake.Line, error) {
	if name == "-" {
		return intake.ParseList(name, stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, usage("no-list", fmt.Sprintf("the list %s cannot be read: %v", name, errors.Unwrap(err)), "give the path of a text, YAML or JSON file")
	}
	lines, err := intake.ParseList(name, f)
	return lines, errors.Join(err, f.Close())
}

// request is one call of the main job.
type request struct {
	cfg      config.Config
	lines    []intake.Line
	watch    func() ([]intake.Line, error) // spool watch: what was typed, read anew
	out, err io.Writer
}

// mainJob runs a request, from the first line that is said to the last.
func mainJob(ctx context.Context, q request) (err error) {
	began, command := time.Now(), "run"
	if q.watch != nil {
		command = "watch"
	}
	l, err := lock.Acquire(ctx, q.cfg.State, command)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Release()) }()
	h, err := build(ctx, q.cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	show, err := progress.New(progress.Options{Mode: q.cfg.Progress, Out: q.err})
	if err != nil {
		return err
	}
	if q.cfg.Verbose {
		h.log = slog.New(slog.NewTextHandler(show.Log(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	r := &running{house: h, lines: q.lines, out: q.out, err: q.err, show: show, results: map[string]int{}, after: l.Abandoned}
	all := r.all
	if q.watch != nil {
		all = newWatching(r, q.watch).all
	}
	r.announce()
	show.Start()
	runErr := r.run(ctx, all)
	summary := r.summary(time.Since(began))
	summary.Notes = append(summary.Notes, r.sweepFailed(context.WithoutCancel(ctx), summary.Videos)...)
	show.Close(summary)
	return r.close(summary, runErr)
}

// announce says first where things will be published, and what a person should
// know before it begins.
func (r *running) announce() {
	to := r.cfg.To
	text := "publishing to " + to
	if r.cfg.Origin("to") == "default" {
		text += " (change with --to)"
	}
	r.note(text)
	if r.fresh {
		r.note("the destination was deleted since the last run and is made anew; what was published in it is published again when you ask for it")
	}
	for _, n := range r.cfg.Notes {
		r.note(n)
	}
}

func (r *running) note(text string) {
	r.show.Show(progress.Event{Type: progress.Noted, Text: text})
}

// close prints the results and says by the exit code how it went.
func (r *running) close(s progress.Summary, err error) error {
	reports := r.cfg.Progress != "json" && r.cfg.Progress != "none"
	told := reports && terminal(r.out)
	twice := reports && !told && sameFile(r.out, r.err)
	for _, v := range s.Videos {
		if v.Status == spool.Ready && !told && !r.endless {
			fmt.Fprintf(r.out, "%s\t%s\n", v.Video, v.Path)
		}
	}
	if reports {
		fmt.Fprint(r.err, progress.Report(once(s, twice)))
	}
	t := s.Tally()
	switch {
	case err != nil:
		return err
	case r.endless:
		return nil // to be stopped is how it ends
	case r.interrupted:
		return ended(exitInterrupted)
	case t.Failed > 0:
		return ended(exitSomeFailed)
	case t.Unfinished > 0:
		return ended(exitTryAgain)
	}
	return nil
}

// once is a summary without the paths that the lines for programs give
// already, when both are read in one place.
func once(s progress.Summary, twice bool) progress.Summary {
	if !twice {
		return s
	}
	s.Videos = slices.Clone(s.Videos)
	for i := range s.Videos {
		s.Videos[i].Path = ""
	}
	return s
}

// terminal reports whether a person reads w: the report says it all to them,
// and the lines for programs would only say it again.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// summary is how every video of this run ended.
func (r *running) summary(took time.Duration) progress.Summary {
	s := progress.Summary{Took: took, Videos: r.endings, Notes: r.notes, Watch: "spool preview" + toFlag(r.cfg)}
	if r.board != nil {
		s.Busy = r.board.busy(took)
	}
	for i := range s.Videos {
		e := &s.Videos[i]
		if e.Video == "" || e.Skipped {
			continue
		}
		rec, err := r.ledger.Get(context.Background(), e.Video)
		if errors.Is(err, ledger.ErrNotFound) {
			e.Status = spool.Cancelled
			continue
		}
		if err != nil {
			continue // it stays unfinished, which is what is known
		}
		v := rec.Video
		e.Status, e.Sizes, e.LeftOut, e.Notes, e.Failure = v.Status, v.Sizes, v.LeftOut, v.Notes, v.Failure
		if v.Status == spool.Ready {
			e.Path = r.master(v.ID)
		}
	}
	return s
}
