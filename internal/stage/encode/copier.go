package encode

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/publish"
	"github.com/spool-video/spool/internal/tap"
	"github.com/spool-video/spool/internal/wrap"
)

// pictures are the coded pictures of a source as its index names them.
type pictures struct {
	config  []byte       // avcC payload
	samples []tap.Sample // in the order of decoding
	// read fills p from an offset of the source. A source that is shorter than
	// its index says gives io.ErrUnexpectedEOF.
	read func(ctx context.Context, p []byte, at int64) error
}

// copier makes the segments of a rung of the source's own coded pictures, byte
// by byte as they are, and proves that they are what the plan took them for.
// Output frame n is the source's picture n: a source that is copied has
// neither holes nor open GOPs, so that both are in the same order.
type copier struct {
	rung             spool.Rung
	container        string
	line             spool.Timeline
	spans            []span
	timescale, ticks int
	source           pictures
	part             *publish.Part
	began            func(publish.Init)        // called before the first segment
	done             func(publish.Plain) error // called for each segment whose file is written
	alive            func(frames int)          // called for each GOP with the frames so far
}

// What a copy reads at once. A plan that copies has seen a rate far below.
const (
	largestPicture = 64 << 20
	largestGOP     = 256 << 20
)

var errCopy = errors.New("the source's own pictures are not what its index says")

// unfit is a breach of what the plan took for true.
func unfit(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errCopy, fmt.Sprintf(format, args...))
}

// copy makes all segments and gives the rung's init section.
func (c *copier) copy(ctx context.Context) (publish.Init, error) {
	init, err := c.init()
	if err != nil {
		return init, fmt.Errorf("copy %s: %w", c.rung.Name, err)
	}
	c.began(init)
	frames := 0
	for _, s := range c.spans {
		plain, data, err := c.segment(ctx, s, frames)
		if err != nil {
			return init, fmt.Errorf("copy %s: segment %d: %w", c.rung.Name, s.number, err)
		}
		frames += plain.Units
		if plain.IFrames, err = c.wrapped().IFrames(data); err != nil {
			return init, err
		}
		if plain, err = c.part.Write(plain, data); err != nil {
			return init, err
		}
		if err := c.done(plain); err != nil {
			return init, err
		}
	}
	return init, nil
}

// init makes the init section around the source's own parameter sets.
func (c *copier) init() (publish.Init, error) {
	h, err := cmaf.ParseH264(c.source.config)
	if err != nil {
		return publish.Init{}, unfit("its parameters cannot be read: %v", err)
	}
	if h.Width != c.rung.Width || h.Height != c.rung.Height {
		return publish.Init{}, unfit("pictures of %dx%d, want %dx%d", h.Width, h.Height, c.rung.Width, c.rung.Height)
	}
	if len(c.source.samples) != c.line.SourceFrames {
		return publish.Init{}, unfit("%d pictures, planned are %d", len(c.source.samples), c.line.SourceFrames)
	}
	codec, err := cmaf.VideoCodec(c.source.config)
	if err != nil {
		return publish.Init{}, unfit("%v", err)
	}
	data, err := c.wrapped().Init()
	if err != nil {
		return publish.Init{}, unfit("%v", err)
	}
	return publish.Init{Bytes: data, InitSection: spool.InitSection{
		Rendition: c.rung.Name, Codec: codec, Width: h.Width, Height: h.Height,
		Timescale: c.timescale, Config: c.source.config,
	}}, nil
}

// wrapped is the rung as it is published.
func (c *copier) wrapped() wrap.Track {
	return wrap.Track{Container: c.container, Video: true, Config: c.source.config, Timescale: c.timescale}
}

// segment fills one segment with whole GOPs, a fragment each. before is how
// many frames were made already.
func (c *copier) segment(ctx context.Context, s span, before int) (publish.Plain, []byte, error) {
	track := c.wrapped()
	plain := publish.Plain{Rendition: c.rung.Name, Number: s.number, Type: track.Type()}
	if s.first < 0 || s.first+s.frames > len(c.source.samples) {
		return plain, nil, unfit("it ends before frame %d", s.first+s.frames)
	}
	var gops []cmaf.Fragment
	sequence := c.gopsBefore(s.first) + 1
	for plain.Units < s.frames {
		f, err := c.gop(ctx, s.first+plain.Units)
		if err != nil {
			return plain, nil, err
		}
		if plain.Units+len(f.Samples) > s.frames {
			return plain, nil, unfit("no key frame at frame %d", s.first+s.frames)
		}
		f.Sequence = uint32(2*(sequence+plain.KeyFrames) - 1) // a GOP is two fragments
		gops = append(gops, f)
		plain.Units += len(f.Samples)
		plain.KeyFrames++
		c.alive(before + plain.Units)
	}
	data, err := track.Segment(gops...)
	if err != nil {
		return plain, nil, unfit("%v", err)
	}
	return plain, data, nil
}

// gopsBefore is how many GOPs lie before a frame: fragments of a rendition are
// numbered through.
func (c *copier) gopsBefore(frame int) int {
	n := 0
	for _, s := range c.source.samples[:frame] {
		if s.Key {
			n++
		}
	}
	return n
}

// gop reads the GOP that begins with a frame and proves it: it begins with an
// IDR picture, holds no other parameters, and its pictures are shown at
// consecutive frames from its first on, each once.
func (c *copier) gop(ctx context.Context, first int) (cmaf.Fragment, error) {
	samples := c.source.samples[first:]
	if !samples[0].Key {
		return cmaf.Fragment{}, unfit("no key frame at frame %d", first)
	}
	n, size := 1, int64(samples[0].Size)
	for n < len(samples) && !samples[n].Key {
		size += int64(samples[n].Size)
		n++
	}
	if size > largestGOP {
		return cmaf.Fragment{}, unfit("the GOP at frame %d has %d bytes", first, size)
	}
	f := cmaf.Fragment{Decode: uint64(first) * uint64(c.ticks), Samples: make([]cmaf.Sample, n)}
	shown := make([]bool, n)
	for i, s := range samples[:n] {
		place := int(c.line.TimeBase.RescaleNearest(s.PTS-c.line.Origin, c.line.Rate.Invert())) - first
		if place < 0 || place >= n || shown[place] || i == 0 && place != 0 {
			return f, unfit("the GOP at frame %d is not closed: it has %d pictures, and one is shown as frame %d", first, n, first+place)
		}
		shown[place] = true
		data, err := c.picture(ctx, s, i == 0)
		if err != nil {
			return f, fmt.Errorf("picture %d: %w", first+i, err)
		}
		f.Samples[i] = cmaf.Sample{Duration: uint32(c.ticks), Offset: int32((place - i) * c.ticks), Sync: i == 0, Data: data}
	}
	return f, nil
}

// picture reads one coded picture and proves it.
func (c *copier) picture(ctx context.Context, s tap.Sample, key bool) ([]byte, error) {
	if s.Size > largestPicture {
		return nil, unfit("it has %d bytes", s.Size)
	}
	data := make([]byte, s.Size)
	if err := c.source.read(ctx, data, s.Pos); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, unfit("the source ends before it")
		}
		return nil, fmt.Errorf("read source at %d: %w", s.Pos, err)
	}
	p, err := cmaf.LookAt(data, c.source.config)
	switch {
	case err != nil:
		return nil, unfit("%v", err)
	case key && !p.IDR:
		return nil, unfit("a key frame that is no IDR picture")
	case p.Sets:
		return nil, unfit("the parameter sets change")
	case p.Captions:
		return nil, unfit("it holds closed captions")
	}
	return data, nil
}

// breach makes the error that plans anew of one that speaks against copying;
// others stay.
func breach(number int, err error) error {
	if !errors.Is(err, errCopy) {
		return err
	}
	return &spool.Error{
		Class: spool.Replan, Code: "copy-not-as-planned", Err: err,
		Reason: fmt.Sprintf("chunk %d: the source's own pictures cannot be published as they are", number),
		Hint:   "the video is planned again, and all of its sizes are encoded",
	}
}
