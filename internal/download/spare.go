package download

import (
	"context"
	"errors"
	"time"

	"github.com/spool-video/spool"
)

// giveBack gives back what is not needed, and has what is needed again fetched.
// Readers are told before the record says so, and that is durable before there
// is a hole; nothing is fetched to where one is being made.
func (t *transfer) giveBack() error {
	t.holes.Lock()
	defer t.holes.Unlock()
	p, room := t.part, t.request.Space
	needed, known := room.Needed()
	if !known || !t.gives.Load() {
		return nil
	}
	for _, w := range needed.Windows {
		if p.lacks(w) {
			if err := t.comeAgain(w, needed.Keep); err != nil {
				return err
			}
		}
	}
	all, err := p.spare(needed)
	if err != nil || all.Len() < spareLeast {
		return err
	}
	p.give(all)
	t.tell.now()
	if err := p.checkpoint(); err != nil {
		return err
	}
	// The blocks at the ends are whole only with what was given back before.
	err = p.free(room, p.parting(all))
	p.settled()
	t.aside.rouse() // some of it may be wanted again
	if err != nil {
		return err
	}
	room.Held(p.spans().Len(), 0)
	return nil
}

// comeAgain has bytes fetched that are needed again. What lies behind them
// would take their room, and is fetched again as well.
func (t *transfer) comeAgain(w spool.Span, but spool.Spans) error {
	room := t.request.Space
	behind := t.part.beyond(w.From, but)
	t.part.lose(behind)
	t.tell.now()
	if err := t.part.drop(room, behind); err != nil {
		return err
	}
	t.part.recall(w)
	room.Held(t.part.spans().Len(), 0)
	t.aside.recalled()
	return nil
}

// errIncomplete: bytes are needed again that were given back.
var errIncomplete = errors.New("bytes are needed again")

// lookAgain is how often it is looked for bytes that can be given back, beside
// when less is needed.
const lookAgain = 500 * time.Millisecond

// restUntilNeeded waits until something else may be needed.
func (t *transfer) restUntilNeeded(ctx context.Context) {
	timer := time.NewTimer(lookAgain)
	defer timer.Stop()
	select {
	case <-t.request.Space.Changed():
	case <-timer.C:
	case <-ctx.Done():
	}
}

// spares gives bytes back until stop has returned.
func (t *transfer) spares(ctx context.Context) (stop func()) {
	if t.request.Space == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := t.giveBack(); err != nil {
				t.aside.stumble(err)
			}
			t.restUntilNeeded(ctx)
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// settle waits until nothing of a file is needed of which bytes were given
// back, and goes on giving.
func (t *transfer) settle(ctx context.Context) (Result, error) {
	for {
		if err := t.giveBack(); err != nil {
			return Result{}, err
		}
		needed, known := t.request.Space.Needed()
		if !t.part.complete() {
			return Result{}, errIncomplete
		}
		if known && len(needed.Windows) == 0 {
			return t.part.result()
		}
		t.restUntilNeeded(ctx)
		if ctx.Err() != nil {
			return Result{}, context.Cause(ctx)
		}
	}
}

// admit narrows what is asked for to what there is room for, and waits for
// that. The function that it returns tells that it has come, or does not come.
func (t *transfer) admit(ctx context.Context, a ask, urgent bool) (ask, func(), error) {
	room := t.request.Space
	if room == nil {
		return a, func() {}, nil
	}
	all := int64(askMost) // of a file whose length is not known: its beginning
	switch {
	case a.to >= 0:
		all = a.to - a.from
	case t.part.Length >= 0:
		all = t.part.Length - a.from
	}
	want, least := all, min(all, askLeast)
	if t.gives.Load() {
		want = min(want, askMost)
	}
	if t.all {
		least = want
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t.aside.waits(cancel)
	defer t.aside.waits(nil)
	waited := false
	n, err := room.Room(ctx, want, least, urgent, func() {
		waited = true
		t.aside.unplan()
		t.turn.drop()
	})
	if err != nil {
		return a, nil, err
	}
	if waited { // something else may be to fetch by now
		room.Held(t.part.spans().Len(), n)
		return a, nil, errWanted
	}
	if n < all || a.all() && t.part.Length < 0 {
		a.to = a.from + n
	}
	t.until, t.granted = a.from+n, n
	return a, func() { room.Held(t.part.spans().Len(), t.granted) }, nil
}

// extend waits for more room for a file whose length nobody knows.
func (t *transfer) extend(ctx context.Context, s *stream) error {
	room := t.request.Space
	if room == nil || s.besides || t.part.Length >= 0 || s.at < t.until {
		return nil
	}
	n, err := room.Room(ctx, askMost, askLeast, false, func() { s.held = true })
	t.until, t.granted = t.until+n, t.granted+n
	return err
}

// some is how much of a buffer there is room for.
func (t *transfer) some(s *stream, buf []byte) []byte {
	if t.request.Space == nil || s.besides || s.at >= t.until {
		return buf
	}
	return buf[:min(int64(len(buf)), t.until-s.at)]
}

// resumes says how long a file is of which a part is here, before it is asked
// for more.
func (t *transfer) resumes() error {
	room, p := t.request.Space, t.part
	if room == nil || p.Length < 0 || p.held() == 0 {
		return nil
	}
	gives, err := room.Sized(p.Length, t.request.Watcher != nil)
	t.gives.Store(gives)
	return err
}

// measured asks for the right to fetch a file of the length that was just
// learned. An answer that brings more than there is room for is left when that
// is used up, where the rest can be had by ranges; else all of the room is
// waited for first.
func (t *transfer) measured(ctx context.Context) error {
	room, p := t.request.Space, t.part
	partly := t.ranged && !t.plain && t.request.Watcher != nil
	gives, err := room.Sized(p.Length, partly)
	if err != nil {
		return err
	}
	t.gives.Store(gives)
	if t.until >= p.Length || partly {
		return nil
	}
	n, err := room.Room(ctx, p.Length-t.until, 0, false, func() {})
	t.until, t.granted = t.until+n, t.granted+n
	if err == nil && t.until < p.Length {
		t.all, err = true, errRoom
	}
	return err
}

// enough: there is no room for more of an answer.
func (t *transfer) enough(s *stream) bool {
	return t.request.Space != nil && !s.besides && s.at >= t.until && (t.part.Length < 0 || s.at < t.part.Length)
}
