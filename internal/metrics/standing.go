package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spool-video/spool"
)

// Standing is how things stand when somebody looks. What is nil, or below 0, is
// not known in this process.
type Standing struct {
	Videos      map[spool.Status]int
	Jobs        map[spool.Kind]map[spool.JobState]int // that are ready, sent or running
	Workers     map[string]int                        // by state
	Notices     map[string]int                        // callbacks that are not delivered: waiting, given-up
	ScratchFree int64                                 // bytes
	ScratchUsed int64                                 // bytes
}

// standing asks how things stand at every scrape.
type standing struct {
	videos, jobs, workers, notices, free, used *prometheus.Desc

	mu   sync.Mutex
	look func(context.Context) Standing // owned by mu; nil: nothing is known
}

// lookTime bounds how long a scrape waits for the ledger.
const lookTime = 5 * time.Second

func newStanding() *standing {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &standing{
		videos:  desc("spool_videos", "Videos in the ledger.", "status"),
		jobs:    desc("spool_stage_items", "Jobs that are to be done, or are being done anywhere.", "stage", "state"),
		workers: desc("spool_workers", "Workers that the scheduler knows.", "state"),
		notices: desc("spool_webhook_pending", "Callbacks that are not delivered.", "state"),
		free:    desc("spool_scratch_free_bytes", "Bytes that are free where scratch lies."),
		used:    desc("spool_scratch_used_bytes", "Bytes that scratch holds."),
	}
}

// Look sets who is asked how things stand; nil: nobody knows now. When it
// returns, who was asked before is not asked any more.
func (m *Metrics) Look(look func(context.Context) Standing) {
	if m == nil {
		return
	}
	m.standing.mu.Lock()
	defer m.standing.mu.Unlock()
	m.standing.look = look
}

// Describe names what may be collected.
func (s *standing) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.videos, s.jobs, s.workers, s.notices, s.free, s.used} {
		to <- d
	}
}

// Collect looks.
func (s *standing) Collect(to chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.look == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookTime)
	defer cancel()
	now := s.look(ctx)
	gauge := func(d *prometheus.Desc, n int64, labels ...string) {
		if n >= 0 {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...)
		}
	}
	for status, n := range now.Videos {
		gauge(s.videos, int64(n), string(status))
	}
	for kind, states := range now.Jobs {
		for state, n := range states {
			gauge(s.jobs, int64(n), string(kind), string(state))
		}
	}
	for state, n := range now.Workers {
		gauge(s.workers, int64(n), state)
	}
	for state, n := range now.Notices {
		gauge(s.notices, int64(n), state)
	}
	gauge(s.free, now.ScratchFree)
	gauge(s.used, now.ScratchUsed)
}
