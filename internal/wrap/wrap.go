// Package wrap makes what is published of cut samples: fragmented MP4, or
// MPEG-TS and packed audio. Who makes samples and who publishes them need not
// know which.
package wrap

import (
	"bytes"
	"fmt"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/mpegts"
)

// Content types of segments.
const (
	typeMP4    = "video/iso.segment"
	typeTS     = "video/mp2t"
	typePacked = "audio/aac"
)

// Track is a rendition as it is wrapped.
type Track struct {
	Container string // Settings.Container
	Video     bool
	Config    []byte // avcC payload, or AudioSpecificConfig
	Timescale int    // ticks a second of the samples' times
	Priming   int    // of sound: samples before the timeline's 0
	Language  string // of sound: ISO 639-2, or ""
}

// Type is the content type of its segments.
func (t Track) Type() string {
	switch {
	case t.Container != spool.TS:
		return typeMP4
	case t.Video:
		return typeTS
	}
	return typePacked
}

// Init is its init section; nil when the container has none.
func (t Track) Init() ([]byte, error) {
	switch {
	case t.Container == spool.TS:
		return nil, nil
	case t.Video:
		return cmaf.VideoInit(t.Config, t.Timescale)
	}
	return cmaf.AudioInit(t.Config, t.Priming, t.Language)
}

// Segment wraps fragments that follow one another: of pictures, a closed GOP
// each.
func (t Track) Segment(fragments ...cmaf.Fragment) ([]byte, error) {
	switch {
	case t.Container != spool.TS:
		return fragmented(fragments)
	case t.Video:
		return mpegts.Pictures(t.Config, t.Timescale, fragments)
	case len(fragments) != 1:
		return nil, fmt.Errorf("wrap sound: %d fragments, want one", len(fragments))
	}
	return mpegts.Sound(t.Config, int64(t.Priming), fragments[0])
}

func fragmented(fragments []cmaf.Fragment) ([]byte, error) {
	var out bytes.Buffer
	if err := cmaf.WriteSegmentStart(&out); err != nil {
		return nil, err
	}
	for _, f := range fragments {
		if err := cmaf.WriteFragment(&out, f); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// Origin is the time stamp, in ticks of 90 kHz, that media has at the timeline's
// 0.
func Origin(container string) int64 {
	if container == spool.TS {
		return mpegts.Start
	}
	return 0
}

// Demuxer is ffmpeg's name for what reads an init section, if there is one, and
// a segment behind it.
func Demuxer(container string, video bool) string {
	switch {
	case container != spool.TS:
		return "mp4"
	case video:
		return "mpegts"
	}
	return "aac"
}

// Rate is what coded media of a rate, in bits per second, has at most when it
// is wrapped; units is how many pictures or packets a second has.
func Rate(container string, video bool, rate int, units float64) int {
	switch {
	case container != spool.TS:
		return rate
	case video:
		return mpegts.PictureRate(rate, units)
	}
	return mpegts.SoundRate(rate, units)
}
