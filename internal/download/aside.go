package download

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spool-video/spool"
)

const (
	// mostAside is how many connections a file has besides its main one.
	mostAside = 2
	// nearby is what is not asked for out of its turn, bytes, besides what the
	// main connection brings within a second.
	nearby = 64 << 10
	// What is fetched out of its turn at once: what comes in two seconds, from
	// leastAhead to mostAhead bytes. Then something else may be wanted more.
	leastAhead = 256 << 10
	mostAhead  = 8 << 20
	// aheadTries is how often in a row that may fail before it is given up.
	aheadTries = 5
)

var (
	// errWanted ends an answer because other bytes are wanted first.
	errWanted = errors.New("other bytes are wanted first")
	// errNoRanges: the server does not send the ranges that it is asked for.
	errNoRanges = errors.New("the server sends no ranges")
)

// aside fetches what is wanted before its turn, by connections beside the main
// one. Where the host has no room for them the main one is cut and fetches it.
type aside struct {
	transfer *transfer
	group    sync.WaitGroup // the guide, and the connections

	mu       sync.Mutex // guards the rest
	allowed  bool       // the server's answer lets it be tried
	off      bool       // it is not tried any more
	used     bool       // bytes may have come so
	proved   bool       // the server says that it sends ranges, or did
	length   int64      // of the file
	claims   []*claim
	trouble  error // what ends the attempt: a *misfit, or our disk's
	changes  int   // how often the file was found to be another one
	failures int   // in a row
	refused  bool  // one was told that the link has expired
	until    time.Time
	woken    chan struct{} // closed and renewed when a claim ended, or something is urgent

	cut    context.CancelCauseFunc // ends the main request; nil = there is none
	wait   context.CancelCauseFunc // ends its wait for room; nil = it does not wait
	main   spool.Span              // from its next byte to its end, -1 when that is the file's
	plans  bool                    // main is what it is about to ask for
	opened int                     // so many claims there have been
	rate   meter                   // of its bytes
	all    meter                   // of all connections' bytes
	urgent spool.Span              // what the main connection is to fetch first
	serves bool                    // it is what the main connection fetches
}

// claim is what a connection beside the main one fetches.
type claim struct {
	spool.Span
	cancel  context.CancelFunc
	dropped bool // for what is wanted more
}

func newAside(t *transfer) *aside { return &aside{transfer: t, woken: make(chan struct{})} }

// guide looks after what the watcher wants, until stop has returned.
func (a *aside) guide(ctx context.Context) (stop func()) {
	if a.transfer.request.Watcher == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	a.group.Go(func() { a.look(ctx) })
	return func() {
		cancel()
		a.group.Wait()
	}
}

func (a *aside) look(ctx context.Context) {
	select {
	case <-a.transfer.tell.shown: // nobody reads before
	case <-ctx.Done():
		return
	}
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	for {
		changed, woken := a.transfer.request.Watcher.Changed(), a.wake()
		wants := a.transfer.request.Watcher.Wanted()
		a.transfer.tell.flush(len(wants) > 0) // perhaps it is here
		for _, want := range wants {
			a.serve(ctx, want)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-woken:
		case <-ticker.C:
		}
	}
}

func (a *aside) wake() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.woken
}

// serve opens a connection for what is wanted, when that is worth one.
func (a *aside) serve(ctx context.Context, want spool.Span) {
	if a.transfer.part.lacks(want) && slices.Contains(a.transfer.request.Watcher.Wanted(), want) {
		a.transfer.part.recall(want)
	}
	here := a.transfer.part.come()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.allowed || a.urgent.Len() > 0 || time.Now().Before(a.until) || ctx.Err() != nil {
		return
	}
	gap := here.Missing(spool.Span{From: max(want.From, 0), To: min(want.To, a.length)})
	if gap.Len() == 0 || a.soon(gap.From) {
		return
	}
	to := gap.From + min(max(int64(2*a.all.now()), leastAhead), mostAhead)
	if a.transfer.request.Space != nil {
		to = min(to, want.To)
	}
	if chunk := a.transfer.request.ChunkSize; chunk > 0 {
		to = min(to, gap.From+max(chunk-seam, 1))
	}
	c := &claim{Span: a.claimed(here).Missing(spool.Span{From: gap.From, To: min(to, a.length)})}
	if c.From != gap.From || c.Len() == 0 {
		return // it is on its way
	}
	if len(a.claims) == mostAside {
		a.makeRoom(c.Span)
		return
	}
	ctx, c.cancel = context.WithCancel(ctx)
	a.claims, a.used, a.opened = append(a.claims, c), true, a.opened+1
	a.group.Go(func() {
		defer c.cancel()
		a.ended(c, a.transfer.fetchAside(ctx, c.Span))
	})
}

// soon: the main connection brings the byte at once, or will.
func (a *aside) soon(at int64) bool {
	reach := a.main.From + nearby + int64(a.rate.now())
	return (a.cut != nil || a.plans) && a.main.From <= at && at <= reach && (a.main.To < 0 || at < a.main.To)
}

// claimed are the bytes of here and those that are on their way, beside the
// main connection.
func (a *aside) claimed(here spool.Spans) spool.Spans {
	for _, c := range a.claims {
		here = here.Add(c.Span)
	}
	return here
}

// ended notes how a connection ended.
func (a *aside) ended(c *claim, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.claims = slices.DeleteFunc(a.claims, func(other *claim) bool { return other == c })
	if c.dropped {
		a.until = time.Time{}
	}
	a.judge(c, err)
	a.wakeAll()
}

// wakeAll has who waits look again. The caller holds mu.
func (a *aside) wakeAll() {
	close(a.woken)
	a.woken = make(chan struct{})
}

// rouse has who waits for bytes that are on their way look again.
func (a *aside) rouse() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wakeAll()
}

func (a *aside) judge(c *claim, err error) {
	e := spool.AsError(err)
	no, isMisfit := errors.AsType[*misfit](err)
	switch {
	case isMisfit:
		a.changes++
		a.off = a.off || no.code != "source-changed" || a.changes > 1
		a.fail(err)
	case !a.allowed, c.dropped: // it was told to end
	case err == nil:
		a.failures, a.proved, a.refused = 0, true, false
	case errors.Is(err, errBusy):
		a.makeRoom(c.Span)
	case a.expired(err):
		a.fail(err)
	case e.Code == codeTooLarge:
		a.fail(err)
	case errors.Is(err, errNoRanges), e.Class == spool.Permanent:
		a.off, a.allowed = true, false // the main connection will see for itself
	case e.Class == spool.Environment && !ofNetwork(e):
		a.fail(err)
	default:
		a.failures++
		a.until = time.Now().Add(max(e.After, backoff(orInt(a.transfer.client.Backoff, defaultBackoff), a.failures)))
		a.off = a.off || a.failures == aheadTries
		a.allowed = !a.off
	}
}

// makeRoom gives up another connection for what is wanted: one for bytes that
// nobody waits for any more, or, if it is the only one, the main one. That is
// not cut in the mere hope that the server sends ranges, and goes on with what
// somebody else waits for.
func (a *aside) makeRoom(wanted spool.Span) {
	if len(a.claims) == 0 && a.proved {
		a.urgent = wanted
		if !a.serves {
			a.stopMain(errWanted)
		}
		return
	}
	a.until = time.Now().Add(tellEvery)
	wants := a.transfer.request.Watcher.Wanted()
	for _, c := range a.claims {
		if !slices.ContainsFunc(wants, c.overlaps) {
			c.dropped = true
			c.cancel()
			return
		}
	}
}

func (c *claim) overlaps(s spool.Span) bool { return c.From < s.To && s.From < c.To }

// fail ends the attempt.
func (a *aside) fail(err error) {
	a.trouble, a.allowed = err, false
	a.stopMain(err)
}

func (a *aside) stopMain(why error) {
	for _, end := range []context.CancelCauseFunc{a.cut, a.wait} {
		if end != nil {
			end(why)
		}
	}
}

// waits notes that the main connection waits for room, until end is called.
func (a *aside) waits(end context.CancelCauseFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wait = end
}

// recalled has the main connection fetch what is missing again.
func (a *aside) recalled() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopMain(errWanted)
	a.wakeAll()
}

// stumble ends the attempt, for what went wrong beside it.
func (a *aside) stumble(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail(err)
}

// start lets ranges be asked for, of a file whose part is here, when the
// server may have some.
func (a *aside) start(resp *http.Response) {
	t := a.transfer
	ranges := strings.ToLower(strings.TrimSpace(resp.Header.Get("Accept-Ranges")))
	a.mu.Lock()
	defer a.mu.Unlock()
	a.allowed = !a.off && ranges != "none" && !t.plain && t.part.Length > 0
	a.proved = a.proved || ranges == "bytes" || resp.StatusCode == http.StatusPartialContent
	a.length = t.part.Length
}

// halt ends all connections but the main one, and gives the trouble that they
// had.
func (a *aside) halt() (trouble error) {
	for {
		a.mu.Lock()
		if trouble == nil {
			trouble = a.trouble
		}
		a.allowed, a.trouble, a.urgent = false, nil, spool.Span{}
		for _, c := range a.claims {
			c.cancel()
		}
		woken, idle := a.woken, len(a.claims) == 0
		a.mu.Unlock()
		if idle {
			return trouble
		}
		<-woken
	}
}

// plan notes what the main connection is about to ask for, as its orders were;
// false: by now another one may fetch it.
func (a *aside) plan(what ask, o orders) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.opened != o.opened {
		return false
	}
	a.plans, a.main = true, spool.Span{From: what.from, To: what.to}
	return true
}

// unplan: it does not ask for it, or not yet.
func (a *aside) unplan() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.plans = false
}

// goes notes the main request, which cut ends.
func (a *aside) goes(cut context.CancelCauseFunc, what ask) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cut, a.plans, a.main = cut, false, spool.Span{From: what.from, To: what.to}
	a.serves = a.urgent.From <= what.from && 0 <= what.to && what.to <= a.urgent.To
	a.urgent = spool.Span{}
}

// moved notes that n bytes came of the main request, up to a place.
func (a *aside) moved(at int64, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.main.From = at
	a.rate.came(n)
	a.all.came(n)
}

// besides notes that n bytes came of another request.
func (a *aside) besides(_ int64, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all.came(n)
}

// rests notes that the main request has ended, and tells why if that was
// trouble of another connection.
func (a *aside) rests() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cut, a.serves = nil, false
	return a.trouble
}

// orders are what the main connection has to know before it asks.
type orders struct {
	urgent  spool.Span
	claimed spool.Spans // what is here or on its way by others
	opened  int         // claims so far
}

// orders gives them, or what ends the attempt.
func (a *aside) orders(here spool.Spans) (orders, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return orders{a.urgent, a.claimed(here), a.opened}, a.trouble
}
