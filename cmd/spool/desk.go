package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/early"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/lock"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/schedule"
	"github.com/spool-video/spool/internal/webapi"
)

// desk does what commands and programs ask of a destination: for a serve over
// its API, and for a command of the same machine when no serve is at work.
type desk struct {
	*house
	intake *taking // nil: nothing is taken in
}

var _ webapi.Desk = (*desk)(nil)

// card is a video as it is shown; why says what it does or waits for.
func (h *house) card(ctx context.Context, rec ledger.Record, why string, look bool) webapi.Video {
	c := webapi.Video{Video: rec.Video, Source: rec.Video.Canonical, Why: why}
	for _, callback := range rec.Video.Callbacks {
		c.Callbacks = append(c.Callbacks, plaintext.Show(callback))
	}
	if c.Published != "" {
		c.Master = h.master(c.ID)
	} else if look && !c.Status.Ended() && h.offered(ctx, c.ID) {
		c.Early = h.store.Properties().Address + "/" + c.ID + "/" + early.Name
	}
	return c
}

// master is where a video's master playlist lies, as a person would open it.
func (h *house) master(id string) string {
	return h.store.Properties().Address + "/" + id + "/master.m3u8"
}

// whys says what videos do or wait for. Where a scheduler is at work in this
// process it is the one that says it: it knows who is missing.
func (d *desk) whys(ctx context.Context) func(ledger.Record) string {
	if d.intake != nil {
		return d.intake.scheduler.Why
	}
	_, attended := lock.Held(ctx, d.cfg.State)
	return func(rec ledger.Record) string { return schedule.Why(rec, attended, time.Now()) }
}

// shown is the card of a video by its ID.
func (d *desk) shown(ctx context.Context, id string) (webapi.Video, error) {
	rec, err := d.record(ctx, id)
	if err != nil {
		return webapi.Video{}, err
	}
	return d.card(ctx, rec, d.whys(ctx)(rec), true), nil
}

// List gives a page of videos.
func (d *desk) List(ctx context.Context, q webapi.Query) (webapi.Page, error) {
	// One more than asked for tells whether there is another page.
	videos, err := d.ledger.List(ctx, ledger.Filter{Statuses: q.Statuses, Causes: q.Causes, After: q.After, Limit: q.Limit + 1})
	if errors.Is(err, ledger.ErrNotFound) {
		err = d.noVideo(q.After)
	}
	if err != nil {
		return webapi.Page{}, err
	}
	page := webapi.Page{Videos: make([]webapi.Video, 0, len(videos))}
	if len(videos) > q.Limit {
		videos = videos[:q.Limit]
		page.Next = videos[q.Limit-1].ID
	}
	why := d.whys(ctx)
	_, far := d.cfg.RemoteTo() // each look would be a question to the store
	for _, v := range videos {
		rec := ledger.Record{Video: v}
		if !v.Status.Ended() {
			now, err := d.ledger.Get(ctx, v.ID)
			if errors.Is(err, ledger.ErrNotFound) {
				continue // removed a moment ago
			}
			if err != nil {
				return webapi.Page{}, err
			}
			if now.Video.Status == v.Status { // else it is shown as it was when it was chosen
				rec = now
			}
		}
		page.Videos = append(page.Videos, d.card(ctx, rec, why(rec), !far))
	}
	return page, nil
}

// Get gives all that is known of a video.
func (d *desk) Get(ctx context.Context, id string) (webapi.Detail, error) {
	rec, err := d.record(ctx, id)
	if err != nil {
		return webapi.Detail{}, err
	}
	sounds, texts, err := d.tracks(ctx, rec)
	if err != nil {
		return webapi.Detail{}, err
	}
	notices, err := d.notices(ctx, rec.Video)
	if err != nil {
		return webapi.Detail{}, err
	}
	ids, err := d.keyIDs(ctx, rec.Video)
	if err != nil {
		return webapi.Detail{}, err
	}
	return webapi.Detail{
		Video: d.card(ctx, rec, d.whys(ctx)(rec), true), Sound: sounds, Subtitles: texts, Jobs: jobRecords(rec), Notices: notices, Keys: ids,
	}, nil
}

// Retry lets a failed or cancelled video go on.
func (d *desk) Retry(ctx context.Context, id string) (webapi.Video, error) {
	rec, err := d.record(ctx, id)
	if err != nil {
		return webapi.Video{}, err
	}
	id = rec.Video.ID
	err = d.ledger.Update(ctx, id, func(r *ledger.Record) error {
		if r.Video.Status != spool.Failed && r.Video.Status != spool.Cancelled {
			return conflict("not-failed", fmt.Sprintf("%s is %s: there is nothing to retry", id, r.Video.Status), "spool show "+id+toFlag(d.cfg)+" says more")
		}
		schedule.Retry(r, time.Now())
		return nil
	})
	if err != nil {
		return webapi.Video{}, err
	}
	d.wake()
	return d.shown(ctx, id)
}

// Cancel stops working on a video, and waits until that has stopped.
func (d *desk) Cancel(ctx context.Context, id string) (webapi.Video, error) {
	rec, err := d.record(ctx, id)
	if err != nil {
		return webapi.Video{}, err
	}
	id = rec.Video.ID
	if rec.Video.Status == spool.Ready || rec.Video.Status == spool.Failed {
		return webapi.Video{}, conflict("ended-already", fmt.Sprintf("%s is %s: there is nothing to cancel", id, rec.Video.Status), "spool rm "+id+toFlag(d.cfg)+" removes it")
	}
	if err := d.cancel(ctx, id); err != nil {
		return webapi.Video{}, err
	}
	return d.shown(ctx, id)
}

// Remove unpublishes a video and forgets it.
func (d *desk) Remove(ctx context.Context, id string, r webapi.Removal) error {
	return d.remove(ctx, id, r)
}

// Key gives a content key.
func (d *desk) Key(ctx context.Context, video, key string) ([]byte, error) {
	b, err := d.keys.Bytes(ctx, video, key)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, &spool.Error{Class: spool.Permanent, Code: "no-such-key", Reason: "there is no such key", Err: errors.Join(webapi.ErrNotFound, err)}
	}
	return b, err
}

// Add takes sources in.
func (d *desk) Add(ctx context.Context, all []webapi.Submission) ([]webapi.Taken, error) {
	if d.intake == nil {
		return nil, noServe(d.cfg)
	}
	return d.intake.add(ctx, all)
}

// wake tells the scheduler of this process, when there is one, that something
// is to be done.
func (d *desk) wake() {
	if d.intake != nil {
		d.intake.wake()
	}
}

// record loads a video by its ID, however its case is written.
func (h *house) record(ctx context.Context, id string) (ledger.Record, error) {
	rec, err := h.ledger.Get(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return rec, h.noVideo(id)
	}
	return rec, err
}

func (h *house) noVideo(id string) error {
	return &spool.Error{
		Class: spool.Permanent, Code: "no-such-video", Err: errors.Join(errUsage, webapi.ErrNotFound),
		Reason: fmt.Sprintf("there is no video %q in %s", id, h.cfg.To),
		Hint:   "spool ls" + toFlag(h.cfg) + " lists the videos; --to chooses another destination",
	}
}

func conflict(code, reason, hint string) error {
	return &spool.Error{Class: spool.Permanent, Code: code, Reason: reason, Hint: hint, Err: errors.Join(errUsage, webapi.ErrConflict)}
}

func jobRecords(rec ledger.Record) []spool.JobRecord {
	out := make([]spool.JobRecord, len(rec.Jobs))
	for i, j := range rec.Jobs {
		out[i] = j.JobRecord
	}
	return out
}

// all gives every video that a query selects, page by page.
func all(ctx context.Context, list func(context.Context, webapi.Query) (webapi.Page, error), q webapi.Query) ([]webapi.Video, error) {
	q.Limit = 1000
	videos := []webapi.Video{}
	for {
		page, err := list(ctx, q)
		if err != nil {
			return nil, err
		}
		videos = append(videos, page.Videos...)
		if q.After = page.Next; q.After == "" {
			return slices.Clip(videos), nil
		}
	}
}
