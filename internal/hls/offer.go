package hls

import (
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// Stream is one rendition as a master playlist offers it: pictures without
// sound, or sound alone.
type Stream struct {
	URI           string
	Codec         string // RFC 6381
	Peak, Average int    // bits per second
	Width, Height int    // pixels; 0 for sound
	FrameRate     float64
	Language      string // of sound, as its file tagged it: "eng", or ""
	Channels      int    // of sound
}

// soundGroup is the name of the one audio group.
const soundGroup = "audio"

// Offer makes the master playlist of a video's renditions: every size with
// the sound as a group, the first sound as the default. Rates of variants
// count the heaviest sound. Sound alone is a variant, and then only its
// heaviest rendition is offered.
func Offer(pictures, sounds []Stream) Master {
	m := Master{Version: Version, Independent: true}
	var sound *Stream // the heaviest
	for i, s := range sounds {
		if sound == nil || s.Peak > sound.Peak {
			sound = &sounds[i]
		}
		m.Audio = append(m.Audio, s.rendition(i == 0))
	}
	for _, p := range pictures {
		v := p.variant()
		v.FrameRate, v.VideoRange, v.NoCaptions = p.FrameRate, "SDR", true
		if sound != nil {
			v.Audio = soundGroup
			v.Bandwidth += sound.Peak
			v.Average += sound.Average
			v.Codecs = append(v.Codecs, sound.Codec)
		}
		m.Variants = append(m.Variants, v)
	}
	if len(m.Variants) == 0 && sound != nil {
		// Sound alone: its playlist is the variant, and there is no group.
		m.Audio, m.Variants = nil, []Variant{sound.variant()}
	}
	Order(m.Variants)
	return m
}

func (s Stream) variant() Variant {
	return Variant{
		URI: s.URI, Codecs: []string{s.Codec}, Bandwidth: s.Peak, Average: s.Average,
		Width: s.Width, Height: s.Height,
	}
}

// rendition names sound for people and for players.
func (s Stream) rendition(first bool) Rendition {
	out := Rendition{
		Group: soundGroup, Name: "Audio", Language: "und", Default: first, Autoselect: true,
		Channels: s.Channels, URI: s.URI,
	}
	// Players compare RFC 5646 tags: "en", where files say "eng".
	tag, err := language.Parse(s.Language)
	if err != nil || tag == language.Und {
		return out
	}
	out.Language = tag.String()
	if name := display.English.Tags().Name(tag); name != "" {
		out.Name = name
	}
	return out
}
