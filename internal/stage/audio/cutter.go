package audio

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/publish"
)

var errProof = errors.New("what the encoder wrote is not what was planned")

// cutter turns a piece's AAC packets into segments.
type cutter struct {
	plan     *spool.Plan
	sound    spool.Sound
	grid     spool.Grid // of the sound
	piece    spool.AudioPiece
	part     *publish.Part
	done     func(publish.Plain) error // called for each segment whose file is written
	alive    func()
	progress func(spool.Progress)
}

func newCutter(job spool.Job) cutter {
	return cutter{
		plan: job.Plan, piece: *job.Piece, sound: job.Plan.Sounds[job.Piece.Sound], grid: job.Plan.SoundGrid(job.Piece.Sound),
	}
}

// cut reads the encoder's pipe to its end. The pre-roll is dropped, and what
// follows the piece's last packet.
func (c *cutter) cut(pipe io.Reader) (publish.Record, error) {
	packets := cmaf.NewADTS(bufio.NewReader(pipe))
	for range ffmpeg.Preroll(c.piece) {
		if _, err := packets.Next(); err != nil {
			return publish.Record{}, fmt.Errorf("cut pre-roll of %s: %w", c.sound.Name, err)
		}
	}
	record, err := c.segments(packets.Next)
	if err != nil {
		return record, err
	}
	for {
		if _, err := packets.Next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return record, fmt.Errorf("cut %s: %w", c.sound.Name, err)
		}
	}
	init, err := c.init(packets.Config())
	record.Inits = []publish.Init{init}
	return record, err
}

// segments makes all segments of the piece; next gives its packets, io.EOF when
// there are no more.
func (c *cutter) segments(next func() ([]byte, error)) (publish.Record, error) {
	var record publish.Record
	grid, at := c.grid.Packets, c.piece.FirstPacket
	for n := c.piece.FirstSegment; n < c.piece.FirstSegment+c.piece.Segments; n++ {
		if n < 0 || n >= len(grid) {
			return record, fmt.Errorf("cut segment %d of %s: it is not on the grid", n, c.sound.Name)
		}
		plain, err := c.segment(next, n, at, grid[n])
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

func (c *cutter) segment(next func() ([]byte, error), number, first, count int) (publish.Plain, error) {
	plain := publish.Plain{Rendition: c.sound.Name, Number: number, Units: count}
	f := cmaf.Fragment{
		Sequence: uint32(number) + 1, Decode: uint64(first) * cmaf.PacketSamples,
		Samples: make([]cmaf.Sample, count),
	}
	for i := range f.Samples {
		data, err := next()
		if errors.Is(err, io.EOF) {
			return plain, fmt.Errorf("%w: %d packets, want %d", errProof, i, count)
		}
		if err != nil {
			return plain, err
		}
		f.Samples[i] = cmaf.Sample{Duration: cmaf.PacketSamples, Sync: true, Data: data}
	}
	var out bytes.Buffer
	if err := cmaf.WriteSegmentStart(&out); err != nil {
		return plain, err
	}
	if err := cmaf.WriteFragment(&out, f); err != nil {
		return plain, err
	}
	return c.part.Write(plain, out.Bytes())
}

func (c *cutter) init(config []byte) (publish.Init, error) {
	sound := c.sound
	codec, err := cmaf.AudioCodec(config)
	if err != nil {
		return publish.Init{}, err
	}
	data, err := cmaf.AudioInit(config, c.grid.PrimingSamples, sound.Language)
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
