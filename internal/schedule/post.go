package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/queue"
)

// How long the queue may take to have a message, and how long the scheduler
// waits before it tries one again that is away.
const (
	sendDeadline = 10 * time.Second
	between      = time.Second
)

// post sends messages, those of one topic in their order. Whoever has one sent
// does not wait: the queue may be away, and what it loses is made up for. A job
// that the queue will never carry is told of.
type post struct {
	ctx     context.Context //nolint:containedctx // it is that of Run, which waits for the post
	queue   queue.Queue
	refused chan spool.Report // jobs that the queue does not carry, for Run's loop

	going sync.WaitGroup
	mu    sync.Mutex
	lines map[string][]letter // owned by mu: what waits, by topic; a topic that is here is being sent
	err   error               // owned by mu: what the last message came to
}

// letter is a message on its way.
type letter struct {
	body   []byte
	worker string
	job    *spool.Job // that it brings; nil: it brings none
}

func newPost(ctx context.Context, q queue.Queue) *post {
	return &post{ctx: ctx, queue: q, refused: make(chan spool.Report), lines: map[string][]letter{}}
}

// most is how many messages wait for one topic before the oldest are dropped.
const most = 1 << 12

// send puts a message in line.
func (p *post) send(topic string, l letter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line, busy := p.lines[topic]
	if len(line) >= most {
		line = line[1:]
	}
	p.lines[topic] = append(line, l)
	if !busy {
		p.going.Go(func() { p.empty(topic) })
	}
}

// empty sends what is in a line until it is empty.
func (p *post) empty(topic string) {
	for {
		p.mu.Lock()
		line := p.lines[topic]
		if len(line) == 0 || p.ctx.Err() != nil {
			delete(p.lines, topic)
			p.mu.Unlock()
			return
		}
		p.lines[topic] = line[1:]
		p.mu.Unlock()
		ctx, cancel := context.WithTimeout(p.ctx, sendDeadline)
		err := p.queue.Send(ctx, topic, line[0].body)
		cancel()
		if e := spool.AsError(err); e != nil && e.Class == spool.Permanent {
			p.refuse(line[0], e)
			continue
		}
		p.mu.Lock()
		p.err = err
		p.mu.Unlock()
	}
}

// refuse tells of a job that cannot be sent, now or later. What is done of its
// video is not to blame for that: a person can go on from there when the queue
// carries more, so it counts as what passes.
func (p *post) refuse(l letter, why *spool.Error) {
	if l.job == nil {
		return // it is said again, or is not missed
	}
	r := brokenOrder(l.worker, l.job, &spool.Error{
		Class: spool.Transient, Code: why.Code, Hint: why.Hint,
		Reason: fmt.Sprintf("the %s job cannot be sent to a worker: %s", l.job.Kind, why.Reason),
	})
	select {
	case p.refused <- r:
	case <-p.ctx.Done():
	}
}

// waiting: something is in line for a topic.
func (p *post) waiting(topic string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, busy := p.lines[topic]
	return busy
}

// trouble is what the last message came to.
func (p *post) trouble() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// wait waits until nothing is being sent; the context has ended.
func (p *post) wait() { p.going.Wait() }

// stop has a worker stop a job, and remembers it: the word may be lost.
func (s *Scheduler) stop(worker string, key spool.JobKey, epoch int) {
	if h, out := s.out[key]; out && h.worker == worker && h.epoch == epoch {
		h.stopped = true
		s.out[key] = h
	}
	s.send(worker, queue.Message{Stop: &spool.Stop{JobKey: key, Epoch: epoch}})
}

// send sends a message to a worker, soon.
func (s *Scheduler) send(worker string, m queue.Message) {
	body, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Errorf("encode message for %s: %w", worker, err)) // it is made of texts and numbers
	}
	s.post.send(queue.WorkTopic(worker), letter{body: body, worker: worker, job: m.Job})
}

// echo is how the scheduler hears whether the queue carries anything: it sends
// messages to itself.
type echo struct {
	topic  string
	serial int
	under  map[int]time.Time // pings that are under way, and when they were sent
	last   time.Time         // when the last one was sent
	heard  time.Time         // when the newest one that came back was sent
	hears  bool
	away   bool // Away was told so
}

// pingEvery is how often the scheduler pings: several times in the time that a
// worker may be silent, 2 s of 15.
func (s *Scheduler) pingEvery() time.Duration { return s.Lease * 2 / 15 }

// deafAfter is how old the newest ping that came back may be before the
// scheduler hears nothing: much less than a lease, which would else end before
// anybody notices that the queue is away.
func (s *Scheduler) deafAfter() time.Duration { return 3 * s.pingEvery() }

// ping sends a message to itself, when it is time.
func (s *Scheduler) ping(now time.Time) {
	e := &s.echo
	if !e.last.IsZero() && now.Sub(e.last) < s.pingEvery() || s.post.waiting(e.topic) {
		return
	}
	e.serial++
	e.last, e.under[e.serial] = now, now
	s.post.send(e.topic, letter{body: strconv.AppendInt(nil, int64(e.serial), 10)})
}

// heardPing notes that a ping came back.
func (s *Scheduler) heardPing(serial int) {
	sent, known := s.echo.under[serial]
	if !known {
		return // it came twice, or is another scheduler's
	}
	for n := range s.echo.under {
		if n <= serial {
			delete(s.echo.under, n)
		}
	}
	s.echo.heard = sent
}

// listen reports whether the queue carries messages. All leases begin anew when
// it does again.
func (s *Scheduler) listen(now time.Time) bool {
	e := &s.echo
	hears := !e.heard.IsZero() && now.Sub(e.heard) <= s.deafAfter()
	switch {
	case hears && !e.hears:
		s.renew(now)
		if e.away {
			e.away = false
			s.Away(nil)
		}
	case !hears && !e.away && now.Sub(s.began) > s.deafAfter():
		e.away = true
		err := s.post.trouble()
		if err == nil {
			err = errors.New("nothing comes through the queue")
		}
		s.Away(err)
	}
	e.hears = hears
	return hears
}

// received is a message with its acknowledgement, which follows the commit.
type received[T any] struct {
	body T
	ack  func(context.Context) error
}

// receive decodes the messages of a topic into a channel until ctx ends. A
// message that cannot be read is dropped: the ledger still has its job as out.
func receive[T any](ctx context.Context, s *Scheduler, topic string, to chan<- received[T]) error {
	for {
		d, err := s.Queue.Receive(ctx, topic)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, queue.ErrClosed) {
			return fmt.Errorf("receive %s: %w", topic, err)
		}
		if err != nil { // it is away; pings tell so
			s.Log.DebugContext(ctx, "queue.silent", "topic", topic, "error", err)
			t := time.NewTimer(between)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
			}
			continue
		}
		m := received[T]{ack: d.Ack}
		if json.Unmarshal(d.Body, &m.body) != nil {
			s.settled(ctx, d.Ack)
			continue
		}
		select {
		case to <- m:
		case <-ctx.Done():
			return nil
		}
	}
}
