package fleettest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Long is what takes minutes of an engine: 1,000 jobs under fire, then with
// frozen workers and blocked ways, and an engine that is away for a minute.
func Long(t *testing.T, e Engine) {
	t.Run("killed", func(t *testing.T) { killed(t, e) })
	t.Run("frozen", func(t *testing.T) { frozen(t, e) })
	t.Run("away", func(t *testing.T) { away(t, e) })
}

// big has 1,000 jobs, each of which takes a second or so.
var big = plan{videos: 10, parts: 96, workers: 8, slots: 2, took: 400 * time.Millisecond}

// killed: a worker is killed every half second, 80 times, and another one takes
// its place; meanwhile the engine is killed, the scheduler three times, and the
// engine's data are wiped.
func killed(t *testing.T, e Engine) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	luck := rand.New(rand.NewPCG(seed, 0))
	f := newFleet(t, e, big, nearby)
	f.done(10)
	var beside sync.WaitGroup
	defer beside.Wait()
	for n := range 80 {
		f.rest(500 * time.Millisecond)
		place := luck.IntN(f.plan.workers)
		f.kill(place)
		name := fmt.Sprintf("w%d", place)
		if luck.IntN(2) == 0 {
			name = fmt.Sprintf("w%d.%d", place, n) // another machine
		}
		f.hireAs(place, name)
		switch n {
		case 15:
			beside.Go(func() { f.crash(false) })
		case 30, 40, 70:
			f.scheduler.kill(t)
			f.schedule()
		case 50:
			beside.Wait()
			beside.Go(func() { f.crash(true) })
		}
	}
	beside.Wait()
	f.finish()
	if n := f.judge(); n.repeated == 0 || n.repeated > 2*f.kills+16*5 {
		t.Errorf("%d executions were repeated by %d kills of workers with two slots each, and five other ones", n.repeated, f.kills)
	}
	if !e.Clear {
		f.search(e.Open)
	}
}

// crash kills the engine and starts it again, without its data perhaps. One that
// lives in the scheduler's process takes that with it.
func (f *fleet) crash(wipe bool) {
	if f.broker != nil {
		f.broker.Kill(f.T)
		if wipe {
			f.broker.Wipe(f.T)
		}
		f.broker.Start(f.T)
		return
	}
	f.scheduler.kill(f.T)
	if wipe {
		if err := os.RemoveAll(filepath.Join(f.dir, "engine")); err != nil {
			f.Error(err)
		}
	}
	f.schedule()
}

// frozen: all messages come three times; four times a worker is frozen and
// another one is cut off until both have lost what they had, and both come
// back with it; in between all connections end at once.
func frozen(t *testing.T, e Engine) {
	p := big
	p.thrice, p.took = true, time.Second
	f := newFleet(t, e, p, nearby)
	f.done(20)
	for n := range 4 {
		cold, cut := f.workers[n], f.workers[n+4]
		cold.freeze(t)
		f.ways[n+4].Block()
		f.lost(cold.name)
		f.lost(cut.name)
		cold.wake(t)
		f.ways[n+4].Unblock()
		for _, way := range f.ways {
			way.Cut()
		}
	}
	f.finish()
	if n := f.judge(); n.repeated == 0 {
		t.Error("nobody lost anything")
	}
	if !e.Clear {
		f.search(e.Open)
	}
}

// away: an engine that is away for a minute while all work is nobody's loss.
func away(t *testing.T, e Engine) {
	p := plan{videos: 2, parts: 12, workers: 8, slots: 2, took: 30 * time.Second}
	f := newFleet(t, e, p, nearby)
	f.await("all to work", func() bool {
		return f.audit.count(t, "state = 'running' AND kind = 'encode'") >= f.plan.workers*f.slots-1
	})
	gone := time.Now()
	if f.broker != nil {
		f.broker.Kill(t)
		f.rest(time.Minute)
		f.broker.Start(t)
	} else {
		f.scheduler.kill(t)
		f.rest(time.Minute)
		f.schedule()
	}
	t.Logf("the engine was away for %v", time.Since(gone).Round(time.Second))
	f.finish()
	if n := f.judge(); n.lost > 0 || n.repeated > 0 {
		t.Errorf("%d leases were lost and %d jobs were begun again, though nobody died", n.lost, n.repeated)
	}
}
