package download

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/spool-video/spool"
)

// stream is the body of one answer on its way into the part.
type stream struct {
	body    io.Reader
	turn    *turn
	asked   ask
	at      int64                 // place of the next one
	to      int64                 // where the body must end; -1 = unknown
	through bool                  // read on where the bytes are here already: nothing else comes
	known   int64                 // so many of the last bytes were here already
	fresh   int64                 // so many were not
	moved   func(at int64, n int) // is told of n bytes up to a place
	held    bool                  // it had to stop reading for a while
	besides bool                  // its bytes are wanted out of their turn
}

// fetch asks for bytes, and keeps what comes. It ends early when what follows
// is here already; with errWanted when something else is wanted first, and with
// errNotYet when it has to wait.
func (t *transfer) fetch(ctx context.Context, a ask) error {
	ctx, w := newWatch(ctx, t.client)
	defer w.stop()
	t.aside.goes(w.cancel, a)
	err := t.answer(ctx, w, a)
	if trouble := t.aside.rests(); trouble != nil {
		return trouble
	}
	if cause := context.Cause(ctx); errors.Is(cause, errWanted) {
		return cause
	}
	return err
}

func (t *transfer) answer(ctx context.Context, w *watch, a ask) (err error) {
	t.turn.keep = false
	resp, release, err := t.client.open(ctx, w, t.turn, t.target, t.header(a)) //nolint:bodyclose // release closes it
	if err != nil {
		return t.netFault(ctx, err)
	}
	t.turn.drop() // kept for a host that was not asked
	defer func() {
		t.turn.keep = err == nil || errors.Is(err, errNotYet) || errors.Is(context.Cause(ctx), errWanted)
		release()
	}()
	s, err := t.accept(ctx, resp, a)
	if err != nil || s == nil {
		return err
	}
	s.body, s.turn, s.moved = watched{resp.Body, w}, t.turn, t.aside.moved
	if s.at == 0 {
		if s.body, err = t.sniffed(ctx, s.body); err != nil {
			return err
		}
	}
	t.aside.start(resp)
	err = t.receive(ctx, s)
	t.held = t.held || s.held
	if err != nil {
		return err
	}
	return t.ended(s)
}

// fetchAside is fetch for what is wanted out of its turn.
func (t *transfer) fetchAside(ctx context.Context, span spool.Span) error {
	if room := t.request.Space; room != nil {
		n, err := room.Room(ctx, span.Len(), min(span.Len(), askLeast), true, func() {})
		if err != nil {
			return err
		}
		defer func() { room.Held(t.part.spans().Len(), n) }()
		// Some of it may have come meanwhile.
		if span = t.part.come().Missing(spool.Span{From: span.From, To: span.From + n}); span.Len() == 0 {
			return nil
		}
	}
	ctx, w := newWatch(ctx, t.client)
	defer w.stop()
	w.stall /= 3 // somebody waits, and the main connection may get there
	a := ask{span.From, span.To}
	if a.from >= seam && t.part.spans().Has(spool.Span{From: a.from - seam, To: a.from}) {
		a.from -= seam
	}
	turn := t.turn.before()
	resp, release, err := t.client.open(ctx, w, turn, t.target, t.header(a)) //nolint:bodyclose // release closes it
	switch {
	case errors.Is(err, errBusy):
		return err
	case err != nil:
		return t.netFault(ctx, err)
	}
	defer release()
	s, err := t.acceptAside(resp, a)
	if err != nil {
		return err
	}
	s.body, s.turn, s.moved, s.besides = watched{resp.Body, w}, turn, t.aside.besides, true
	if err := t.receive(ctx, s); err != nil {
		return err
	}
	return t.ended(s)
}

// sniffed gives a file's beginning back, unless it is no video.
func (t *transfer) sniffed(ctx context.Context, body io.Reader) (io.Reader, error) {
	head, err := readHead(body)
	if err != nil {
		return nil, t.netFault(ctx, err)
	}
	if is := Sniff(head); len(head) > 0 && is != nil {
		return nil, t.notMedia(is)
	}
	return io.MultiReader(bytes.NewReader(head), body), nil
}

// receive keeps the body up to its end, or up to where the next bytes are here.
func (t *transfer) receive(ctx context.Context, s *stream) error {
	buf := make([]byte, 256<<10)
	for {
		if t.hangsUp(s) {
			return errNotYet
		}
		held, err := s.turn.wait(ctx)
		if err != nil {
			return t.netFault(ctx, err)
		}
		s.held = s.held || held
		if err := t.extend(ctx, s); err != nil {
			return err
		}
		saved := t.part.saveIdle()
		n, err := s.body.Read(t.some(s, buf))
		if saveErr := saved(); saveErr != nil {
			return saveErr
		}
		s.turn.came(n)
		if keepErr := t.keep(s, buf[:n]); keepErr != nil {
			return keepErr
		}
		if errors.Is(err, io.EOF) || t.met(s) || t.enough(s) {
			return nil
		}
		if err != nil {
			return t.netFault(ctx, err)
		}
	}
}

// errNotYet ends an answer whose turn is over before its bytes are.
var errNotYet = errors.New("other downloads go first")

// buffered is more than the buffers of a connection hold as a rule.
const buffered = 8 << 20

// hangsUp: an answer has to wait for other downloads, and there is more of it
// than buffers hold. They would fill up meanwhile, from the link that is needed
// for those that go first; the rest is asked for later.
func (t *transfer) hangsUp(s *stream) bool {
	if s.turn == nil || s.turn.free || s.besides || !t.ranged || t.plain || s.to-s.at < buffered {
		return false
	}
	return s.turn.lane.behind(s.turn, time.Now())
}

// met: what the rest of the body brings is here, and fits to it.
func (t *transfer) met(s *stream) bool {
	return !s.through && s.known >= seam && s.at != s.to && t.part.come().After(s.at) > s.at
}

// readHead reads what Sniff looks at, less at the end of the body. Unlike
// io.ReadFull it tells a body that ended from one that was cut.
func readHead(body io.Reader) ([]byte, error) {
	head := make([]byte, 0, sniffLength)
	for len(head) < cap(head) {
		n, err := body.Read(head[len(head):cap(head)])
		head = head[:len(head)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return head, nil
}

// keep writes bytes of the body and, now and then, makes them durable.
func (t *transfer) keep(s *stream, b []byte) error {
	p := t.part
	end := s.at + int64(len(b))
	if s.to >= 0 && end > s.to {
		return &misfit{"too-long", sanitise(t.target.Host) + " sent more bytes than it announced"}
	}
	if limit := t.limit(); limit > 0 && end > limit {
		return t.tooLarge()
	}
	if len(b) == 0 {
		return nil
	}
	known, err := p.put(b, s.at)
	if err != nil {
		return err
	}
	if known < int64(len(b)) {
		s.known = 0
	}
	s.known += known
	s.fresh += int64(len(b)) - known
	came := spool.Span{From: s.at, To: end}
	s.at = end
	s.moved(end, len(b))
	if p.due(orInt(t.client.Checkpoint, defaultCheckpoint), checkpointEvery) {
		if err := p.checkpoint(); err != nil {
			return err
		}
	}
	return t.tell.came(came)
}

// ended judges a body that came to its end, or was left because the rest of it
// is here.
func (t *transfer) ended(s *stream) error {
	p := t.part
	whole := s.at == s.to // as far as the server had announced it
	switch {
	case p.held() == 0:
		return t.empty()
	case t.enough(s):
		return nil
	case p.Length < 0 && (s.to < 0 || whole && s.at != s.asked.to):
		p.sized(s.at) // who does not tell it before tells it by the end
		return nil
	case p.come().After(s.at) > s.at:
		return nil
	case whole && (s.at >= t.end(s.asked) || s.fresh >= leastCut):
		return nil // a smaller part than was asked for is as good
	}
	return transient("short-body", sanitise(t.target.Host)+" sent fewer bytes than it announced"+t.at())
}

// end is where the bytes that were asked for end; -1 when that is not known.
func (t *transfer) end(a ask) int64 {
	if a.to >= 0 {
		return a.to
	}
	return t.part.Length
}
