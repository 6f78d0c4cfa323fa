package encode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/process"
	"github.com/spool-video/spool/internal/publish"
	"github.com/spool-video/spool/internal/tap"
)

// chunk is one chunk on its way through an encoder.
type chunk struct {
	stage            Stage
	job              spool.Job
	part             *publish.Part
	progress         func(spool.Progress)
	timescale, ticks int
	configs          map[string][]byte // codec configurations that are known already, by rung

	mu        sync.Mutex // guards what follows
	record    publish.Record
	perNumber map[int][]publish.Plain // segments of the rungs so far
	reached   int                     // frames, for progress
}

// make copies and encodes the rungs of the chunk.
func (c *chunk) make(ctx context.Context, done func(publish.Plain) error) (publish.Record, error) {
	c.perNumber = map[int][]publish.Plain{}
	skip, err := c.resume(done)
	if err != nil {
		return publish.Record{}, err
	}
	claimed := c.claim()
	defer func() { c.giveBack(claimed) }()
	copied, err := c.copy(ctx, done)
	if err != nil {
		return publish.Record{}, err
	}
	if len(ffmpeg.EncodedRungs(c.job.Plan)) > 0 {
		slots := claimed
		claimed = 0 // who encodes gives each back as it is done with it
		if err := c.hold(ctx, slots, skip, done); err != nil {
			return publish.Record{}, err
		}
	}
	for _, i := range copied {
		if !slices.ContainsFunc(c.record.Inits, func(have publish.Init) bool { return have.Rendition == i.Rendition }) {
			c.record.Inits = append(c.record.Inits, i)
		}
	}
	return c.record, nil
}

// claim takes the CPU slots that are free now and that the chunk may use. To
// copy takes moments: who comes first encodes first.
func (c *chunk) claim() (slots int) {
	most := min(len(ffmpeg.EncodedRungs(c.job.Plan)), 1+c.job.Spare)
	if c.job.Plan.Sequential {
		most = min(most, 1)
	}
	for slots < most && c.stage.CPU.TryAcquire() {
		slots++
	}
	return slots
}

func (c *chunk) giveBack(slots int) {
	for range slots {
		c.stage.CPU.Release()
	}
}

// hold encodes while it holds CPU slots, those that it has claimed or one that
// it waits for. The rungs are shared out among them: who waits for the chunk
// waits for the highest rung alone, at the price of one more decode.
func (c *chunk) hold(ctx context.Context, slots, skip int, done func(publish.Plain) error) error {
	if slots == 0 {
		if err := c.stage.CPU.Acquire(ctx); err != nil {
			return fmt.Errorf("wait for a CPU slot: %w", err)
		}
		slots = 1
	}
	return flow.Run(ctx, func(g *flow.Group) {
		for i := range slots {
			row := ffmpeg.Row{From: i, To: i + 1}
			if i == slots-1 {
				row.To = len(ffmpeg.EncodedRungs(c.job.Plan))
			}
			g.Go(func(ctx context.Context) error {
				defer c.stage.CPU.Release()
				return c.encode(ctx, row, skip, done)
			})
		}
	})
}

// resume takes up what an interrupted run of a sequential plan left, and says
// how many segments that is. The last one is made again when nothing else is
// left, so that the source is always read to its end and proved.
func (c *chunk) resume(done func(publish.Plain) error) (skip int, err error) {
	if !c.job.Plan.Sequential {
		return 0, nil
	}
	record, n := c.part.Checkpoints(c.job.Chunk.FirstSegment)
	n = min(n, c.job.Chunk.Segments-1)
	for _, p := range record.Segments {
		if p.Number >= c.job.Chunk.FirstSegment+n {
			continue
		}
		c.record.Segments = append(c.record.Segments, p)
		if err := done(p); err != nil {
			return 0, err
		}
	}
	if n > 0 {
		for _, i := range record.Inits {
			c.configs[i.Rendition] = i.Config
		}
	}
	return n, nil
}

// encode runs ffmpeg for a row of the rungs and reads all its pipes.
func (c *chunk) encode(ctx context.Context, row ffmpeg.Row, skip int, done func(publish.Plain) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ahead := spans(c.job.Plan.Grid, c.job.Chunk.FirstSegment+skip, c.job.Chunk.FirstSegment+c.job.Chunk.Segments)
	if len(ahead) == 0 {
		return fmt.Errorf("chunk %d has no segments on the grid", c.job.Chunk.Number)
	}
	in, err := c.stage.Sources.Input(c.job.Plan, c.job.Fetched, c.job.Chunk.Bytes)
	if err != nil {
		return err
	}
	defer in.Close()
	command, err := c.command(in, row, ahead[0].first-c.job.Chunk.FirstFrame)
	if err != nil {
		return err
	}
	p, err := process.Start(ctx, command)
	if err != nil {
		return ffmpeg.NotStarted(err)
	}
	patience := c.patience()
	dog := time.AfterFunc(patience+c.lead(), func() { cancel(errStuck) })
	defer dog.Stop()
	alive := func() { dog.Reset(patience) }

	all := ffmpeg.EncodedRungs(c.job.Plan)
	rungs := row.Of(all)
	inits := make([]publish.Init, len(rungs))
	var frames seen
	cutting := flow.Run(ctx, func(g *flow.Group) {
		g.Go(func(context.Context) (err error) {
			frames, err = watchTimes(p.Pipe(0), c.job.Plan.Facts.Video, func(time int64) {
				if alive(); row.From == 0 {
					c.advance(time)
				}
			})
			return drain(p.Pipe(0), err, cancel)
		})
		for i, r := range rungs {
			cut := cutter{
				rung: r, spans: ahead, timescale: c.timescale, ticks: c.ticks, config: c.configs[r.Name], container: c.job.Settings.Container,
				part: c.part, alive: alive, began: c.began, done: func(p publish.Plain) error { return c.finished(p, len(all), done) },
			}
			g.Go(func(context.Context) (err error) {
				inits[i], err = cut.cut(p.Pipe(1 + i))
				return drain(p.Pipe(1+i), err, cancel)
			})
		}
	})
	ended := p.Wait()
	dog.Stop()
	note, err := verdict(ctx, c.job, frames, cutting, ended)
	if err != nil {
		return err
	}
	c.ended(inits, note)
	return nil
}

// ended notes what a process has made beside its segments.
func (c *chunk) ended(inits []publish.Init, note string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, i := range inits {
		same := func(had publish.Init) bool { return had.Rendition == i.Rendition }
		c.record.Inits = append(slices.DeleteFunc(c.record.Inits, same), i)
	}
	if note != "" {
		c.record.Notes = append(c.record.Notes, note)
	}
}

// drain takes care of a pipe whose reader failed. When scratch is at fault
// the encoder is stopped. Else the rest is thrown away: the encoder may be
// ending by itself, and how it ends says why the reader failed.
func drain(pipe io.Reader, err error, cancel context.CancelCauseFunc) error {
	if err == nil {
		return nil
	}
	if known := (*spool.Error)(nil); errors.As(err, &known) {
		cancel(err)
	}
	_, _ = io.Copy(io.Discard, pipe) // err is what matters
	return err
}

func (c *chunk) command(in tap.Input, row ffmpeg.Row, skip int) (process.Command, error) {
	tools, rungs := c.stage.Tools, row.Of(ffmpeg.EncodedRungs(c.job.Plan))
	chunk := *c.job.Chunk
	if in.Feed != nil {
		chunk.Seek = nil // what it reads begins there
	}
	args, err := ffmpeg.ChunkArgs(ffmpeg.Encoding{
		Input: in.Args, Plan: c.job.Plan, Chunk: chunk,
		Preset: c.job.Settings.Preset, Threads: c.stage.Threads, Timescale: c.timescale,
		Skip: skip, Rungs: row,
	})
	if err != nil {
		return process.Command{}, err
	}
	command := tools.Command(tools.FFmpeg, args)
	command.Feed, command.Dir, command.Pipes = in.Feed, c.part.Dir(), 1+len(rungs)
	return command, nil
}

// patience is how long no frame may come.
func (c *chunk) patience() time.Duration {
	if c.stage.Stall > 0 {
		return c.stage.Stall
	}
	return stall
}

// lead is what the first frame may take longer: what lies before it must be
// decoded, at twice its own speed at least.
func (c *chunk) lead() time.Duration {
	if c.job.Chunk.Seek == nil {
		return 0
	}
	return c.job.Plan.Timeline.TimeBase.Duration(c.job.Chunk.FirstPTS-*c.job.Chunk.Seek) / 2
}

// advance reports how far the encoder is, from the time of a source frame.
func (c *chunk) advance(time int64) {
	line := c.job.Plan.Timeline
	n := int(line.TimeBase.RescaleNearest(time-line.Origin, line.Rate.Invert())) - c.job.Chunk.FirstFrame
	n = max(0, min(n, c.job.Chunk.Frames))
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > c.reached || n == 0 {
		c.reached = n
		c.progress(spool.Progress{Phase: spool.Encoding, Done: int64(n), Total: int64(c.job.Chunk.Frames)})
	}
}

// began notes the init section of a rung for the checkpoints.
func (c *chunk) began(i publish.Init) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.record.Inits = append(c.record.Inits, i)
}

// finished takes a segment whose file is written: it may be published, and
// when all rungs have it, a sequential run can go on behind it.
func (c *chunk) finished(p publish.Plain, rungs int, done func(publish.Plain) error) error {
	c.mu.Lock()
	c.record.Segments = append(c.record.Segments, p)
	c.perNumber[p.Number] = append(c.perNumber[p.Number], p)
	all, inits := c.perNumber[p.Number], slices.Clone(c.record.Inits)
	c.mu.Unlock()
	if c.job.Plan.Sequential && len(all) == rungs {
		if err := c.part.Checkpoint(p.Number, publish.Record{Inits: inits, Segments: all}); err != nil {
			return err
		}
	}
	return done(p)
}

var errStuck = errors.New("no new frame for too long")
