package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/callback"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/guard"
	"github.com/spool-video/spool/internal/inbox"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/webapi"
)

// openSecrets reads what callbacks are signed with, and makes a secret at the
// first start when none is named.
func openSecrets(cfg config.Config) (callback.Secrets, error) {
	path, own := cfg.CallbackSecret()
	if own {
		return callback.Make(path)
	}
	return callback.Read(path)
}

// sender delivers callbacks while a serve is at work.
func (s *service) sender(h *house) *callback.Sender {
	return &callback.Sender{Outbox: h.ledger, Secrets: s.secrets, Policy: policy(s.cfg), Master: h.master, Version: version, Tried: func(t callback.Try) {
		h.metrics.Called(t.Event, string(t.Outcome), t.Took)
		attrs := []any{"video", t.Video.ID, "tells", t.Event, "callback", t.Callback, "id", t.ID, "attempt", t.Attempts, "took", t.Took}
		if t.Outcome == callback.Delivered {
			h.log.Info("callback.delivered", attrs...)
			return
		}
		h.log.Warn("callback."+string(t.Outcome), append(attrs, "reason", t.Why, "next", t.Next)...)
	}}
}

// callable judges a callback of those who are not trusted; "" is none.
func (t *taking) callable(to string) error {
	if to == "" {
		return nil
	}
	if err := inbox.CheckCallback(to); err != nil {
		return err
	}
	u, err := url.Parse(to)
	if err == nil {
		err = policy(t.cfg).Check(u)
	}
	var e *spool.Error
	if errors.As(err, &e) && (e.Code == guard.CodeAddress || e.Code == guard.CodePort || e.Code == guard.CodeHost) {
		return &spool.Error{Class: e.Class, Code: e.Code, Reason: "the callback cannot be made: " + e.Reason, Hint: e.Hint}
	}
	return err
}

// mostCallbacks is how many one video has.
const mostCallbacks = 8

// tells has a video that is known tell one more how it ends; at once, when it
// has ended. e is why it cannot.
func (b *batch) tells(ctx context.Context, id, to string) (e *spool.Error, err error) {
	if to == "" {
		return nil, nil
	}
	err = b.ledger.Update(ctx, id, func(rec *ledger.Record) error {
		v := &rec.Video
		switch {
		case slices.Contains(v.Callbacks, to): // to ask twice is to ask once
		case len(v.Callbacks) >= mostCallbacks:
			e = &spool.Error{
				Class: spool.Permanent, Code: "too-many-callbacks", Reason: fmt.Sprintf("%s has %d callbacks already", v.ID, mostCallbacks),
				Hint: "let one receiver tell the others",
			}
		default:
			v.Callbacks = append(v.Callbacks, to)
		}
		return nil
	})
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, nil // somebody removed it a moment ago
	}
	if err != nil {
		return nil, fmt.Errorf("add a callback to %s: %w", id, err)
	}
	return e, nil
}

// late is a callback of a submission that turned out to be the same video as
// that of another line.
type late struct {
	at       int // its place in taken
	line     int // the other one
	callback string
}

// tellLate adds callbacks that were handed in with duplicates. The video of a
// line that is a folder or a playlist is not looked for among many.
func (b *batch) tellLate(ctx context.Context) error {
	for _, l := range b.late {
		var of []int
		for i, line := range b.lines {
			if line == l.line && b.taken[i].Video != nil {
				of = append(of, i)
			}
		}
		if len(of) != 1 {
			continue
		}
		e, err := b.tells(ctx, b.taken[of[0]].Video.ID, l.callback)
		if err != nil {
			return err
		}
		if e != nil {
			b.refuse(&b.taken[l.at], e)
		}
	}
	return nil
}

// notices are what the callbacks of a video are still to be told.
func (h *house) notices(ctx context.Context, v spool.Video) ([]webapi.Notice, error) {
	if len(v.Callbacks) == 0 {
		return nil, nil
	}
	kept, err := h.ledger.Notices(ctx, ledger.NoticeAsk{Video: v.ID})
	if err != nil {
		return nil, err
	}
	shown := make([]webapi.Notice, len(kept))
	for i, n := range kept {
		shown[i] = webapi.Notice{
			ID: n.ID, Event: callback.Event(n), Callback: plaintext.Show(n.Callback), Attempts: n.Attempts, Last: n.Last, Next: n.Next, GivenUp: n.GivenUp,
		}
	}
	return shown, nil
}
