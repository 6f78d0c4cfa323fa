package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/intake"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/progress"
	"github.com/spool-video/spool/internal/schedule"
	"github.com/spool-video/spool/internal/stage/finish"
	"github.com/spool-video/spool/internal/webapi"
)

// taking takes in what is handed in by others while a serve is at work. It is
// safe for concurrent use: what two hand in at the same time is one video.
type taking struct {
	*house    // with a ledger of its own, so that the scheduler sees what is changed
	wake      func()
	scheduler *schedule.Scheduler // of this serve's engine, which is there before anything is taken in
	show      func(progress.Event)
}

// admission is what is handed in by those who are not trusted.
func (t *taking) admission() intake.Admission {
	return intake.Admission{Link: policy(t.cfg).Check, Places: t.cfg.AllowSource}
}

// add judges sources and accepts what is new. When another caller was first
// with one of them, all are judged again: then that one is known.
func (t *taking) add(ctx context.Context, all []webapi.Submission) ([]webapi.Taken, error) {
	const tries = 5
	for n := 1; ; n++ {
		taken, err := t.try(ctx, all)
		if !errors.Is(err, ledger.ErrExists) || n == tries {
			return taken, err
		}
	}
}

func (t *taking) try(ctx context.Context, all []webapi.Submission) ([]webapi.Taken, error) {
	settings, err := t.cfg.VideoSettings()
	if err != nil {
		return nil, err
	}
	client := policy(t.cfg).Client()
	defer client.CloseIdleConnections()
	in := &intake.Intake{
		Ledger: t.ledger, Pages: t.pages, Stores: inStores{t.stores}, Contents: t.contents, Client: client, Settings: settings,
		Ladders: t.cfg.LadderNames(), MaxItems: t.cfg.MaxItems, Include: t.cfg.Include, Exclude: t.cfg.Exclude, Skip: own(t.cfg),
	}
	b := &batch{taking: t, all: all}
	for result := range in.Run(ctx, b.judged()) {
		if err := b.take(ctx, result); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := b.accept(ctx); err != nil {
		return nil, err
	}
	return b.taken, b.tellLate(ctx)
}

// batch is some submissions that are taken in together.
type batch struct {
	*taking
	all   []webapi.Submission
	taken []webapi.Taken
	fresh []ledger.Record
	at    []int // of each fresh one: its place in taken
	lines []int // of each taken one: the number of its line
	late  []late
}

// judged are the submissions as intake judges them; what is not admitted has
// its error already.
func (b *batch) judged() []intake.Line {
	admission := b.admission()
	lines := make([]intake.Line, len(b.all))
	for i, s := range b.all {
		lines[i] = intake.Line{Number: i + 1, Source: s.Source, ID: s.ID, Title: s.Title, Ladder: s.Ladder}
		admitted, err := admission.Admit(s.Source)
		if err == nil {
			err = b.callable(s.Callback)
		}
		if err != nil {
			lines[i].Err = spool.AsError(err)
			continue
		}
		lines[i].Source = admitted
	}
	return lines
}

// take notes what became of one source.
func (b *batch) take(ctx context.Context, result intake.Result) error {
	taken := webapi.Taken{Source: plaintext.Show(b.all[result.Line.Number-1].Source)}
	switch result.Verdict {
	case intake.Expanded:
		return nil
	case intake.Duplicate:
		taken.Verdict = webapi.Duplicate
		b.late = append(b.late, late{len(b.taken), result.Of.Number, b.all[result.Line.Number-1].Callback})
	case intake.Bad:
		b.refuse(&taken, result.Err)
	case intake.Known:
		if err := b.known(ctx, &taken, result); err != nil {
			return err
		}
	case intake.Accept:
		if err := b.new(ctx, &taken, result); err != nil {
			return err
		}
	}
	b.taken, b.lines = append(b.taken, taken), append(b.lines, result.Line.Number)
	return nil
}

func (b *batch) refuse(taken *webapi.Taken, e *spool.Error) {
	taken.Verdict, taken.Problem = webapi.Refused, webapi.ProblemOf(e)
	b.show(progress.Event{Type: progress.Bad, Source: taken.Source, Failure: failure(e)})
}

// new takes a video that the ledger does not have; the destination may.
func (b *batch) new(ctx context.Context, taken *webapi.Taken, result intake.Result) error {
	v := result.Video
	if _, err := b.admission().Admit(v.Source); err != nil { // a file in a folder may be a link to elsewhere
		b.refuse(taken, spool.AsError(err))
		return nil
	}
	wish := b.all[result.Line.Number-1]
	v.Priority = wish.Priority
	if wish.Callback != "" {
		v.Callbacks = []string{wish.Callback}
	}
	found, err := finish.Adopt(ctx, b.store, v.ID)
	switch {
	case errors.Is(err, finish.ErrForeign):
		b.refuse(taken, foreign(v.ID))
		return nil
	case err == nil:
		adopted := adoption(v, found)
		if err := b.ledger.Accept(ctx, ledger.Record{Video: adopted}); err != nil {
			return fmt.Errorf("adopt %s: %w", v.ID, err)
		}
		card := b.shown(ctx, ledger.Record{Video: adopted})
		taken.Verdict, taken.Video = webapi.Known, &card
		return nil
	}
	taken.Verdict = webapi.Accepted
	b.fresh, b.at = append(b.fresh, schedule.NewRecord(v, time.Now())), append(b.at, len(b.taken))
	return nil
}

// known leaves a video alone that the ledger has, unless its file has changed:
// to hand the same thing in twice is to hand it in once.
func (b *batch) known(ctx context.Context, taken *webapi.Taken, result intake.Result) error {
	id := result.Video.ID
	taken.Verdict = webapi.Known
	if result.Changed && result.Video.Status.Ended() && !b.touched(ctx, result.Video, &result.Stamp) {
		taken.Verdict = webapi.Again
		err := b.ledger.Update(ctx, id, func(rec *ledger.Record) error {
			if !differs(rec.Video.Stamp, result.Stamp) || !rec.Video.Status.Ended() {
				return nil // another caller was first
			}
			rec.Video.Source, rec.Video.Stamp = result.Source, result.Stamp
			schedule.Again(rec, time.Now())
			return nil
		})
		if err != nil {
			return fmt.Errorf("take in %s again: %w", id, err)
		}
		b.show(progress.Event{Type: progress.Known, Video: id, Title: result.Video.Title, Status: spool.Waiting, Text: "made anew: its source has changed"})
		b.wake()
	}
	if e, err := b.tells(ctx, id, b.all[result.Line.Number-1].Callback); err != nil {
		return err
	} else if e != nil {
		b.refuse(taken, e)
		return nil
	}
	rec, err := b.ledger.Get(ctx, id)
	if err != nil {
		return err
	}
	card := b.shown(ctx, rec)
	taken.Video = &card
	return nil
}

// shown is the card of a video that was taken in.
func (b *batch) shown(ctx context.Context, rec ledger.Record) webapi.Video {
	return b.card(ctx, rec, b.scheduler.Why(rec), false)
}

// accept puts what is new into the ledger: all of it, or none.
func (b *batch) accept(ctx context.Context) error {
	if len(b.fresh) == 0 {
		return nil
	}
	if err := b.ledger.Accept(ctx, b.fresh...); err != nil {
		return fmt.Errorf("accept %s: %w", progress.Number(len(b.fresh), "video"), err)
	}
	for i, rec := range b.fresh {
		card := b.shown(ctx, rec)
		b.taken[b.at[i]].Video = &card
		b.show(progress.Event{Type: progress.Accepted, Video: card.ID, Title: card.Title, Source: card.Source})
	}
	b.wake()
	return nil
}
