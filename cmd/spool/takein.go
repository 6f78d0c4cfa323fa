package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/download"
	"github.com/spool-video/spool/internal/intake"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/progress"
	"github.com/spool-video/spool/internal/schedule"
	"github.com/spool-video/spool/internal/stage/finish"
	"github.com/spool-video/spool/internal/store"
)

// takeIn brings every source into the ledger: take gets what became of each.
// whole may pass over files, as intake.Intake's does.
func (r *running) takeIn(ctx context.Context, lines []intake.Line, whole func(string, spool.SourceStamp) bool, take func(context.Context, intake.Result, spool.Settings) error) error {
	settings, err := r.cfg.VideoSettings()
	if err != nil {
		return err
	}
	client := policy(r.cfg).Client()
	defer client.CloseIdleConnections()
	in := &intake.Intake{
		Ledger: r.ledger, Pages: r.pages, Stores: inStores{r.stores}, Contents: r.contents, Client: client, Settings: settings,
		Ladders: r.cfg.LadderNames(), MaxItems: r.cfg.MaxItems,
		Include: r.cfg.Include, Exclude: r.cfg.Exclude, Skip: r.own(), Whole: whole,
	}
	judging, stop := context.WithCancel(ctx)
	results := make(chan intake.Result, together)
	var judge sync.WaitGroup
	judge.Go(func() {
		defer close(results)
		for result := range in.Run(judging, lines) {
			select {
			case results <- result:
			case <-judging.Done():
				return
			}
		}
	})
	defer judge.Wait()
	defer stop()
	for result := range results {
		err := take(ctx, result, settings)
		if err == nil && (len(results) == 0 || len(r.newcomers) >= together) {
			err = r.acceptNew(ctx)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		if ctx.Err() != nil {
			break // whatever that broke: the user wanted it
		}
	}
	return ctx.Err()
}

// own are the folders in which no sources are looked for.
func (r *running) own() []string { return own(r.cfg) }

func own(cfg config.Config) []string { return []string{cfg.To, filepath.Dir(cfg.Work), cfg.State} }

// together is how many new videos go into the ledger in one transaction, at
// most. As many as have been judged by then do: none waits for the next one.
const together = 256

// acceptNew puts the new videos that were judged into the ledger.
func (r *running) acceptNew(ctx context.Context) error {
	fresh := r.newcomers
	if r.newcomers = nil; len(fresh) == 0 {
		return nil
	}
	records := make([]ledger.Record, len(fresh))
	for i, result := range fresh {
		records[i] = schedule.NewRecord(result.Video, time.Now())
	}
	if err := r.ledger.Accept(ctx, records...); err != nil {
		return fmt.Errorf("accept %s: %w", progress.Number(len(fresh), "video"), err)
	}
	for i, result := range fresh {
		v := records[i].Video
		r.expect(v, result.Line.Number)
		r.show.Show(progress.Event{Type: progress.Accepted, Video: v.ID, Title: v.Title, Source: result.Line.Source, Line: result.Line.Number})
	}
	return r.need(ctx)
}

// take does what the verdict on one source asks for. What is not new waits for
// what is: the report names all in the order in which they were given.
func (r *running) take(ctx context.Context, result intake.Result, settings spool.Settings) error {
	if result.Verdict == intake.Accept {
		return r.accept(ctx, result)
	}
	if err := r.acceptNew(ctx); err != nil {
		return err
	}
	switch result.Verdict {
	case intake.Accept:
	case intake.Known:
		return r.known(ctx, result, settings)
	case intake.Duplicate:
		r.note(result.Line.Where() + " is the same video as " + result.Of.Where())
	case intake.Expanded:
		r.note(result.Line.Source + " holds " + progress.Number(result.Count, "video"))
	case intake.Bad:
		r.refuse(result)
	}
	return nil
}

// refuse counts a source that cannot be a video.
func (r *running) refuse(result intake.Result) {
	e := refusal(result)
	if !r.service {
		r.endings = append(r.endings, progress.Ending{Source: e.Source, Line: e.Line, Status: spool.Failed, Failure: e.Failure})
	}
	r.show.Show(e)
}

// refusal tells of a source that cannot be a video.
func refusal(result intake.Result) progress.Event {
	return progress.Event{Type: progress.Bad, Line: result.Line.Number, Source: result.Line.Source, Failure: failure(result.Err)}
}

func failure(e *spool.Error) *spool.Failure {
	return &spool.Failure{Class: e.Class, Code: e.Code, Reason: e.Reason, Hint: e.Hint}
}

// accept takes in a new video, unless the destination has it already.
func (r *running) accept(ctx context.Context, result intake.Result) error {
	v := result.Video
	adopted, err := finish.Adopt(ctx, r.store, v.ID)
	switch {
	case err == nil:
		if err := r.acceptNew(ctx); err != nil {
			return err
		}
		return r.adopt(ctx, v, adopted)
	case errors.Is(err, finish.ErrForeign):
		result.Err = foreign(v.ID)
		r.refuse(result)
		return nil
	}
	// Nothing whole is there: it is made. What remains of an earlier try is
	// swept when it is finished.
	r.newcomers = append(r.newcomers, result)
	return nil
}

// foreign is the error of a video whose place is taken.
func foreign(id string) *spool.Error {
	return &spool.Error{
		Class: spool.Permanent, Code: "foreign-folder",
		Reason: "the destination has a folder " + id + " that Spool did not publish, and it is left alone",
		Hint:   "move that folder away, or give the video another name with id=",
	}
}

// adoption is a video as it is taken over: what was asked for, and what was
// found.
func adoption(v, found spool.Video) spool.Video {
	found.Source, found.Canonical, found.Stamp, found.Settings, found.Priority = v.Source, v.Canonical, v.Stamp, v.Settings, v.Priority
	found.Added, found.Changed, found.Callbacks = time.Now(), time.Now(), v.Callbacks
	return found
}

// adopt takes over a video that is published, but that the ledger lost.
func (r *running) adopt(ctx context.Context, v, found spool.Video) error {
	found = adoption(v, found)
	if err := r.ledger.Accept(ctx, ledger.Record{Video: found}); err != nil {
		return fmt.Errorf("adopt %s: %w", v.ID, err)
	}
	r.keep(found, "published already, and taken over")
	return nil
}

// expect adds a video whose end this run waits for.
func (r *running) expect(v spool.Video, line int) {
	if _, twice := r.results[v.ID]; twice || r.service {
		return
	}
	r.results[v.ID] = len(r.endings)
	r.endings = append(r.endings, progress.Ending{Video: v.ID, Source: v.Canonical, Line: line, Status: v.Status})
}

// keep adds a video that is ready and stays as it is.
func (r *running) keep(v spool.Video, text string) {
	if _, twice := r.results[v.ID]; twice || r.service {
		return
	}
	r.results[v.ID] = len(r.endings)
	r.endings = append(r.endings, progress.Ending{
		Video: v.ID, Source: v.Canonical, Status: spool.Ready, Skipped: true, Sizes: v.Sizes, Path: r.master(v.ID),
	})
	r.show.Show(progress.Event{Type: progress.Known, Video: v.ID, Title: v.Title, Status: v.Status, Text: text})
}

// ask asks a link's server what the file looks like now. No answer is no
// reason to make a video anew.
func (r *running) ask(ctx context.Context, id, source string) spool.SourceStamp {
	client := &download.Client{Guard: policy(r.cfg), PerHost: r.cfg.PerHost}
	defer client.Close()
	size, tag, err := client.Ask(ctx, source)
	if err != nil {
		r.note(id + " stays as it is: " + spool.AsError(err).Reason)
	}
	return spool.SourceStamp{Size: size, Tag: tag}
}

// known decides about a video that the ledger has.
func (r *running) known(ctx context.Context, result intake.Result, settings spool.Settings) error {
	v := result.Video
	if result.Line.Ladder != "" {
		settings.Ladder = result.Line.Ladder
	}
	if r.cfg.Refresh && v.Status == spool.Ready && intake.IsURL(result.Source) {
		if v.Stamp == (spool.SourceStamp{}) {
			r.unasked++
		} else {
			result.Stamp = r.ask(ctx, v.ID, result.Source)
		}
	}
	if r.touched(ctx, v, &result.Stamp) {
		v.Stamp = result.Stamp
	}
	_, err := r.store.Stat(ctx, v.ID+"/master.m3u8")
	what, why := decide(v, seen{Stamp: result.Stamp, Gone: errors.Is(err, store.ErrNotFound), Settings: settings, Remake: r.cfg.Remake})
	var change func(*ledger.Record)
	switch what {
	case skip:
		r.keep(v, "")
		return nil
	case otherwise:
		r.otherwise++
		r.keep(v, "")
		return nil
	case goOn:
		why = strings.TrimSpace("goes on " + why)
	case tryAgain:
		change = func(rec *ledger.Record) { schedule.Retry(rec, time.Now()) }
		why = strings.TrimSpace("tried again " + why)
	case remake:
		why = "made anew: " + why
		change = func(rec *ledger.Record) {
			rec.Video.Settings, rec.Video.Stamp = settings, result.Stamp
			schedule.Again(rec, time.Now())
		}
	}
	if change != nil {
		err := r.ledger.Update(ctx, v.ID, func(rec *ledger.Record) error {
			rec.Video.Source = result.Source // a signed link may be fresher than the one that was accepted
			change(rec)
			return nil
		})
		if err != nil {
			return fmt.Errorf("take in %s again: %w", v.ID, err)
		}
	}
	r.expect(v, result.Line.Number)
	r.show.Show(progress.Event{Type: progress.Known, Video: v.ID, Title: v.Title, Status: spool.Waiting, Text: why})
	return r.need(ctx)
}
