package download

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// settleTime is not counted after a change: connections get up to speed,
	// and what a held one had in its buffers comes at once.
	settleTime = 500 * time.Millisecond
	// measureTime is what a rate is measured over.
	measureTime = 1500 * time.Millisecond
	// headStart is how long the first download from a host has the link to itself:
	// what it brings first is waited for most. A trial would halve that.
	headStart = 6 * time.Second
	// verdictLasts is how long we believe that one more download helps, or not.
	verdictLasts = time.Minute
	// stalledLasts is the same for what was learned while nothing came at all.
	stalledLasts = 10 * time.Second
	// worthwhile is what one more download must make of the total rate.
	worthwhile = 1.2
	// dropped is the part of the rate below which another one may try in spite of
	// the verdict. Half is what we see while the buffers of one just held fill up.
	dropped = 1.0 / 3
)

// pace lets a further download from a host go on only when it raises the total
// rate. On one slow link two at a time would both be complete only at the very
// end; one after the other, the first is complete when half of the time is over.
type pace struct {
	limit int // downloads from one host; set before first use

	started atomic.Int64
	mu      sync.Mutex // guards lanes
	lanes   map[string]*lane
}

// turn is a download's place in a lane. A nil turn is never held.
type turn struct {
	order int64 // of the downloads as they started: the lower one goes first
	lane  *lane // that it is in, set by its own goroutine
	flows bool  // bytes have come since it entered; guarded by the lane

	free  bool              // it is never held, and only counts in its lane
	hasty bool              // it does not wait for room at a host: errBusy
	keep  bool              // the next request follows at once: the room for it is kept
	kept  map[string]func() // gives the room at a host back
}

// before is a turn that goes first, for bytes that are wanted out of turn.
func (t *turn) before() *turn {
	return &turn{order: t.order - firstOrder, hasty: true}
}

// firstOrder is more than there will ever be downloads.
const firstOrder = 1 << 40

// leave gives the room at a host back, or keeps it for the next request.
func (t *turn) leave(host string, release func()) {
	if !t.keep {
		release()
		return
	}
	if t.kept == nil {
		t.kept = map[string]func(){}
	}
	t.kept[host] = release
}

// drop gives back what was kept.
func (t *turn) drop() {
	for host, release := range t.kept {
		delete(t.kept, host)
		release()
	}
}

// lane holds the downloads from one host. It measures in windows: whoever is
// about to read, or waits to be let go, judges a window that is over, so there
// is no goroutine for it.
type lane struct {
	limit int

	mu      sync.Mutex    // guards the rest
	changed chan struct{} // closed and renewed when a held one may go on
	turns   []*turn       // the oldest download first
	open    int           // so many of them may read
	trial   bool          // the last of those is being tried
	enough  bool          // the verdict is that one more does not help
	until   time.Time     // when the verdict is to be questioned
	before  float64       // bytes/s before the trial, or after one that helped
	alone   time.Time     // when the head start of the first download ends; zero: it has not begun
	since   time.Time     // begin of the window, in the future while it settles
	bytes   int64         // that came in it
}

func newLane(limit int) *lane {
	return &lane{limit: limit, open: 1, changed: make(chan struct{})}
}

func (p *pace) lane(host string) *lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lanes == nil {
		p.lanes = make(map[string]*lane)
	}
	if p.lanes[host] == nil {
		p.lanes[host] = newLane(p.limit)
	}
	return p.lanes[host]
}

// enter waits until a request may be sent to host: there is room for it, and
// it is t's turn. The returned function gives both back.
func (c *Client) enter(ctx context.Context, host string, t *turn) (leave func(), err error) {
	host = strings.ToLower(host)
	release, err := c.room(ctx, host, t)
	if err != nil || t == nil {
		return release, err
	}
	if t.free {
		t.lane, t.flows = c.pace.lane(host), true
		return func() { t.leave(host, release) }, nil
	}
	if t.order == 0 { // a retry keeps its place
		t.order = c.pace.started.Add(1)
	}
	l := c.pace.lane(host)
	l.enter(t, time.Now())
	leave = func() {
		l.leave(t, time.Now())
		t.leave(host, release)
	}
	if _, err := t.wait(ctx); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// room waits for room at a host, unless t has some or does not wait.
func (c *Client) room(ctx context.Context, host string, t *turn) (release func(), err error) {
	if t == nil {
		return c.hosts.acquire(ctx, host)
	}
	if release := t.kept[host]; release != nil {
		delete(t.kept, host)
		return release, nil
	}
	if release, err := c.hosts.try(host); err == nil || t.hasty {
		return release, err
	}
	t.drop() // or two could wait for one another
	return c.hosts.acquire(ctx, host)
}

// wait returns when t may read; held says whether it had to wait for that.
func (t *turn) wait(ctx context.Context) (held bool, err error) {
	if t == nil || t.free {
		return false, nil
	}
	for {
		changed, again := t.lane.mayGo(t, time.Now())
		if changed == nil {
			return held, nil
		}
		held = true
		timer := time.NewTimer(again)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return held, context.Cause(ctx)
		}
	}
}

// came notes n bytes that were read.
func (t *turn) came(n int) {
	if t != nil && n > 0 {
		t.lane.came(t, n, time.Now())
	}
}

// mayGo gives nil when t may read, else what to wait for, and for how long at
// most: then there is a window to judge.
func (l *lane) mayGo(t *turn, now time.Time) (changed <-chan struct{}, again time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) >= measureTime {
		l.judge(float64(l.bytes)/now.Sub(l.since).Seconds(), now)
	}
	if slices.Index(l.turns, t) < l.open {
		return nil, 0
	}
	return l.changed, l.since.Add(measureTime).Sub(now)
}

// behind reports whether t has to wait for another download: not only for bytes
// that are wanted out of turn, which are few.
func (l *lane) behind(t *turn, now time.Time) bool {
	if held, _ := l.mayGo(t, now); held == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.turns[:min(l.open, len(l.turns))], func(other *turn) bool { return other != t && other.order > 0 })
}

// judge draws the conclusion of a window with the given bytes/s, and begins the
// next one.
func (l *lane) judge(rate float64, now time.Time) {
	waiting := len(l.turns) > l.open && l.open < l.limit && (rate == 0 || now.After(l.alone))
	switch {
	case l.trial && !l.turns[l.open-1].flows: // it is still connecting
	case l.trial:
		l.decide(rate, now)
	case waiting && (!l.enough || rate < l.before*dropped):
		l.before, l.trial = rate, true
		l.open++
	case now.After(l.until): // see again how it is with one less, then with it
		l.open, l.enough = max(l.open-1, 1), false
	}
	l.restart(now)
}

// decide ends a trial.
func (l *lane) decide(rate float64, now time.Time) {
	l.trial = false
	l.until = now.Add(verdictLasts)
	l.enough = rate == 0 || rate < l.before*worthwhile
	if l.enough {
		l.open--
		return
	}
	if l.before == 0 {
		l.until = now.Add(stalledLasts) // any rate is more than that of a stalled one
	}
	l.before = rate
}

// restart begins a window, because who reads may have changed.
func (l *lane) restart(now time.Time) {
	l.since, l.bytes = now.Add(settleTime), 0
	close(l.changed)
	l.changed = make(chan struct{})
}

// reshuffle is restart when a trial, if there is one, cannot be judged any more.
func (l *lane) reshuffle(now time.Time) {
	if l.trial {
		l.trial = false
		l.open--
	}
	l.restart(now)
}

func (l *lane) enter(t *turn, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.lane, t.flows = l, false; l.alone.IsZero() {
		l.alone = now.Add(headStart)
	}
	at, _ := slices.BinarySearchFunc(l.turns, t.order, func(other *turn, order int64) int {
		return int(other.order - order)
	})
	l.turns = slices.Insert(l.turns, at, t)
	if at < l.open {
		l.reshuffle(now)
	}
}

func (l *lane) leave(t *turn, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.Index(l.turns, t)
	l.turns = slices.Delete(l.turns, at, at+1)
	if t.order > 0 {
		l.alone = now
	}
	if at < l.open {
		l.reshuffle(now)
	}
}

func (l *lane) came(t *turn, n int, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !t.flows {
		t.flows = true
		l.restart(now)
	}
	if !now.Before(l.since) {
		l.bytes += int64(n)
	}
}
