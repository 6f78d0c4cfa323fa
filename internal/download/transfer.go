package download

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spool-video/spool"
)

// transfer is one Get. Its own goroutine fetches what is missing from the start
// on; aside fetches what somebody wants before its turn.
type transfer struct {
	client   *Client
	request  Request
	target   *url.URL
	part     *part
	tell     *teller
	aside    *aside
	restarts int
	spliced  bool // the part holds bytes of more than one answer
	turn     *turn
	held     bool // this attempt had to stop reading for a while
	renewals int  // since the last real progress
	plain    bool // the server's ranges are of no use but to resume

	// Of a file that has a Space:
	gives   atomic.Bool // bytes of it are given back
	holes   sync.Mutex  // held by who makes holes, or forgets all bytes; taken before the part's
	ranged  bool        // the server sends ranges, as its last answer says
	all     bool        // room for all that is missing is waited for
	until   int64       // there is room for bytes up to here
	granted int64       // so many of them are new
}

// ask is a request for bytes [from, to); to is -1 for all from there on.
type ask struct{ from, to int64 }

// all: it is no request for a range.
func (a ask) all() bool { return a.from == 0 && a.to < 0 }

const (
	// seam is how many bytes that are here already are asked for once more where
	// two answers meet, to see that they fit together.
	seam = 64
	// unknownSeam is the same where the server names no version of its file.
	unknownSeam = 4 << 10
	// lookups is how often a name is looked up in a row, when that fails at once.
	lookups = 3
	// leastCut is what a server must send of a range for it to be asked for the
	// next one at once, when it sends less than it is asked for.
	leastCut = 64 << 10
)

func newTransfer(c *Client, r Request, target *url.URL, p *part, progress func(done, total int64)) *transfer {
	t := &transfer{
		client: c, request: r, target: target, part: p, turn: &turn{free: r.Beside},
		tell: &teller{part: p, progress: progress, watcher: r.Watcher, shown: make(chan struct{})},
	}
	t.aside = newAside(t)
	return t
}

// run tries until the file is here or until more tries make no sense.
func (t *transfer) run(ctx context.Context) (Result, error) {
	defer t.aside.guide(ctx)()
	if err := errors.Join(t.resumes(), t.tell.begin()); err != nil {
		return Result{}, err
	}
	for tries := 1; ; tries++ {
		before := t.part.held()
		stop := t.spares(ctx)
		err := t.attempt(ctx)
		stop()
		if err == nil {
			err = t.verify()
		}
		if err == nil {
			res, err := t.conclude(ctx)
			if errors.Is(err, errIncomplete) {
				continue
			}
			return res, err
		}
		if saveErr := t.part.checkpoint(); saveErr != nil && (ofNetwork(spool.AsError(err)) || spool.AsError(err).Class != spool.Environment) {
			return Result{}, saveErr
		}
		if ctx.Err() != nil {
			return Result{}, context.Cause(ctx)
		}
		e := spool.AsError(err)
		if t.part.held()-before >= realProgress {
			tries, t.renewals = 0, 0
		}
		if t.held && (e.Code == "connection-lost" || e.Code == "short-body") {
			// The server lost patience with us, which is no fault of its own.
			tries--
			t.restarts = min(t.restarts, maxRestarts-1)
			continue
		}
		pause, err := t.rest(ctx, err, tries)
		if err != nil {
			return Result{}, err
		}
		if err := t.client.wait(ctx, pause); err != nil {
			return Result{}, err
		}
	}
}

// conclude makes a file of the complete part, unless bytes of it were given
// back.
func (t *transfer) conclude(ctx context.Context) (Result, error) {
	t.tell.flush(true)
	if t.part.gaveBack() {
		return t.settle(ctx)
	}
	return t.part.publish()
}

// rest gets ready for another try after a failure, and says how long to wait
// before it. Its error is why there is none.
func (t *transfer) rest(ctx context.Context, failure error, tries int) (time.Duration, error) {
	c, e := t.client, spool.AsError(failure)
	if e.Code == codeExpired && t.renewable() {
		return 0, t.renew(ctx)
	}
	pause := max(e.After, backoff(orInt(c.Backoff, defaultBackoff), max(tries, 1)))
	again := passing(e) && tries < orInt(c.Attempts, defaultAttempts) && e.After <= orInt(c.Patience, defaultPatience)
	switch e.Code {
	case codeNoHost:
		// Asked once more: a resolver that has only just come up knows nobody.
		again = tries < 2
	case codeDNS:
		// What takes longer the caller waits for, who can say so.
		again = again && tries < lookups && !slowLookup(failure)
	}
	if !again {
		return 0, failure
	}
	return pause, nil
}

// slowLookup: no name server answered, which took its time.
func slowLookup(err error) bool {
	de, ok := errors.AsType[*net.DNSError](err)
	return ok && de.IsTimeout
}

// attempt asks for what is missing, and keeps what comes, until that fails.
func (t *transfer) attempt(ctx context.Context) error {
	t.held = false
	if t.part.complete() {
		return nil
	}
	if err := t.resumable(); err != nil {
		return err
	}
	err := t.fetchAll(ctx)
	t.turn.drop()
	if trouble := t.aside.halt(); trouble != nil {
		err = trouble
	}
	if no, ok := errors.AsType[*misfit](err); ok {
		return t.refuse(no)
	}
	return err
}

func (t *transfer) fetchAll(ctx context.Context) error {
	for {
		next, urgent, ok, err := t.next(ctx)
		if err != nil || !ok {
			return err
		}
		err = t.fetchSome(ctx, next, urgent)
		if err != nil && !errors.Is(err, errWanted) && !errors.Is(err, errRoom) && !errors.Is(err, errNotYet) {
			return err
		}
	}
}

// fetchSome fetches as much of what is missing as there is room for.
func (t *transfer) fetchSome(ctx context.Context, a ask, urgent bool) error {
	a, done, err := t.admit(ctx, a, urgent)
	if err != nil {
		t.aside.unplan()
		return err
	}
	defer done()
	return t.fetch(ctx, a)
}

// next is what to ask for now, and whether somebody waits for it; not ok:
// nothing, the file is here.
func (t *transfer) next(ctx context.Context) (a ask, wanted, ok bool, err error) {
	for {
		woken := t.aside.wake()
		came := t.part.come()
		orders, err := t.aside.orders(came)
		if err != nil || t.part.complete() {
			return ask{}, false, false, err
		}
		if gap := came.Missing(orders.urgent); gap.Len() > 0 {
			return ask{gap.From, gap.To}, true, true, nil
		}
		if a, ok := t.missing(came, orders.claimed); ok {
			if !t.aside.plan(a, orders) {
				continue
			}
			return a, false, true, nil
		}
		// What is missing is on its way, by other connections.
		select {
		case <-woken:
		case <-ctx.Done():
			return ask{}, false, false, context.Cause(ctx)
		}
	}
}

// missing is the first gap that nobody fetches.
func (t *transfer) missing(came, claimed spool.Spans) (ask, bool) {
	here, length := t.part.spans(), t.part.Length
	a := ask{came.After(0), -1}
	if length >= 0 {
		gap := claimed.Missing(spool.Span{To: length})
		if gap.Len() == 0 {
			return ask{}, false
		}
		a.from = gap.From
		if gap.To < length {
			a.to = gap.To
		}
		if here.Has(spool.Span{From: gap.To, To: gap.To + seam}) {
			a.to += seam
		}
	}
	a.from -= t.overlap(here, a.from)
	if chunk := t.request.ChunkSize; chunk > 0 && !t.plain && (a.to < 0 || a.to > a.from+chunk) {
		a.to = a.from + chunk
		if length >= 0 {
			a.to = min(a.to, length)
		}
	}
	return a, true
}

// overlap is how many of the bytes before a place are asked for once more: a
// server that says nothing by which its file could be known again has to show
// that it has the same one.
func (t *transfer) overlap(here spool.Spans, at int64) int64 {
	if t.part.ETag != "" || t.part.LastModified != "" {
		return 0
	}
	for _, s := range here {
		if s.To == at {
			return min(s.Len(), unknownSeam)
		}
	}
	return 0
}

// resumable drops what is here when nothing could tell that the rest belongs
// to the same file.
func (t *transfer) resumable() error {
	p := t.part
	t.spliced = p.held() > 0
	if !t.spliced || p.ETag != "" || p.LastModified != "" || p.Length >= 0 {
		return nil
	}
	return t.restart("the connection was lost, and the server gives no means to resume")
}

// header asks for bytes of the file as it was, when there is a way to tell
// that it is still the same.
func (t *transfer) header(a ask) http.Header {
	h := t.request.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set("Accept-Encoding", "identity")
	if h.Get("User-Agent") == "" {
		h.Set("User-Agent", userAgent)
	}
	if a.all() {
		return h
	}
	h.Set("Range", fmt.Sprintf("bytes=%d-", a.from))
	if a.to >= 0 {
		h.Set("Range", fmt.Sprintf("bytes=%d-%d", a.from, a.to-1))
	}
	switch p := t.part; {
	case p.ETag != "" && !strings.HasPrefix(p.ETag, "W/"): // RFC 9110 13.1.5: no weak ones
		h.Set("If-Range", p.ETag)
	case p.LastModified != "":
		h.Set("If-Range", p.LastModified)
	}
	return h
}

// verify compares the complete file with what was expected of it. A file that
// is not the right one is dropped; one of several answers is fetched anew.
func (t *transfer) verify() error {
	p := t.part
	if t.request.Size > 0 && p.Length != t.request.Size {
		wrong := t.wrongSize(p.Length)
		return errors.Join(wrong, t.forget(wrong))
	}
	sum, err := p.sha256()
	if err != nil {
		return err
	}
	differs := func(want string) bool { return want != "" && !strings.EqualFold(sum, want) }
	if !differs(t.request.SHA256) && !differs(p.SHA256) {
		return nil
	}
	if t.spliced || t.aside.used {
		t.plain = true
		return t.refuse(&misfit{"checksum", "the file's checksum is not the expected one"})
	}
	wrong := t.wrongSum(sum)
	return errors.Join(wrong, t.forget(wrong))
}

// misfit is what came and does not belong to the bytes that are here. Whoever
// finds it stops; attempt begins anew when all connections have ended.
type misfit struct{ code, reason string }

func (m *misfit) Error() string { return m.reason }

// refuse drops all bytes, because what comes does not fit to them.
func (t *transfer) refuse(no *misfit) error {
	// A second time, or where ranges are wrong, it comes in one answer.
	t.plain = t.plain || no.code == "bad-range" || t.restarts > 0
	if err := t.restart(no.reason); err != nil {
		return err
	}
	return transient(no.code, no.reason)
}

// restart forgets what is here; it fails when that happened too often.
func (t *transfer) restart(why string) error {
	_ = t.aside.halt() // it speaks of what is dropped here
	if err := t.forget(transient("source-changed", why)); err != nil {
		return err
	}
	t.spliced, t.aside.used = false, false
	return t.again(why)
}

// forget drops all bytes, and tells whoever has read them why.
func (t *transfer) forget(why error) error {
	t.holes.Lock()
	defer t.holes.Unlock()
	t.tell.reset(why)
	return t.part.reset()
}

// again counts how often the download has begun anew.
func (t *transfer) again(why string) error {
	t.restarts++
	if t.restarts > maxRestarts {
		return &spool.Error{
			Class: spool.Permanent, Code: "source-unstable",
			Reason: fmt.Sprintf("the download began anew %d times: %s", maxRestarts, why),
			Hint:   "download the file with a browser and give its path",
		}
	}
	return nil
}
