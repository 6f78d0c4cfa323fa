package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spool-video/spool"
)

// crew does the jobs of a simulation: each takes its time, and goes wrong as
// the seed has it.
type crew struct {
	seed   uint64
	poison string // a video whose chunk 1 kills who does it

	mu     sync.Mutex
	calm   bool
	ran    map[string]int       // "job epoch session" → how often it began
	times  map[spool.JobKey]int // how often a job began
	deaths map[spool.JobKey]int // how often its encoder died
	fails  map[string]int       // by video
	faults []string
}

func newCrew(seed uint64) *crew {
	return &crew{seed: seed, ran: map[string]int{}, times: map[spool.JobKey]int{}, deaths: map[spool.JobKey]int{}, fails: map[string]int{}}
}

func (c *crew) fault(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

// hand is the crew's stage in one process.
type hand struct {
	*crew
	name string
	port *port
	kill func() // ends the process as kill -9 does
}

// died is the error of an encoder that was killed.
type died struct{ error }

func (died) Died() bool { return true }

func (h *hand) begin(job spool.Job) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.times[job.JobKey]++
	what := fmt.Sprintf("%s epoch %d at %s", job.JobKey, job.Epoch, h.port.name)
	if h.ran[what]++; h.ran[what] > 1 {
		h.faults = append(h.faults, what+" ran twice")
	}
}

func (h *hand) Run(ctx context.Context, job spool.Job, progress func(spool.Progress)) (spool.Result, error) {
	h.begin(job)
	luck := chance(h.seed, job.Video, job.Kind, job.Number, job.Epoch)
	took := time.Duration(luck.Int64N(int64(20*time.Second))) + time.Second
	if h.poison == job.Video && job.Kind == spool.Encode && job.Number == 1 {
		h.kill()
		<-ctx.Done()
		return spool.Result{}, ctx.Err()
	}
	if job.Kind == spool.Fetch {
		return h.fetch(ctx, job, progress, took)
	}
	if err := h.rest(ctx, took); err != nil {
		return spool.Result{}, err
	}
	if err := h.trouble(job); err != nil {
		return spool.Result{}, err
	}
	return h.result(job)
}

// rest works for a while; a process that is frozen ends nothing.
func (h *hand) rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
	h.port.awake()
	return ctx.Err()
}

// trouble is what goes wrong with a job.
func (h *hand) trouble(job spool.Job) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.calm {
		return nil
	}
	switch chance(h.seed, "trouble", job.Video, job.Kind, job.Number, job.Epoch).IntN(40) {
	case 0:
		h.fails[job.Video]++
		return errors.New("the server hung up")
	case 1:
		h.deaths[job.JobKey]++
		return died{errors.New("killed")}
	case 2:
		return &spool.Error{Class: spool.Environment, Code: "no-space", Reason: "the disk is full"}
	}
	return nil
}

const simParts = 4

// bytes of the source a chunk reads.
const window = 100

// fetch brings a source that can be read while it arrives.
func (h *hand) fetch(ctx context.Context, job spool.Job, progress func(spool.Progress), took time.Duration) (spool.Result, error) {
	luck := chance(h.seed, "source", job.Video)
	f := &spool.Fetched{Size: simParts * window, Scratch: true, SHA256: "s" + job.Video}
	if luck.IntN(2) == 0 {
		f.Remote = &spool.Remote{URL: job.Source}
	} else {
		f.Path = "/disk/of/" + h.name
	}
	if luck.IntN(2) == 0 {
		return spool.Result{Fetched: f}, h.rest(ctx, took)
	}
	arriving := *f
	arriving.Arriving, arriving.SHA256 = true, ""
	progress(spool.Progress{Phase: spool.Downloading, Result: &spool.Result{Fetched: &arriving}})
	for n := range simParts {
		if err := h.rest(ctx, took); err != nil {
			return spool.Result{}, err
		}
		have := spool.Spans{{From: 0, To: int64(n+1) * window}}
		progress(spool.Progress{Phase: spool.Downloading, Done: int64(n+1) * window, Total: f.Size, Have: have})
	}
	return spool.Result{Fetched: f}, nil
}

func (h *hand) result(job spool.Job) (spool.Result, error) {
	if job.Fetched == nil {
		h.fault("%s has no source", job.JobKey)
	}
	if f := job.Fetched; f != nil && !f.Anywhere() && f.Path != "/disk/of/"+h.name && job.Kind != spool.Finish {
		// It was fetched anew since: what a real stage says then.
		return spool.Result{}, &spool.Error{Class: spool.NeedsWhole, Code: spool.NotArriving, Reason: "the source is not here"}
	}
	made := func(n int) spool.Result {
		return spool.Result{Made: &spool.Made{Segments: []spool.Segment{{Rendition: string(job.Kind), Number: n}}}}
	}
	switch job.Kind {
	case spool.Draft:
		p := &spool.Plan{Chunks: make([]spool.Chunk, simParts), Pieces: make([]spool.AudioPiece, 1)}
		for i := range p.Chunks {
			p.Chunks[i].Number = i
			p.Chunks[i].Bytes = spool.Span{From: int64(i) * window, To: int64(i+1) * window}
		}
		return spool.Result{Plan: p}, nil
	case spool.Finish:
		have := map[string]bool{}
		for _, s := range job.Made.Segments {
			have[fmt.Sprint(s.Rendition, s.Number)] = true
		}
		if len(have) != simParts+1 || len(job.Made.Segments) != simParts+1 {
			h.fault("%s got %d parts, %d different ones", job.JobKey, len(job.Made.Segments), len(have))
		}
		return spool.Result{Finished: &spool.Finished{}}, nil
	case spool.Fetch, spool.Encode, spool.Audio, spool.Texts:
	}
	return made(job.Number), nil
}
