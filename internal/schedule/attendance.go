package schedule

import (
	"sync"
	"time"

	"github.com/spool-video/spool"
)

// Attendance is what the scheduler knows of a worker.
type Attendance struct {
	spool.Beat               // its last one
	Silent     time.Duration // since then
	Lost       bool          // its jobs were given to others
	Refused    string        // why it gets no work, or ""
	Drained    bool          // DrainWorker was asked for it
}

// view is what others see of Run's state, as of its last tick.
type view struct {
	mu      sync.Mutex
	workers []Attendance
	drains  map[string]bool
}

// Workers gives the workers by name, as of the last tick. Those that left are
// not among them; those that are lost are, for an hour.
func (s *Scheduler) Workers() []Attendance {
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	return append([]Attendance{}, s.view.workers...)
}

// DrainWorker gives a worker nothing more, and has it end when its jobs have.
// It reports whether there is such a worker. It holds until Run returns, or the
// worker is not among Workers any more; the worker itself knows it for as long
// as it runs.
func (s *Scheduler) DrainWorker(name string) bool {
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	for _, w := range s.view.workers {
		if w.Worker == name {
			s.view.drains[name] = true
			return true
		}
	}
	return false
}

// drained reports whether a worker is to be given nothing more.
func (v *view) drained(name string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.drains[name]
}

// show brings the view up to date. The drain of a worker that has left is over:
// another one may take its name.
func (s *Scheduler) show() {
	now := time.Now()
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	s.view.workers = s.view.workers[:0:0]
	present := map[string]bool{}
	for _, m := range s.inOrder() {
		if m.left() && s.silent(m.name, now) {
			continue
		}
		b := m.beat
		b.Worker = m.name
		present[m.name] = true
		s.view.workers = append(s.view.workers, Attendance{
			Beat: b, Silent: now.Sub(m.heard), Lost: m.lost, Refused: m.refused, Drained: s.view.drains[m.name],
		})
	}
	for name := range s.view.drains {
		if !present[name] {
			delete(s.view.drains, name)
		}
	}
}
