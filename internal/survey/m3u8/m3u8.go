// Package m3u8 reads any HLS playlist, however wrong it is: all that can be
// understood is kept, with its line, and what cannot is named by the rule that
// it breaks (docs/rules.md). Package hls, which writes Spool's own playlists,
// refuses what this package reads on.
package m3u8

import (
	"time"
)

// Playlist is what a text says, as a multivariant playlist, a media playlist,
// or a mixture that should not be.
type Playlist struct {
	Tags     []Tag             // all tags and URIs in order; comments left out
	Problems []Problem         // of the text and of single values
	Version  int               // EXT-X-VERSION; 1 when it is not there
	Defined  map[string]string // the variables of EXT-X-DEFINE

	// Of media playlists.
	Target    int    // EXT-X-TARGETDURATION in seconds; 0 when it is not there
	Sequence  int    // EXT-X-MEDIA-SEQUENCE
	Type      string // EXT-X-PLAYLIST-TYPE: VOD, EVENT or ""
	Ended     bool   // EXT-X-ENDLIST
	IFrames   bool   // EXT-X-I-FRAMES-ONLY
	Segments  []Segment
	lastByURI map[string]int64 // end of the last byte range of each resource

	// Of multivariant playlists.
	Variants    []Variant // EXT-X-STREAM-INF and EXT-X-I-FRAME-STREAM-INF
	Renditions  []Tag     // EXT-X-MEDIA
	SessionKeys []Key
}

// Problem is a value or a line that does not follow the format.
type Problem struct {
	Line int // from 1
	Rule int
	Text string
}

// Segment is one entry of a media playlist.
type Segment struct {
	Line          int // of its URI
	URI           string
	Duration      time.Duration // EXTINF; digits beyond the nanosecond are dropped
	Range         *Range
	Key           *Key // nil: clear
	Map           *Map // nil: none
	Discontinuity bool // EXT-X-DISCONTINUITY stands before it
	Gap           bool // EXT-X-GAP: there is no media
	BitRate       int  // EXT-X-BITRATE in kbit/s, or 0
	Clock         time.Time
}

// Range is a part of a resource, in bytes.
type Range struct {
	Offset, Length int64
}

// Key is an EXT-X-KEY or EXT-X-SESSION-KEY whose method is not NONE.
type Key struct {
	Line   int
	Method string
	URI    string
	Format string // KEYFORMAT, "identity" when it is not there
	IV     *[16]byte
}

// Map is an EXT-X-MAP.
type Map struct {
	Line  int
	URI   string
	Range *Range
	Key   *Key // that was in force where it stands
}

// Variant is an EXT-X-STREAM-INF with its URI, or an EXT-X-I-FRAME-STREAM-INF.
type Variant struct {
	Tag
	URI           string
	IFrames       bool
	Bandwidth     int // bit/s; 0 when it is not there
	Average       int // bit/s; 0 when it is not there
	Width, Height int // 0 when RESOLUTION is not there
	FrameRate     float64
}

// Multivariant reports whether the playlist leads to others.
func (p Playlist) Multivariant() bool { return len(p.Variants) > 0 || len(p.Renditions) > 0 }

// Has reports whether a tag is there.
func (p Playlist) Has(name string) bool { return p.First(name).Line > 0 }

// First is the first tag of that name; its Line is 0 when there is none.
func (p Playlist) First(name string) Tag {
	for _, t := range p.Tags {
		if t.Name == name {
			return t
		}
	}
	return Tag{}
}

// Length is the sum of all durations.
func (p Playlist) Length() time.Duration {
	var sum time.Duration
	for _, s := range p.Segments {
		sum += s.Duration
	}
	return sum
}

// Growing reports whether the playlist may still get segments.
func (p Playlist) Growing() bool { return !p.Multivariant() && !p.Ended }
