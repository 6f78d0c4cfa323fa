package schedule_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/ledger/ledgertest"
	"github.com/spool-video/spool/internal/schedule"
	"github.com/spool-video/spool/internal/worker"
)

var oneSeed = flag.Uint64("seed", 0, "run this seed of the simulation alone, and tell all of it")

// world is a fleet in a bubble of time: schedulers, workers and the engine
// between them, all real but for the engine, the ledger's disk and the work.
type world struct {
	seed   uint64
	calm   bool // nothing goes wrong but that the engine is away for a minute
	net    *net
	memory *ledgertest.Memory
	*notary
	crew *crew

	schedulers []*process
	workers    map[string]*process // by slot: what lives
	starts     int
	births     int
	over       bool           // all videos have ended; what ends now is no news
	all        sync.WaitGroup // every process
}

// process is a scheduler or a worker.
type process struct {
	name  string
	port  *port
	stop  context.CancelFunc
	ended chan error
}

// kill ends a process so that nothing of it is heard any more.
func (p *process) kill() {
	p.port.kill()
	p.stop()
}

func newWorld(seed uint64) *world {
	w := &world{seed: seed, net: newNet(seed), memory: ledgertest.NewMemory(), notary: newNotary(), crew: newCrew(seed), workers: map[string]*process{}}
	w.calm = seed%8 == 0
	w.net.calm, w.crew.calm = w.calm, w.calm
	if seed%8 == 1 {
		w.crew.poison = "v1"
	}
	return w
}

func (w *world) launch(name string, run func(ctx context.Context, p *process) error) *process {
	ctx, cancel := context.WithCancel(context.Background())
	w.births++
	p := &process{name: name, port: &port{net: w.net, name: fmt.Sprint(name, w.births)}, stop: cancel, ended: make(chan error, 1)}
	w.all.Go(func() {
		err := run(ctx, p)
		w.mark(fmt.Sprintf("%s has ended: %v", name, err))
		p.ended <- err
	})
	return p
}

// schedule starts a scheduler, beside those that live.
func (w *world) schedule() {
	w.schedulers = append(w.schedulers, w.launch("scheduler", func(ctx context.Context, p *process) error {
		s := schedule.New(schedule.Scheduler{
			Ledger: watched{w.memory.Open(), w.notary}, Queue: p.port, Fleet: true, Tick: time.Second,
			Forsake: 40 * time.Second, Vanish: 90 * time.Second,
			Away: func(err error) { w.mark(fmt.Sprint("the scheduler hears: ", err)) },
		})
		return s.Run(ctx)
	}))
}

// hire starts a worker in a slot that is empty. Its name is its process's own;
// its disk is that of the slot, and survives it, unless it is new.
func (w *world) hire(slot string) {
	w.starts++
	id := slot
	luck := chance(w.seed, "hire", w.starts)
	if luck.IntN(3) == 0 {
		id = fmt.Sprintf("%s.%d", slot, w.starts) // another machine
	}
	class := "x"
	if w.seed%4 == 2 && luck.IntN(2) == 0 {
		class = "y"
	}
	w.workers[slot] = w.launch(id, func(ctx context.Context, p *process) error {
		h := &hand{crew: w.crew, name: id, port: p.port, kill: p.kill}
		stages := map[spool.Kind]worker.Stage{}
		for _, kind := range []spool.Kind{spool.Fetch, spool.Draft, spool.Encode, spool.Audio, spool.Finish} {
			stages[kind] = h
		}
		return worker.New(worker.Config{
			Name: id, Queue: p.port, Stages: stages, Class: class,
			Room: func(_ spool.Kind, running []spool.Progress) int { return 2 - len(running) },
		}).Run(ctx)
	})
}

// trouble lets go wrong what can, for some minutes.
func (w *world) trouble() {
	luck := chance(w.seed, "trouble")
	for range 10 {
		<-time.After(time.Duration(luck.Int64N(int64(20 * time.Second))))
		slot := fmt.Sprint("w", luck.IntN(3))
		switch what := luck.IntN(10); what {
		case 0, 1, 2:
			w.mark("kill " + slot)
			w.workers[slot].kill()
			if luck.IntN(2) == 0 {
				<-time.After(time.Duration(luck.Int64N(int64(30 * time.Second))))
			}
			w.hire(slot)
		case 3, 4:
			w.mark("freeze " + slot)
			p := w.workers[slot]
			p.port.freeze()
			wake := time.Duration(luck.Int64N(int64(40 * time.Second)))
			w.all.Go(func() { <-time.After(wake); p.port.wake() })
		case 5, 6:
			w.mark("crash of the scheduler")
			w.schedulers[len(w.schedulers)-1].kill()
			<-time.After(time.Duration(luck.Int64N(int64(20 * time.Second))))
			w.schedule()
		case 7:
			w.mark("take-over")
			old := w.schedulers[len(w.schedulers)-1]
			w.schedule()
			w.all.Go(func() { <-time.After(20 * time.Second); old.kill() })
		case 8:
			w.mark("engine away")
			w.net.set(&w.net.away, true)
			<-time.After(time.Duration(luck.Int64N(int64(60 * time.Second))))
			w.net.set(&w.net.away, false)
		case 9:
			w.mark("worker ends " + slot)
			w.workers[slot].stop()
			w.hire(slot)
		}
	}
}

func (w *world) mark(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.say("=== %s", what)
	}
}

// run plays a seed to its end.
func (w *world) run(t *testing.T) {
	var recs []ledger.Record
	for n := range 4 {
		v := spool.Video{ID: fmt.Sprint("v", n), Canonical: fmt.Sprint(n), Source: fmt.Sprint("https://x/", n), Priority: n % 2}
		recs = append(recs, schedule.NewRecord(v, time.Now()))
	}
	if err := w.memory.Open().Accept(context.Background(), recs...); err != nil {
		t.Fatal(err)
	}
	w.schedule()
	for n := range 3 {
		w.hire(fmt.Sprint("w", n))
	}
	if w.calm {
		<-time.After(8 * time.Second)
		w.mark("engine away")
		w.net.set(&w.net.away, true)
		<-time.After(time.Minute)
		w.net.set(&w.net.away, false)
	} else {
		w.trouble()
	}
	w.net.set(&w.net.calm, true)
	w.crew.mu.Lock()
	w.crew.calm = true
	w.crew.mu.Unlock()
	w.mark("calm")
	w.await()
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	for _, p := range w.schedulers {
		p.kill()
	}
	for _, p := range w.workers {
		p.kill()
	}
	w.all.Wait()
	w.net.set(&w.net.away, false)
	w.net.carry.Wait()
	_ = w.net.engine.Close()
}

// await waits until every video has ended, or for far too long. Workers that
// ended are replaced.
func (w *world) await() {
	for range 40 * 60 {
		<-time.After(time.Second)
		for slot, p := range w.workers {
			select {
			case <-p.ended:
				w.hire(slot)
			default:
			}
		}
		open, err := w.memory.Open().List(context.Background(), ledger.Filter{Statuses: []spool.Status{spool.Waiting, spool.Working, spool.Paused}})
		if err == nil && len(open) == 0 {
			return
		}
	}
	open, err := w.memory.Open().List(context.Background(), ledger.Filter{Statuses: []spool.Status{spool.Waiting, spool.Working, spool.Paused}})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault("%d videos never ended: %v", len(open), err)
	for _, v := range open {
		rec, err := w.memory.Get(context.Background(), v.ID)
		w.say("%s is %s, %v", v.ID, v.Status, err)
		for _, j := range rec.Jobs {
			w.say("%s %s epoch %d at %s %+v %v", name(j.JobKey), j.State, j.Epoch, j.Worker, j.Place, j.NotBefore)
		}
	}
}

// judge holds what came of a seed against what must never be.
func (w *world) judge(t *testing.T) []string {
	faults := append(slices.Clone(w.faults), w.crew.faults...)
	videos, err := w.memory.Open().List(t.Context(), ledger.Filter{})
	if err != nil || len(videos) != 4 {
		faults = append(faults, fmt.Sprintf("%d videos, %v", len(videos), err))
	}
	for _, v := range videos {
		switch {
		case v.Status == spool.Ready && v.ID != w.crew.poison:
		case v.Status == spool.Failed && v.Failure.Code == "poison" && v.ID == w.crew.poison:
		case v.Status == spool.Failed && v.Failure.Code == "poison" && w.deadly(v):
		case v.Status == spool.Failed && v.Failure.Code == "unexpected" && w.crew.fails[v.ID] > 0:
		default:
			faults = append(faults, fmt.Sprintf("%s ended %s: %+v", v.ID, v.Status, v.Failure))
		}
	}
	for key, times := range w.crew.times {
		// A message may come to a worker that has lost the job by then, but
		// nobody begins what nobody had to give back.
		if w.calm && times > 1 {
			faults = append(faults, fmt.Sprintf("%s ran %d times, though nobody was lost", key, times))
		}
		if !w.calm && times > 1 && w.lost[key] == 0 {
			faults = append(faults, fmt.Sprintf("%s ran %d times, and no lease was lost", key, times))
		}
	}
	return faults
}

// deadly: a job of the video died often enough for what it is said to have
// died of.
func (w *world) deadly(v spool.Video) bool {
	rec, err := w.memory.Get(context.Background(), v.ID)
	return err == nil && slices.ContainsFunc(rec.Jobs, func(j ledger.Job) bool {
		return j.State == spool.JobFailed && w.crew.deaths[j.JobKey]+len(j.Lost) >= 3
	})
}

// simulate runs one seed and says what is wrong with it.
func simulate(t *testing.T, seed uint64) (w *world, faults []string) {
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(seed)
		w.run(t)
		faults = w.judge(t)
	})
	return w, faults
}

// play runs seeds; the first that breaks a promise is told wholly.
func play(t *testing.T, from, to uint64) {
	for seed := from; seed < to; seed++ {
		w, faults := simulate(t, seed)
		if len(faults) > 0 {
			t.Fatalf("seed %d:\n%s\n%s\nto see it again: go test ./internal/schedule -run TestSimulation -v -args -seed %d",
				seed, strings.Join(faults, "\n"), strings.Join(w.trace, "\n"), seed)
		}
	}
}

// TestSimulation: whatever the queue loses, doubles, reorders and delays, and
// whoever dies, no video is lost and nothing is done twice.
func TestSimulation(t *testing.T) {
	if *oneSeed > 0 {
		w, faults := simulate(t, *oneSeed)
		t.Logf("%s\n%s", strings.Join(w.trace, "\n"), strings.Join(faults, "\n"))
		if len(faults) > 0 {
			t.Fail()
		}
		return
	}
	playAll(t, 1, 201, 100)
}

// playAll plays the seeds in pieces, which are tests of their own, side by side.
func playAll(t *testing.T, from, to, piece uint64) {
	for ; from < to; from += piece {
		t.Run(fmt.Sprint("from ", from), func(t *testing.T) {
			t.Parallel()
			play(t, from, from+piece)
		})
	}
}
