package wrap

import (
	"bytes"
	"errors"
	"io"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/mpegts"
)

// Key is a key frame of a segment.
type Key struct {
	After int64  // of the segment's first picture, ticks of the track's timescale
	Data  []byte // the picture as a sample of fragmented MP4
}

// IFrames finds the key frames of a clear segment of pictures, as players can
// have them by themselves.
func (t Track) IFrames(segment []byte) ([]spool.IFrame, error) {
	if t.Container == spool.TS {
		return mpegts.IFrames(segment)
	}
	return cmaf.IFrames(segment)
}

// Still makes a segment of one of its key frames alone.
func (t Track) Still(segment []byte, i spool.IFrame) ([]byte, error) {
	if t.Container == spool.TS {
		return mpegts.Still(segment, i)
	}
	return cmaf.Still(segment, i)
}

// First is the first picture of a segment of pictures whose start is at hand,
// up to the end of that picture at least. Errors wrap those of the container.
func (t Track) First(start []byte) (Key, error) {
	if t.Container == spool.TS {
		data, err := mpegts.First(t.Config, start)
		return Key{Data: data}, err
	}
	init, err := t.Init()
	if err != nil {
		return Key{}, err
	}
	f, err := cmaf.First(init, start)
	if err != nil {
		return Key{}, err
	}
	return Key{Data: f.Samples[0].Data}, nil
}

// Keys are the key frames of a clear segment of pictures.
func (t Track) Keys(segment []byte) ([]Key, error) {
	if t.Container == spool.TS {
		return t.transported(segment)
	}
	init, err := t.Init()
	if err != nil {
		return nil, err
	}
	r := cmaf.NewReader(io.MultiReader(bytes.NewReader(init), bytes.NewReader(segment)))
	var all []Key
	first := int64(0)
	for {
		f, err := r.Next()
		if errors.Is(err, io.EOF) && len(all) > 0 {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		at := int64(f.Decode)
		for _, s := range f.Samples {
			if s.Sync && len(all) == 0 {
				first = at + int64(s.Offset)
			}
			if s.Sync {
				all = append(all, Key{After: at + int64(s.Offset) - first, Data: s.Data})
			}
			at += int64(s.Duration)
		}
	}
}

func (t Track) transported(segment []byte) ([]Key, error) {
	pictures, err := mpegts.ReadPictures(t.Config, segment)
	if err != nil {
		return nil, err
	}
	var all []Key
	for _, p := range pictures {
		if p.Key {
			since := (p.PTS - pictures[0].PTS + mpegts.Wrap) % mpegts.Wrap
			after := (since*int64(t.Timescale) + mpegts.Clock/2) / mpegts.Clock
			all = append(all, Key{After: after, Data: p.Data})
		}
	}
	return all, nil
}
