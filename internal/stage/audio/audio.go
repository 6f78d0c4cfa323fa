// Package audio makes the sound of a video: in pieces, each encoded with
// packets before its own that are dropped, so that the pieces join as if they
// had been encoded in one go; laid on the timeline sample by sample, cut into
// segments and published.
package audio

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/process"
	"github.com/spool-video/spool/internal/publish"
	"github.com/spool-video/spool/internal/tap"
)

// slots are rights to use a CPU.
type slots interface {
	Acquire(ctx context.Context) error
	Release()
}

// Stage does audio jobs.
type Stage struct {
	Tools     ffmpeg.Tools
	CPU       slots // held while ffmpeg runs, not while segments are published
	Publisher publish.Publisher
	Sources   *tap.Desk // where sources that are still arriving are read; may be nil
	// Work gives the scratch folder of a job's video and revision.
	Work  func(spool.JobKey) string
	Stall time.Duration // without sound from the source the encoder is killed; 60 s when 0
}

const stall = 60 * time.Second

var errStuck = errors.New("no new sound for too long")

// Run makes and publishes the segments of one piece.
func (s Stage) Run(ctx context.Context, job spool.Job, progress func(spool.Progress)) (spool.Result, error) {
	if job.Plan == nil || job.Piece == nil || job.Fetched == nil || job.Piece.Sound >= len(job.Plan.Sounds) {
		return spool.Result{}, fmt.Errorf("encode sound of %s: the job lacks plan, piece or source", job.JobKey)
	}
	if progress == nil {
		progress = func(spool.Progress) {}
	}
	part, err := publish.OpenPart(s.Work(job.JobKey), job.JobKey, markOf(job))
	if err != nil {
		return spool.Result{}, err
	}
	made, err := s.Publisher.Target(job).Run(ctx, part, job.Piece.Segments, progress,
		func(ctx context.Context, done func(publish.Plain) error) (publish.Record, error) {
			cut := newCutter(job)
			cut.part, cut.done, cut.progress, cut.alive = part, done, progress, func() {}
			if cut.sound.Copied {
				return s.copy(ctx, job, cut)
			}
			if err := s.CPU.Acquire(ctx); err != nil {
				return publish.Record{}, fmt.Errorf("wait for a CPU slot: %w", err)
			}
			defer s.CPU.Release()
			return s.encode(ctx, job, part, cut)
		})
	if err != nil {
		return spool.Result{}, fmt.Errorf("encode sound of %s: %w", job.JobKey, err)
	}
	return spool.Result{Made: &made}, nil
}

// mark is all that the bytes of a piece depend on.
type mark struct {
	Stream  *spool.AudioStream
	Sound   spool.Sound
	Samples int64 // of the whole sound, where the piece comes near its end; else 0
	Packets []int // of the segments up to its last
	Priming int
	Head    spool.Spans
	Piece   spool.AudioPiece
	Key     string

	Container string `json:",omitempty"`
}

// markOf leaves out what changes while a plan grows.
func markOf(job spool.Job) mark {
	p, piece := job.Plan, *job.Piece
	laid := p.SoundGrid(piece.Sound)
	m := mark{
		Container: job.Settings.Container, Stream: p.SoundStream(piece.Sound), Sound: p.Sounds[piece.Sound], Priming: laid.PrimingSamples, Head: p.Head, Piece: piece, Key: job.Keys.IDs(),
		Packets: laid.Packets[:min(piece.FirstSegment+piece.Segments, len(laid.Packets))],
	}
	m.Sound.Packets = nil
	const near = 48000
	if end := int64(piece.FirstPacket+piece.Packets)*cmaf.PacketSamples + near; end >= p.Timeline.Samples {
		m.Samples = p.Timeline.Samples
	}
	return m
}

// encode runs ffmpeg and reads both its pipes.
func (s Stage) encode(ctx context.Context, job spool.Job, part *publish.Part, cut cutter) (publish.Record, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	in, err := s.Sources.Input(job.Plan, job.Fetched.Hearing(), job.Piece.Bytes)
	if err != nil {
		return publish.Record{}, err
	}
	defer in.Close()
	piece := *job.Piece
	if in.Feed != nil {
		piece.Seek = nil // what it reads begins there
	}
	args, err := ffmpeg.AudioArgs(ffmpeg.AudioEncoding{Input: in.Args, Plan: job.Plan, Piece: piece})
	if err != nil {
		return publish.Record{}, err
	}
	command := s.Tools.Command(s.Tools.FFmpeg, args)
	command.Feed, command.Dir, command.Pipes = in.Feed, part.Dir(), 2
	p, err := process.Start(ctx, command)
	if err != nil {
		return publish.Record{}, ffmpeg.NotStarted(err)
	}
	patience := s.Stall
	if patience <= 0 {
		patience = stall
	}
	dog := time.AfterFunc(patience, func() { cancel(errStuck) })
	defer dog.Stop()
	alive := func() { dog.Reset(patience) }
	cut.alive = alive

	var record publish.Record
	var heard heard
	cutting := flow.Run(ctx, func(g *flow.Group) {
		g.Go(func(context.Context) (err error) {
			heard, err = listen(p.Pipe(0), alive)
			return drain(p.Pipe(0), err, cancel)
		})
		g.Go(func(context.Context) (err error) {
			record, err = cut.cut(p.Pipe(1))
			return drain(p.Pipe(1), err, cancel)
		})
	})
	ended := p.Wait()
	dog.Stop()
	return record, verdict(ctx, job, heard, cutting, ended)
}

// verdict decides what an encode has come to; what caused the rest comes
// first.
func verdict(ctx context.Context, job spool.Job, heard heard, cutting, ended error) error {
	what, cause := fmt.Sprintf("audio piece %d", job.Piece.Number), context.Cause(ctx)
	if errors.Is(cause, errStuck) {
		return ffmpeg.Stuck(what, cause)
	}
	if known := (*spool.Error)(nil); errors.As(cutting, &known) {
		return cutting // scratch: its error says what to do
	}
	if cause != nil {
		return fmt.Errorf("%s: %w", what, cause)
	}
	if err := ffmpeg.Killed(what, ended); err != nil {
		return err
	}
	if err := heard.prove(job.Plan, *job.Piece); err != nil {
		return err
	}
	if ended != nil {
		return ffmpeg.Failed(what, ended)
	}
	if cutting != nil {
		return ffmpeg.Unplanned(what, cutting)
	}
	return nil
}
