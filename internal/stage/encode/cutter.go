package encode

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/publish"
	"github.com/spool-video/spool/internal/wrap"
)

// span is one segment that a cutter has to fill.
type span struct {
	number   int
	first    int    // output frame number of its first frame
	frames   int    // how many
	sequence uint32 // of its first GOP, from 1 on
}

// spans are the segments from..to (exclusive) of a grid.
func spans(g spool.Grid, from, to int) []span {
	var out []span
	first, sequence := 0, uint32(1)
	for n, frames := range g.Frames {
		if n >= from && n < to {
			out = append(out, span{n, first, frames, sequence})
		}
		first += frames
		sequence += uint32((frames + g.GOP - 1) / g.GOP)
	}
	return out
}

var errProof = errors.New("what the encoder wrote is not what was planned")

func disproved(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errProof, fmt.Sprintf(format, args...))
}

// cutter turns one rung's fragments into segments and proves each of them.
type cutter struct {
	rung      spool.Rung
	spans     []span
	timescale int
	ticks     int    // of one frame
	config    []byte // what the avcC must be; nil when nobody knows yet
	container string
	part      *publish.Part
	began     func(publish.Init)        // called when the codec configuration is known
	done      func(publish.Plain) error // called for each segment whose file is written
	alive     func()                    // called for each fragment
}

// cut reads the encoder's pipe to its end.
func (c *cutter) cut(pipe io.Reader) (publish.Init, error) {
	init, err := c.segments(cmaf.NewReader(pipe))
	if err != nil {
		return init, fmt.Errorf("cut %s: %w", c.rung.Name, err)
	}
	return init, nil
}

func (c *cutter) segments(r *cmaf.Reader) (publish.Init, error) {
	track, err := r.Init()
	if err != nil {
		return publish.Init{}, err
	}
	init, err := c.init(track)
	if err != nil {
		return init, err
	}
	c.began(init)
	var at timing
	for _, s := range c.spans {
		plain, data, err := c.segment(r, s, &at, c.wrapped(track.Config))
		if err != nil {
			return init, fmt.Errorf("segment %d: %w", s.number, err)
		}
		if plain.IFrames, err = c.wrapped(track.Config).IFrames(data); err != nil {
			return init, err
		}
		if plain, err = c.part.Write(plain, data); err != nil {
			return init, err
		}
		if err := c.done(plain); err != nil {
			return init, err
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = disproved("more frames than the chunk has")
		}
		return init, err
	}
	return init, nil
}

// init holds the track against the plan and makes the init section.
func (c *cutter) init(t cmaf.Track) (publish.Init, error) {
	if !t.Video || t.Width != c.rung.Width || t.Height != c.rung.Height || t.Timescale != c.timescale {
		return publish.Init{}, disproved("track of %dx%d, timescale %d; want %dx%d, %d",
			t.Width, t.Height, t.Timescale, c.rung.Width, c.rung.Height, c.timescale)
	}
	if c.config != nil && !bytes.Equal(c.config, t.Config) {
		return publish.Init{}, disproved("codec configuration %x differs from the first chunk's %x", t.Config, c.config)
	}
	codec, err := cmaf.VideoCodec(t.Config)
	if err != nil {
		return publish.Init{}, err
	}
	data, err := c.wrapped(t.Config).Init()
	if err != nil {
		return publish.Init{}, err
	}
	return publish.Init{Bytes: data, InitSection: spool.InitSection{
		Rendition: c.rung.Name, Codec: codec, Width: t.Width, Height: t.Height,
		Timescale: c.timescale, Config: t.Config,
	}}, nil
}

// wrapped is the rung as it is published.
func (c *cutter) wrapped(config []byte) wrap.Track {
	return wrap.Track{Container: c.container, Video: true, Config: config, Timescale: c.timescale}
}

// segment fills one segment from whole fragments.
func (c *cutter) segment(r *cmaf.Reader, s span, at *timing, track wrap.Track) (publish.Plain, []byte, error) {
	plain := publish.Plain{Rendition: c.rung.Name, Number: s.number, Type: track.Type()}
	var gops []cmaf.Fragment
	for sequence := s.sequence; plain.Units < s.frames; sequence++ {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			return plain, nil, disproved("%d frames, want %d", plain.Units, s.frames)
		}
		if err != nil {
			return plain, nil, err
		}
		if plain.Units+len(f.Samples) > s.frames {
			return plain, nil, disproved("no key frame after frame %d", s.first+plain.Units)
		}
		if !cmaf.IsIDR(f.Samples[0].Data, track.Config) {
			return plain, nil, disproved("frame %d is not an IDR picture", s.first+plain.Units)
		}
		if err := at.retime(&f, s.first+plain.Units, c.ticks); err != nil {
			return plain, nil, err
		}
		f.Sequence = 2*sequence - 1 // a GOP is two fragments
		gops = append(gops, f)
		plain.Units += len(f.Samples)
		plain.KeyFrames++
		c.alive()
	}
	data, err := track.Segment(gops...)
	return plain, data, err
}

// timing maps an encoder's own clock to frame numbers.
type timing struct {
	started bool
	base    int64 // the encoder's presentation time of the first frame, ticks
	frames  int   // seen so far
}

// retime gives a fragment its times from the grid: first is the number of its
// first frame. It proves that the fragment is a closed GOP: its pictures are
// shown at consecutive frame times from first on, each once, and only the
// first of them is a key frame.
func (t *timing) retime(f *cmaf.Fragment, first, ticks int) error {
	decode := int64(f.Decode)
	if !t.started {
		t.started, t.base = true, decode+int64(f.Samples[0].Offset)
	}
	shown := make([]bool, len(f.Samples))
	for i := range f.Samples {
		s := &f.Samples[i]
		since := decode + int64(s.Offset) - t.base
		decode += int64(s.Duration)
		place := since/int64(ticks) - int64(t.frames)
		if since%int64(ticks) != 0 || int(s.Duration) != ticks || place < 0 || place >= int64(len(shown)) || shown[place] {
			return disproved("the picture decoded as frame %d lasts %d ticks and is shown at tick %d", first+i, s.Duration, since)
		}
		if s.Sync != (i == 0) || i == 0 && place != 0 {
			return disproved("the GOP at frame %d is not closed by its key frame", first)
		}
		shown[place] = true
		s.Offset = int32((int(place) - i) * ticks)
	}
	f.Decode = uint64(first) * uint64(ticks)
	t.frames += len(shown)
	return nil
}
