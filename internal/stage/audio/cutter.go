package audio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/publish"
	"github.com/spool-video/spool/internal/wrap"
)

var errProof = errors.New("what the encoder wrote is not what was planned")

// cutter turns a piece's AAC packets into segments.
type cutter struct {
	container string
	plan      *spool.Plan
	sound     spool.Sound
	grid      spool.Grid // of the sound
	piece     spool.AudioPiece
	part      *publish.Part
	done      func(publish.Plain) error // called for each segment whose file is written
	alive     func()
	progress  func(spool.Progress)
}

// packets gives AAC packets one by one, io.EOF when there are no more, and what
// is known of them after the first.
type packets struct {
	next   func() ([]byte, error)
	config func() []byte // AudioSpecificConfig
}

func newCutter(job spool.Job) cutter {
	return cutter{
		container: job.Settings.Container,
		plan:      job.Plan, piece: *job.Piece, sound: job.Plan.Sounds[job.Piece.Sound], grid: job.Plan.SoundGrid(job.Piece.Sound),
	}
}

// cut reads the encoder's pipe to its end. The pre-roll is dropped, and what
// follows the piece's last packet.
func (c *cutter) cut(pipe io.Reader) (publish.Record, error) {
	adts := cmaf.NewADTS(bufio.NewReader(pipe))
	for range ffmpeg.Preroll(c.piece) {
		if _, err := adts.Next(); err != nil {
			return publish.Record{}, fmt.Errorf("cut pre-roll of %s: %w", c.sound.Name, err)
		}
	}
	record, err := c.segments(packets{adts.Next, adts.Config})
	if err != nil {
		return record, err
	}
	for {
		if _, err := adts.Next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return record, fmt.Errorf("cut %s: %w", c.sound.Name, err)
		}
	}
	init, err := c.init(adts.Config())
	record.Inits = []publish.Init{init}
	return record, err
}

// segments makes all segments of the piece.
func (c *cutter) segments(from packets) (publish.Record, error) {
	var record publish.Record
	grid, at := c.grid.Packets, c.piece.FirstPacket
	for n := c.piece.FirstSegment; n < c.piece.FirstSegment+c.piece.Segments; n++ {
		if n < 0 || n >= len(grid) {
			return record, fmt.Errorf("cut segment %d of %s: it is not on the grid", n, c.sound.Name)
		}
		plain, err := c.segment(from, n, at, grid[n])
		if err != nil {
			return record, fmt.Errorf("cut segment %d of %s: %w", n, c.sound.Name, err)
		}
		record.Segments = append(record.Segments, plain)
		at += grid[n]
		c.alive()
		c.progress(spool.Progress{Phase: spool.Encoding, Done: int64(at - c.piece.FirstPacket), Total: int64(c.piece.Packets)})
		if err := c.done(plain); err != nil {
			return record, err
		}
	}
	if at != c.piece.FirstPacket+c.piece.Packets {
		return record, fmt.Errorf("%w: the grid has %d packets in this piece, the piece %d",
			errProof, at-c.piece.FirstPacket, c.piece.Packets)
	}
	return record, nil
}

func (c *cutter) segment(from packets, number, first, count int) (publish.Plain, error) {
	plain := publish.Plain{Rendition: c.sound.Name, Number: number, Units: count}
	f := cmaf.Fragment{
		Sequence: uint32(number) + 1, Decode: uint64(first) * cmaf.PacketSamples,
		Samples: make([]cmaf.Sample, count),
	}
	for i := range f.Samples {
		data, err := from.next()
		if errors.Is(err, io.EOF) {
			return plain, fmt.Errorf("%w: %d packets, want %d", errProof, i, count)
		}
		if err != nil {
			return plain, err
		}
		f.Samples[i] = cmaf.Sample{Duration: cmaf.PacketSamples, Sync: true, Data: data}
	}
	track := c.wrapped(from.config())
	plain.Type = track.Type()
	data, err := track.Segment(f)
	if err != nil {
		return plain, err
	}
	return c.part.Write(plain, data)
}

// wrapped is the sound as it is published.
func (c *cutter) wrapped(config []byte) wrap.Track {
	return wrap.Track{
		Container: c.container, Config: config, Timescale: c.sound.SampleRate,
		Priming: c.grid.PrimingSamples, Language: c.sound.Language,
	}
}

func (c *cutter) init(config []byte) (publish.Init, error) {
	sound := c.sound
	codec, err := cmaf.AudioCodec(config)
	if err != nil {
		return publish.Init{}, err
	}
	data, err := c.wrapped(config).Init()
	if err != nil {
		return publish.Init{}, err
	}
	return publish.Init{Bytes: data, InitSection: spool.InitSection{
		Rendition: sound.Name, Codec: codec, Timescale: sound.SampleRate, Config: config,
	}}, nil
}

// heard is what the encoder printed of the source's frames, in samples at the
// source's rate.
type heard struct {
	first int64
	count int
}

func listen(pipe io.Reader, alive func()) (heard, error) {
	var h heard
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		time, ok, err := ffmpeg.SourceTime(lines.Text(), nil)
		if err != nil {
			return h, err
		}
		if !ok {
			continue
		}
		if h.count == 0 {
			h.first = time
		}
		h.count++
		alive()
	}
	if err := lines.Err(); err != nil {
		return h, fmt.Errorf("read source times: %w", err)
	}
	return h, nil
}

// prove makes sure that a piece which is placed by its anchor began with it.
func (h heard) prove(plan *spool.Plan, piece spool.AudioPiece) error {
	if piece.Anchor == nil || h.count == 0 {
		return nil // silence is placed by the timeline alone
	}
	off := h.first - ffmpeg.AnchorSample(plan, piece)
	if slack := ffmpeg.AnchorSlack(plan, piece); off >= -slack && off <= slack {
		return nil
	}
	return &spool.Error{
		Class: spool.Replan, Code: "sound-not-as-planned",
		Reason: fmt.Sprintf("audio piece %d: its sound begins %d samples from where the plan has it", piece.Number, off),
		Hint:   "the video is planned again, to be read from its start",
	}
}

// drain takes care of a pipe whose reader failed: when scratch is at fault
// the encoder is stopped, else the rest is thrown away, and how the encoder
// ends says why.
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
