package worker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/queue"
)

// outbox keeps reports, in order, until they are in the ledger.
type outbox struct {
	worker, session string

	mu     sync.Mutex
	serial int       // owned by mu: of the last report
	kept   []*letter // owned by mu

	added chan struct{} // there is something to send
	moved chan struct{} // something was sent
}

// letter is one report under way.
type letter struct {
	spool.Report
	sent time.Time // or zero
	cut  bool      // it is in place of one that the queue does not carry
}

func newOutbox(worker, session string) *outbox {
	return &outbox{worker: worker, session: session, added: make(chan struct{}, 1), moved: make(chan struct{}, 1)}
}

// add keeps a report, to be sent soon.
func (o *outbox) add(r spool.Report) {
	o.mu.Lock()
	o.serial++
	r.Worker, r.Session, r.Serial = o.worker, o.session, o.serial
	o.kept = append(o.kept, &letter{Report: r})
	o.mu.Unlock()
	signal(o.added)
}

// next is the first report that was not sent, or so long ago that its answer
// must have been lost; nil when there is none.
func (o *outbox) next(patience time.Duration) *letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.kept {
		if l.sent.IsZero() || time.Since(l.sent) >= patience {
			return l
		}
	}
	return nil
}

func (o *outbox) mark(l *letter) {
	o.mu.Lock()
	l.sent = time.Now()
	o.mu.Unlock()
	signal(o.moved)
}

// refuse puts in place of a report that the queue will never carry one that
// says so: the job is broken, since what came of it will never be known. When
// not even that is carried, it waits as one without an answer, and holds up
// no other.
func (o *outbox) refuse(l *letter, why *spool.Error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l.cut {
		l.sent = time.Now()
		signal(o.moved)
		return
	}
	l.cut = true
	l.Report = spool.Report{
		JobKey: l.JobKey, Epoch: l.Epoch, Worker: l.Worker, Session: l.Session, Serial: l.Serial, Took: l.Took, Outcome: spool.Broke,
		Failure: &spool.Failure{
			Class: spool.Permanent, Code: why.Code, Hint: why.Hint,
			Reason: fmt.Sprintf("what came of the %s job cannot be reported: %s", l.Kind, why.Reason),
		},
	}
}

// accepted drops reports, and gives those among them that were the last of
// their jobs.
func (o *outbox) accepted(serials []int) []spool.Report {
	o.mu.Lock()
	defer o.mu.Unlock()
	var last []spool.Report
	o.kept = slices.DeleteFunc(o.kept, func(l *letter) bool {
		dropped := slices.Contains(serials, l.Serial)
		if dropped && l.Outcome != spool.Started && l.Outcome != spool.Arrived {
			last = append(last, l.Report)
		}
		return dropped
	})
	return last
}

func (o *outbox) empty() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.kept) == 0
}

// sent waits until every report was sent once, or ctx ends.
func (o *outbox) sent(ctx context.Context) {
	for {
		o.mu.Lock()
		unsent := slices.ContainsFunc(o.kept, func(l *letter) bool { return l.sent.IsZero() })
		o.mu.Unlock()
		if !unsent {
			return
		}
		select {
		case <-o.moved:
		case <-ctx.Done():
			return
		}
	}
}

// post sends reports until ctx ends.
func (w *Worker) post(ctx context.Context) {
	tick := time.NewTicker(w.cfg.Resend)
	defer tick.Stop()
	for {
		for l := w.outbox.next(w.cfg.Resend); l != nil && ctx.Err() == nil; l = w.outbox.next(w.cfg.Resend) {
			err := w.send(ctx, queue.ReportTopic, l.Report)
			switch e := spool.AsError(err); {
			case err == nil:
				w.outbox.mark(l)
			case e.Class == spool.Permanent:
				w.outbox.refuse(l, e)
			default:
				w.link.lost(err)
				_ = rest(ctx) // the loop looks at ctx
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-w.outbox.added:
		case <-tick.C:
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
