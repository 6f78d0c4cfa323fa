package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/memq"
)

// chance is a source of numbers that depends on the seed and on what is asked
// about, not on when: so what happens to a message is the same in every run of
// a seed, in whichever order goroutines get to it.
func chance(seed uint64, about ...any) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, about...)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// net is a queue engine at its worst: it drops, doubles, delays and so
// reorders what it carries, forgets everything, and is away.
type net struct {
	seed   uint64
	engine *memq.Queue

	mu    sync.Mutex
	calm  bool
	away  bool
	most  int                                  // bytes that it carries; 0: any
	drops func(topic string, body []byte) bool // what it loses beside all that; nil: nothing
	carry sync.WaitGroup                       // messages under way
	sent  map[string]int                       // in this instant, by sender and topic
	at    time.Time                            // the instant
}

func newNet(seed uint64) *net {
	return &net{seed: seed, engine: memq.New(), sent: map[string]int{}}
}

func (n *net) set(field *bool, value bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	*field = value
}

func (n *net) is(field *bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return *field
}

var errAway = errors.New("connection refused")

// send decides what becomes of a message: by who sends it, where to and when,
// so that one message more or less changes nothing for the others.
func (n *net) send(from, topic string, body []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away {
		return errAway
	}
	if n.most > 0 && len(body) > n.most {
		return queue.TooBig(len(body), n.most, "make the net wider")
	}
	if n.drops != nil && n.drops(topic, body) {
		return nil
	}
	if now := time.Now(); !now.Equal(n.at) {
		n.at, n.sent = now, map[string]int{}
	}
	label := topic
	if strings.HasPrefix(topic, "ping.") {
		label = "ping" // the rest is drawn by lot
	}
	n.sent[from+label]++
	luck := chance(n.seed, from, label, n.at.UnixNano(), n.sent[from+label])
	copies := 1
	slow := 5 * time.Millisecond
	if !n.calm {
		switch luck.IntN(20) {
		case 0:
			copies = 0
		case 1, 2:
			copies = 2
		case 3:
			slow = 8 * time.Second
		default:
			slow = 300 * time.Millisecond
		}
	}
	for range copies {
		wait := time.Duration(luck.Int64N(int64(slow))) + 1
		n.carry.Go(func() { n.deliver(topic, body, wait) })
	}
	return nil
}

// deliver brings a message to its topic after a while, and once the engine is
// there.
func (n *net) deliver(topic string, body []byte, wait time.Duration) {
	<-time.After(wait)
	for n.is(&n.away) {
		<-time.After(time.Second + wait%time.Millisecond)
	}
	_ = n.engine.Send(context.Background(), topic, body) // it is closed when the simulation has ended
}

// port is the queue as one process has it.
type port struct {
	net  *net
	name string

	mu     sync.Mutex
	dead   bool          // the process was killed: nothing leaves it any more
	frozen chan struct{} // closed when it wakes; nil: it is awake
}

var _ queue.Queue = (*port)(nil)

func (p *port) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
}

func (p *port) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen == nil && !p.dead {
		p.frozen = make(chan struct{})
	}
}

func (p *port) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
}

// awake waits until the process is not frozen.
func (p *port) awake() {
	p.mu.Lock()
	frozen := p.frozen
	p.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
}

func (p *port) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

func (p *port) Send(ctx context.Context, topic string, body []byte) error {
	p.awake()
	if p.isDead() {
		return errAway
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return p.net.send(p.name, topic, append([]byte{}, body...))
}

func (p *port) Receive(ctx context.Context, topic string) (queue.Delivery, error) {
	p.awake()
	d, err := p.net.engine.Receive(ctx, topic)
	p.awake() // what came meanwhile is read when it wakes
	return d, err
}

func (p *port) Close() error { return nil }
