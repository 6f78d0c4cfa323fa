package fleettest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/brokertest"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/ledger/sqliteledger"
	"github.com/spool-video/spool/internal/process"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/schedule"
)

// plan is how large a fleet is, and what it has to do.
type plan struct {
	videos, parts  int           // so many videos, each with so many chunks
	workers, slots int           // of each worker
	took           time.Duration // a job takes so long
	lease          time.Duration // 0: as in life
	thrice         bool          // every message comes three times
}

// patience is how long the fleet may take to get on. It only ends hangs.
const patience = 8 * time.Minute

// fleet is one scheduler and workers, each a process of its own.
type fleet struct {
	*testing.T
	plan
	places
	engine    Engine
	dir       string
	address   string             // of the engine
	broker    *brokertest.Broker // nil: it is the scheduler's
	ways      []*brokertest.Way  // from each worker to the engine
	ledger    *sqliteledger.Ledger
	audit     *audit
	scheduler *member
	workers   []*member
	accepted  int // videos
	kills     int // of workers
}

// places says where workers live.
type places struct {
	// enter is a command that runs another one there, before that one's words.
	// Empty: on the machine of the engine.
	enter []string
	host  string // the engine's, as it is called from there
}

// nearby is the machine of the engine.
var nearby = places{}

// newFleet starts one with all its work before it, and its workers in places.
func newFleet(t *testing.T, e Engine, p plan, where places) *fleet {
	t.Helper()
	f := &fleet{T: t, plan: p, engine: e, places: where, dir: t.TempDir(), workers: make([]*member, p.workers)}
	if e.Start == nil {
		f.address = freeAddress(t)
	} else {
		f.broker = e.Start(t)
		f.address = f.broker.Address
	}
	if err := keys.MakeFleet(f.part().fleetKey()); err != nil {
		t.Fatal(err)
	}
	var err error
	if f.ledger, err = sqliteledger.Open(t.Context(), f.part().ledger()); err != nil {
		t.Fatal(err)
	}
	f.audit = newAudit(t, f.part().ledger())
	t.Cleanup(func() {
		if err := f.ledger.Close(); err != nil {
			t.Error(err)
		}
	})
	f.accept(p.videos)
	f.schedule()
	for i := range f.workers {
		f.ways = append(f.ways, brokertest.NewWay(t, f.address))
		f.hire(i)
	}
	return f
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing was done with it
	return l.Addr().String()
}

// accept gives the fleet so many more videos to make.
func (f *fleet) accept(videos int) {
	f.Helper()
	var recs []ledger.Record
	for range videos {
		id := fmt.Sprintf("v%d", f.accepted)
		f.accepted++
		v := spool.Video{ID: id, Canonical: id, Source: canarySource + id, Settings: spool.Settings{Encrypt: true}}
		recs = append(recs, schedule.NewRecord(v, time.Now()))
	}
	if err := f.ledger.Accept(f.Context(), recs...); err != nil {
		f.Fatal(err)
	}
}

func (f *fleet) part() part {
	return part{URL: f.engine.Scheme + "://" + f.address, Dir: f.dir, Slots: f.slots, Parts: f.parts, Took: f.took, Lease: f.lease, Thrice: f.thrice, Clear: f.engine.Clear}
}

// schedule starts a scheduler, in place of one that was killed.
func (f *fleet) schedule() {
	f.Helper()
	f.scheduler = f.start(f.part())
}

// hire starts a worker in a place that is free, under the name of the place.
func (f *fleet) hire(place int) { f.hireAs(place, fmt.Sprintf("w%d", place)) }

func (f *fleet) hireAs(place int, name string) {
	f.Helper()
	p := f.part()
	p.Worker, p.URL = name, f.engine.Scheme+"://"+f.ways[place].Address
	if f.host != "" {
		_, port, _ := net.SplitHostPort(f.address)
		p.URL = f.engine.Scheme + "://" + net.JoinHostPort(f.host, port)
	}
	f.workers[place] = f.start(p)
}

// member is one process of the fleet.
type member struct {
	name  string
	pid   chan int // it says so itself, once
	stop  context.CancelFunc
	ended chan struct{}

	mu     sync.Mutex
	wanted bool // guarded by mu: it was killed
}

func (f *fleet) start(p part) *member {
	f.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		f.Fatal(err)
	}
	m := &member{name: p.Worker, pid: make(chan int, 1), ended: make(chan struct{})}
	if m.name == "" {
		m.name = "scheduler"
	}
	var ctx context.Context
	ctx, m.stop = context.WithCancel(context.Background())
	program, err := os.Executable()
	if err != nil {
		f.Fatal(err)
	}
	words := []string{program}
	if p.Worker != "" {
		words = append(slices.Clone(f.enter), program)
	}
	child, err := process.Start(ctx, process.Command{
		Path: words[0], Args: words[1:], Dir: f.dir, Env: []string{partVariable + "=" + string(text), "GORACE=" + os.Getenv("GORACE")},
		Stdout: &pidReader{to: m.pid}, Grace: time.Nanosecond,
	})
	if err != nil {
		m.stop()
		f.Fatal(err)
	}
	go func() {
		defer close(m.ended)
		err := child.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		if !m.wanted {
			f.Errorf("%s ended by itself: %v\n%s", m.name, err, child.Stderr())
		}
	}()
	f.Cleanup(func() { m.kill(f.T) })
	return m
}

// pidReader hears a process say its number.
type pidReader struct {
	to   chan<- int
	line []byte
	done bool
}

func (r *pidReader) Write(p []byte) (int, error) {
	if r.line = append(r.line, p...); r.done {
		return len(p), nil
	}
	if text, _, whole := strings.Cut(string(r.line), "\n"); whole {
		r.done = true
		if pid, err := strconv.Atoi(text); err == nil {
			r.to <- pid
		}
	}
	return len(p), nil
}

// kill ends a process at once, and waits until it is gone.
func (m *member) kill(t *testing.T) {
	t.Helper()
	m.mu.Lock()
	m.wanted = true
	m.mu.Unlock()
	m.stop()
	<-m.ended
}

// kill kills the worker in a place.
func (f *fleet) kill(place int) {
	f.Helper()
	f.kills++
	f.workers[place].kill(f.T)
}

// freeze stops a process in the middle of whatever it does.
func (m *member) freeze(t *testing.T) { m.signal(t, syscall.SIGSTOP) }

// wake has it go on.
func (m *member) wake(t *testing.T) { m.signal(t, syscall.SIGCONT) }

func (m *member) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	select {
	case pid := <-m.pid:
		m.pid <- pid
		if err := syscall.Kill(pid, s); err != nil {
			t.Fatal(err)
		}
	case <-m.ended:
		t.Fatalf("%s has ended", m.name)
	}
}

// await waits until something is so.
func (f *fleet) await(what string, so func() bool) {
	f.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !so() {
		select {
		case <-tick.C:
		case <-late:
			f.Fatalf("no end of waiting for %s: %s", what, f.state())
		}
	}
}

// rest lets the fleet work for a while.
func (f *fleet) rest(d time.Duration) {
	if err := queue.Wait(f.Context(), d); err != nil {
		f.Fatal(err)
	}
}

// jobs is how many there are: of each video the chunks, the sound, a fetch, a
// plan and a finish.
func (f *fleet) jobs() int { return f.accepted * (f.parts + 4) }

// done waits until so many jobs are done.
func (f *fleet) done(jobs int) {
	f.Helper()
	f.await(fmt.Sprintf("%d jobs", jobs), func() bool { return f.audit.count(f.T, "state = 'done'") >= jobs })
}

// lost waits until a worker has lost what it had; it must have had something.
func (f *fleet) lost(worker string) {
	f.Helper()
	f.await("the loss of "+worker, func() bool {
		return f.audit.count(f.T, "was IN ('sent', 'running') AND state = 'ready' AND holder = '"+worker+"'") > 0
	})
}

// over tells whether all videos have ended.
func (f *fleet) over() bool {
	f.Helper()
	open, err := f.ledger.List(f.Context(), ledger.Filter{Statuses: []spool.Status{spool.Waiting, spool.Working, spool.Paused}, Limit: 1})
	if err != nil {
		f.Fatal(err)
	}
	return len(open) == 0
}

// finish waits until all videos have ended, and ends the fleet.
func (f *fleet) finish() {
	f.Helper()
	began := time.Now()
	f.await("the end", f.over)
	f.Logf("all ended %v after the last fault", time.Since(began).Round(100*time.Millisecond))
	f.scheduler.kill(f.T)
	for _, w := range f.workers {
		w.kill(f.T)
	}
}

// babble sends what nobody can read to everybody.
func (f *fleet) babble() {
	f.Helper()
	if f.broker == nil {
		return // only its own fleet gets at it
	}
	q, err := f.engine.Open(f.Context(), f.part().URL, "")
	if err != nil {
		f.Fatal(err)
	}
	defer q.Close() //nolint:errcheck // all is sent
	noise := make([]byte, 1000)
	_, _ = rand.Read(noise) // never fails
	for _, topic := range []string{queue.ReportTopic, queue.BeatTopic, queue.WorkTopic("w0"), queue.WorkTopic("w2")} {
		for _, body := range []string{"", "{}", "null", `{"job": {}}`, `{"worker": 7}`, string(noise)} {
			if err := q.Send(f.Context(), topic, []byte(body)); err != nil {
				f.Fatal(err)
			}
		}
	}
}

// state tells what is not done.
func (f *fleet) state() string {
	var b strings.Builder
	out, err := f.ledger.Out(f.Context())
	fmt.Fprintf(&b, "%d of %d jobs are done, out are %d (%v)\n", f.audit.count(f.T, "state = 'done'"), f.jobs(), len(out), err)
	for _, j := range out {
		fmt.Fprintf(&b, "%s %s epoch %d at %s\n", j.JobKey, j.State, j.Epoch, j.Worker)
	}
	return b.String()
}

// holds tells whether a canary lies in clear below a folder.
func holds(t *testing.T, folder string, canaries ...string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(name)
		for _, canary := range canaries {
			if strings.Contains(string(content), canary) {
				found = append(found, canary+" in "+name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
