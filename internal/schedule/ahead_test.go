package schedule_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/schedule"
	"github.com/spool-video/spool/internal/worker"
)

// tally notes which videos were fetched and begun.
type tally struct {
	mu             sync.Mutex
	fetched, begun map[string]bool
	most           int // that were fetched and not begun
}

func (c *tally) note(job spool.Job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch job.Kind {
	case spool.Fetch:
		c.fetched[job.Video] = true
	case spool.Encode:
		c.begun[job.Video] = true
	case spool.Draft, spool.Audio, spool.Texts, spool.Finish:
	}
	c.most = max(c.most, len(c.fetched)-len(c.begun))
}

func (c *tally) has(video string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fetched[video]
}

func (c *tally) top() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most
}

// However fast sources come, only so many are fetched ahead as keep the
// encoders busy: those that anybody can read, and those on a worker's own disk.
// One that is in a hurry goes past those that are not.
func TestFetchesRunAheadSoFar(t *testing.T) {
	for _, own := range []bool{false, true} {
		t.Run(fmt.Sprint("own disk ", own), func(t *testing.T) {
			inBubble(t, schedule.Scheduler{}, func(b *site) {
				c := &tally{fetched: map[string]bool{}, begun: map[string]bool{}}
				for _, name := range []string{"one", "two"} {
					stages := crewOf(func(ctx context.Context, job spool.Job) error {
						c.note(job)
						if job.Kind == spool.Encode {
							return takes(10*time.Second)(ctx, job)
						}
						return takes(100*time.Millisecond)(ctx, job)
					})
					if own {
						stages[spool.Fetch] = noted{c}
					}
					b.hire(worker.Config{Name: name, Stages: stages})
				}
				var all []spool.Video
				for n := range 50 {
					all = append(all, link(fmt.Sprintf("v%02d", n)))
				}
				b.accept(all...)
				b.until("ready", b.ready("v05"))
				if c.has("v40") {
					b.Error("v40 was fetched when v05 was ready")
				}
				urgent := link("urgent")
				urgent.Priority = 1
				b.accept(urgent)
				<-time.After(5 * time.Second)
				if !c.has("urgent") {
					b.Error("what is in a hurry is not fetched")
				}
				b.until("all ready", func() bool { return b.ready("v49")() && b.ready("v48")() && b.ready("urgent")() })
				// Each of the workers may have four, while two are fetched and two
				// planned, and as many reports of those before them are on their way.
				if t.Logf("%d were fetched and not begun, at most", c.top()); c.top() > 2*(4+2*2+2*2)+1 {
					b.Error("too many")
				}
			})
		})
	}
}

// noted is a fetch to the worker's own disk.
type noted struct{ *tally }

func (f noted) Run(ctx context.Context, job spool.Job, progress func(spool.Progress)) (spool.Result, error) {
	f.note(job)
	return fetched{}.Run(ctx, job, progress)
}
