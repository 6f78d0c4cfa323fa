package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/intake"
	"github.com/spool-video/spool/internal/progress"
	"github.com/spool-video/spool/internal/watch"
)

func newWatch() *cobra.Command {
	var list string
	cmd := &cobra.Command{
		Use:   "watch SOURCE…|LIST",
		Short: "publish what is there, and what comes, until it is stopped",
		Long: `Publishes each source as run does, and then what comes to them: new files in
folders, new lines in lists, new videos of playlists and channels. A file is
taken once it is whole: when it has not changed for a while (--settle). One that
is replaced is made anew; one that is gone stays published. What failed is tried
again when its file changes, or with spool retry.

It ends with Ctrl-C or SIGTERM, and the exit code 0: what is being encoded may
end first (--grace).`,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			if len(args) == 0 && list == "" {
				return usage("missing-argument", "spool watch needs a source: a folder, a list or a web page", cmd.UseLine())
			}
			if list == "-" {
				return usage("no-list", "standard input cannot be read again, as a list that is watched has to be", "put the list into a file")
			}
			read := func() ([]intake.Line, error) { return sources(args, list, nil) }
			return mainJob(cmd.Context(), request{cfg: cfg, watch: read, out: cmd.OutOrStdout(), err: cmd.ErrOrStderr()})
		},
	}
	config.Bind(cmd.Flags(), config.WatchKeys()...)
	cmd.Flags().StringVarP(&list, "file", "f", "", "read sources from `FILE`, one a line, and again when it changes")
	return cmd
}

// watching is a run that looks at its sources again and again.
type watching struct {
	*running
	read  func() ([]intake.Line, error)
	files watch.Files
	bell  *watch.Bell
	looks map[spot]string       // how each source looked last
	bad   map[spot]string       // why it could not be taken, when it was looked at last
	pages map[string]bool       // addresses that were asked before
	asked time.Time             // when all of them were asked last
	swept time.Time             // when what is old was swept last
	also  func(context.Context) // what else is done then, or nil
}

// spot is a source and the line that it was found by; that of no source is
// that of all lines together.
type spot struct{ line, source string }

func newWatching(r *running, read func() ([]intake.Line, error)) *watching {
	r.endless = true
	return &watching{running: r, read: read, files: watch.Files{Settle: r.cfg.Settle}, looks: map[spot]string{}, pages: map[string]bool{}, swept: time.Now()}
}

const (
	// breath is how long a watch rests between two looks at least.
	breath = time.Second
	// sweepEvery is how often a watch sweeps what is old.
	sweepEvery = time.Hour
)

// all looks for ever.
func (w *watching) all(ctx context.Context) (err error) {
	w.bell = watch.NewBell(w.own()...)
	defer func() { err = errors.Join(err, w.bell.Close()) }()
	if _, err := w.takeUp(ctx); err != nil {
		return err
	}
	for first := true; ; first = false {
		if err := w.look(ctx); err != nil {
			return err
		}
		if first {
			w.show.Show(progress.Event{Type: progress.Counted})
		}
		if err := w.rest(ctx); err != nil {
			return err
		}
		if time.Since(w.swept) >= sweepEvery {
			w.swept = time.Now()
			if err := w.sweepReplaced(ctx); err != nil {
				return err
			}
			if w.engine != nil {
				w.engine.watch.sweep(ctx)
			}
			if w.also != nil {
				w.also(ctx)
			}
		}
	}
}

// rest waits until it is time to look again.
func (w *watching) rest(ctx context.Context) error {
	next := w.cfg.Poll
	if settles, any := w.files.Next(time.Now()); any {
		next = min(next, settles)
	}
	timer := time.NewTimer(max(next, breath))
	defer timer.Stop()
	least := time.After(breath)
	var ended <-chan struct{} // never, while there is no engine
	if w.engine != nil {
		ended = w.engine.ended
	}
	select {
	case <-timer.C:
	case <-w.bell.Rings():
		select {
		case <-least: // changes come in crowds
		case <-ctx.Done():
		}
	case <-ended:
		return w.engine.err
	case <-ctx.Done():
	}
	return ctx.Err()
}

// look looks at all sources that are due.
func (w *watching) look(ctx context.Context) error {
	before := w.bad
	w.bad = map[spot]string{}
	lines, err := w.read()
	if err != nil {
		w.lacks(spot{}, progress.Event{Type: progress.Bad, Failure: failure(spool.AsError(err))}, before)
	}
	due := w.due(lines)
	w.files.Begin()
	whole := func(path string, stamp spool.SourceStamp) bool { return w.files.Whole(path, stamp, time.Now()) }
	return w.takeIn(ctx, due, whole, func(ctx context.Context, result intake.Result, settings spool.Settings) error {
		if result.Verdict == intake.Bad {
			w.lacks(spot{result.Line.Source, result.Source}, refusal(result), before)
			return nil
		}
		if !w.news(result) {
			return nil
		}
		return w.take(ctx, result, settings)
	})
}

// due are the lines that are to be looked at now: those of local files, and
// web pages that are new or were not asked for a while.
func (w *watching) due(lines []intake.Line) []intake.Line {
	pages := time.Since(w.asked) >= w.cfg.PollPages
	if pages {
		w.asked = time.Now()
	}
	var due []intake.Line
	for _, l := range lines {
		if l.List != "" {
			w.bell.Listen(l.List)
		}
		if intake.IsURL(l.Source) {
			if pages || !w.pages[l.Source] {
				due = append(due, l)
			}
			w.pages[l.Source] = true
			continue
		}
		if path, err := filepath.Abs(l.Source); err == nil {
			w.bell.Listen(path)
		}
		due = append(due, l)
	}
	return due
}

// lacks tells of a source that cannot be taken, once for as long as that is
// so: folders come and go with their mounts, and an empty one is no mistake.
func (w *watching) lacks(at spot, e progress.Event, before map[spot]string) {
	if e.Failure.Code == "folder-empty" {
		return
	}
	w.bad[at] = e.Failure.Reason
	if before[at] != e.Failure.Reason {
		w.show.Show(e)
	}
}

// news reports whether a source is new, or looks otherwise than before. What is
// gone stays published, and comes back perhaps.
func (w *watching) news(result intake.Result) bool {
	if result.Gone || result.Verdict == intake.Expanded {
		return false
	}
	looks := fmt.Sprint(result.Of.Where(), result.Stamp)
	if result.Verdict == intake.Accept {
		looks = fmt.Sprint(result.Of.Where(), result.Video.Stamp)
	}
	at := spot{result.Line.Source, result.Source}
	before, known := w.looks[at]
	w.looks[at] = looks
	return !known || looks != before
}
