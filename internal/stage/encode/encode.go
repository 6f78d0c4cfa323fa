// Package encode makes the chunks of a video: one ffmpeg a chunk for all
// rungs, its pipes cut into segments that are proved frame by frame, written
// to scratch, and published while the next ones are being encoded.
package encode

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/publish"
	"github.com/spool-video/spool/internal/tap"
	"github.com/spool-video/spool/internal/wrap"
)

// slots are rights to use a CPU.
type slots interface {
	Acquire(ctx context.Context) error
	TryAcquire() bool
	Release()
}

// Stage does encode jobs.
type Stage struct {
	Tools     ffmpeg.Tools
	CPU       slots // held while a chunk is made, not while the last of it is published
	Publisher publish.Publisher
	Sources   *tap.Desk // where sources that are still arriving are read; may be nil
	// Work gives the scratch folder of a job's video and revision.
	Work    func(spool.JobKey) string
	Threads int           // of each encoder; 1 when 0
	Stall   time.Duration // without a new frame the encoder is killed; 60 s when 0
}

// stall is how long an encoder may take for one frame.
const stall = 60 * time.Second

// Run makes and publishes the segments of one chunk.
func (s Stage) Run(ctx context.Context, job spool.Job, progress func(spool.Progress)) (spool.Result, error) {
	if job.Plan == nil || job.Chunk == nil || job.Fetched == nil || job.Plan.Facts.Video == nil {
		return spool.Result{}, fmt.Errorf("encode %s: the job lacks plan, chunk or source", job.JobKey)
	}
	work := s.Work(job.JobKey)
	part, err := publish.OpenPart(work, job.JobKey, markOf(job))
	if err != nil {
		return spool.Result{}, err
	}
	capacity := job.Chunk.Segments * rungsMade(job.Plan)
	target := s.Publisher.Target(job)
	target.Still, target.Stilled = wrap.Track{Container: job.Settings.Container, Video: true}.Still, lowest(job.Plan)
	made, err := target.Run(ctx, part, capacity, progress,
		func(ctx context.Context, done func(publish.Plain) error) (publish.Record, error) {
			c, err := s.prepare(ctx, job, work, part, progress)
			if err != nil {
				return publish.Record{}, err
			}
			return c.make(ctx, done)
		})
	if err != nil {
		return spool.Result{}, fmt.Errorf("encode %s: %w", job.JobKey, err)
	}
	return spool.Result{Made: &made}, nil
}

// mark is all that the bytes of a chunk depend on.
type mark struct {
	Video    spool.VideoStream
	Rungs    []spool.Rung
	Origin   int64
	TimeBase spool.Ratio
	Rate     spool.Ratio
	Pictures int  // how many the source has, where that matters: it is copied
	Last     bool // the video ends with it
	GOP      int
	Frames   []int // of the segments up to its last
	Head     spool.Spans
	Chunk    spool.Chunk
	Preset   string
	Key      string

	Sequential bool
	Container  string `json:",omitempty"`
}

// markOf leaves out what changes while a plan grows.
func markOf(job spool.Job) mark {
	p, c := job.Plan, *job.Chunk
	m := mark{
		Video: *p.Facts.Video, Rungs: p.Rungs, Origin: p.Timeline.Origin, TimeBase: p.Timeline.TimeBase, Rate: p.Timeline.Rate,
		Last: c.FirstFrame+c.Frames >= p.Timeline.Frames, GOP: p.Grid.GOP, Head: p.Head, Chunk: c,
		Frames: p.Grid.Frames[:min(c.FirstSegment+c.Segments, len(p.Grid.Frames))],
		Preset: job.Settings.Preset, Key: job.Keys.IDs(), Sequential: p.Sequential, Container: job.Settings.Container,
	}
	if _, ok := copiedRung(p); ok {
		m.Pictures = p.Timeline.SourceFrames
	}
	return m
}

// lowest names the smallest rung that is made.
func lowest(p *spool.Plan) string {
	for _, r := range slices.Backward(p.Rungs) {
		if r.Action != spool.SkipRung {
			return r.Name
		}
	}
	return ""
}

// canToneMap makes sure that HDR can be turned into what all players show.
func (s Stage) canToneMap(ctx context.Context, plan *spool.Plan) error {
	if !ffmpeg.NeedsToneMap(plan) {
		return nil
	}
	filters, err := s.Tools.Filters(ctx)
	if err != nil || filters["zscale"] && filters["tonemap"] {
		return err
	}
	return &spool.Error{
		Class: spool.Environment, Code: "no-tone-map",
		Reason: "the source is HDR, and this ffmpeg cannot turn it into SDR: it lacks the zscale or the tonemap filter",
		Hint:   "install an ffmpeg that was built with libzimg; the packages of Debian, Ubuntu and Homebrew are",
	}
}

// prepare works out all that an encoder process needs but a CPU slot.
func (s Stage) prepare(ctx context.Context, job spool.Job, work string, part *publish.Part, progress func(spool.Progress)) (*chunk, error) {
	timescale, ticks, err := cmaf.Timescale(job.Plan.Timeline.Rate)
	if err != nil {
		return nil, err
	}
	if job.Plan.Grid.GOP <= 0 {
		return nil, fmt.Errorf("encode %s: the grid has no GOP", job.JobKey)
	}
	if progress == nil {
		progress = func(spool.Progress) {}
	}
	if err := s.canToneMap(ctx, job.Plan); err != nil {
		return nil, err
	}
	c := &chunk{
		stage: s, job: job, part: part, progress: progress,
		timescale: timescale, ticks: ticks, configs: map[string][]byte{},
	}
	first := job.JobKey
	first.Number = 0
	for _, r := range ffmpeg.EncodedRungs(job.Plan) {
		if config, ok := publish.Config(work, first, r.Name); ok {
			c.configs[r.Name] = config
		}
	}
	return c, nil
}
