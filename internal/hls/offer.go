package hls

import (
	"slices"

	"github.com/spool-video/spool"
)

// Stream is one rendition as a master playlist offers it: pictures without
// sound, or sound alone.
type Stream struct {
	URI           string
	Codec         string // RFC 6381
	Peak, Average int    // bits per second
	Width, Height int    // pixels; 0 for sound
	FrameRate     float64
	Channels      int // of sound
	Track         Track
}

// Track is what a source says of one of its tracks.
type Track struct {
	Number   int    // tells it from the others: of one track there may be several streams
	Language string // as its file tagged it: "eng", or ""
	Title    string
	Role     spool.Role
	Text     bool // subtitles
	Forced   bool // of subtitles
}

// The names of the audio groups. In both are all tracks; the second has those
// that have surround sound in that.
const (
	stereoGroup   = "audio"
	surroundGroup = "surround"
	textGroup     = "subtitles"
)

// Offer makes the master playlist of a video's renditions: every size with
// each group of sounds, the first track as the default. Rates of variants
// count the heaviest sound of their group. Sound alone is a variant by itself;
// the other tracks are its group.
func Offer(pictures, sounds []Stream) Master {
	m := Master{Version: Version, Independent: true}
	groups := groupSounds(sounds)
	switch {
	case len(pictures) == 0:
		m.Variants, groups = alone(groups)
	case len(groups) == 0:
		for _, p := range pictures {
			m.Variants = append(m.Variants, p.shown())
		}
		Order(m.Variants)
	}
	names := nameTracks(sounds)
	for _, g := range groups {
		var variants []Variant
		for _, p := range pictures {
			variants = append(variants, g.join(p.shown()))
		}
		Order(variants)
		m.Variants = append(m.Variants, variants...)
		for i, s := range g.members {
			r := s.rendition(i == 0)
			r.Group, r.Name = g.name, names[s.Track.Number]
			r.Autoselect = r.Autoselect && !slices.ContainsFunc(m.Audio, func(o Rendition) bool {
				return o.Group == r.Group && o.Autoselect && o.Language == r.Language && o.Characteristics == r.Characteristics
			})
			m.Audio = append(m.Audio, r)
		}
	}
	return m
}

// group is an audio group: each track once.
type group struct {
	name    string
	members []Stream
}

// groupSounds makes a group of all tracks in stereo, and one more when some
// are there in surround sound, too: that has the same tracks.
func groupSounds(sounds []Stream) []group {
	var narrow, wide []Stream
	surround := false
	for _, s := range sounds {
		at := func(members []Stream) int {
			return slices.IndexFunc(members, func(m Stream) bool { return m.Track.Number == s.Track.Number })
		}
		i, k := at(narrow), at(wide)
		if i < 0 {
			narrow = append(narrow, s)
		} else if s.Channels < narrow[i].Channels {
			narrow[i] = s
		}
		if k < 0 {
			wide = append(wide, s)
		} else if s.Channels > wide[k].Channels {
			wide[k] = s
		}
		surround = surround || i >= 0
	}
	switch {
	case len(sounds) == 0:
		return nil
	case surround:
		return []group{{stereoGroup, narrow}, {surroundGroup, wide}}
	}
	return []group{{stereoGroup, narrow}}
}

// join adds a group to a variant, whose playlist may be one of its members.
func (g group) join(v Variant) Variant {
	v.Audio = g.name
	v.Codecs = slices.Clone(v.Codecs)
	peak, average := 0, 0
	for _, s := range g.members {
		if s.URI != v.URI {
			peak, average = max(peak, s.Peak), max(average, s.Average)
		}
		if !slices.Contains(v.Codecs, s.Codec) {
			v.Codecs = append(v.Codecs, s.Codec)
		}
	}
	v.Bandwidth += peak
	v.Average += average
	return v
}

// alone makes variants of sound without pictures: the default track's. A group
// is wanted only when there is something to choose.
func alone(groups []group) ([]Variant, []group) {
	switch {
	case len(groups) == 0:
		return nil, nil
	case len(groups) == 1 && len(groups[0].members) == 1:
		return []Variant{groups[0].members[0].variant()}, nil
	}
	var variants []Variant
	for _, g := range groups {
		variants = append(variants, g.join(g.members[0].variant()))
	}
	return variants, groups
}

func (s Stream) variant() Variant {
	return Variant{
		URI: s.URI, Codecs: []string{s.Codec}, Bandwidth: s.Peak, Average: s.Average,
		Width: s.Width, Height: s.Height,
	}
}

// shown is the variant of pictures.
func (s Stream) shown() Variant {
	v := s.variant()
	v.FrameRate, v.VideoRange, v.NoCaptions = s.FrameRate, "SDR", true
	return v
}

// rendition says what players have to know of a sound but its group and name.
// Commentary is never chosen without being asked for.
func (s Stream) rendition(first bool) Rendition {
	return Rendition{
		Language: s.Track.tag().String(), Default: first, Autoselect: first || s.Track.Role != spool.Commentary,
		Characteristics: characteristics[s.Track.Role], Channels: s.Channels, URI: s.URI,
	}
}

// characteristics are those of sound (rfc8216bis, 4.4.6.1).
var characteristics = map[spool.Role]string{
	spool.Described: "public.accessibility.describes-video",
	spool.Impaired:  "public.accessibility.enhances-speech-intelligibility",
}
