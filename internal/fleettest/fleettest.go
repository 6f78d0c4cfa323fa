// Package fleettest is a fleet of processes over a real queue engine, at its
// worst: a scheduler and workers, whose jobs do nothing, are killed, stopped
// and cut off, and so is the engine. What each of them did is written down by
// itself; what became of every job is written down by the ledger, in the same
// transactions. Held against one another they show that nothing was lost, that
// every job was done once, and that none was begun twice but for a lease that
// was lost before.
//
// The processes are the test's own program, started again: TestMain calls
// Child first.
package fleettest

import (
	"context"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/brokertest"
	"github.com/spool-video/spool/internal/queue"
)

// Engine is what the fleet is built on.
type Engine struct {
	// Start makes an engine without messages for one test. Nil: it lives in the
	// scheduler's process, and dies with it.
	Start  func(t *testing.T) *brokertest.Broker
	Open   Open
	Scheme string // of the URL that Open gets: "redis"
	// Clear: nothing is sealed, as between processes of one machine.
	Clear bool
	// Slow: the engine takes too long to start for a test that is short.
	Slow bool
}

// Open opens the queue of a process. The scheduler's is given a folder, for an
// engine that lives in its process; that of a worker is given "".
type Open func(ctx context.Context, url, folder string) (queue.Queue, error)

// Short is what is tried of an engine each time: messages come three times, and
// others that nobody can read; a worker is killed and another one frozen, the
// scheduler is killed, and the engine, and the network is cut.
func Short(t *testing.T, e Engine) {
	f := newFleet(t, e, plan{videos: 3, parts: 9, workers: 3, slots: 2, took: 60 * time.Millisecond, lease: 2 * time.Second, thrice: true}, nearby)
	f.done(10)
	f.babble()
	f.done(20)
	f.kill(0)
	f.hire(0)
	f.done(30)
	f.workers[1].freeze(t)
	f.accept(3) // it is given some of them: it said that it had room
	f.lost(f.workers[1].name)
	f.workers[1].wake(t)
	f.done(40)
	f.scheduler.kill(t)
	f.ways[2].Cut()
	f.schedule()
	if !e.Slow && f.broker != nil {
		f.broker.Kill(t)
		f.broker.Start(t)
	}
	f.finish()
	f.judge()
	if !e.Clear {
		f.search(e.Open)
	}
}
