// Package stream tells what is in a media segment of any HLS package: fragmented
// MP4, MPEG-TS, packed audio or WebVTT, clear or decrypted. It says what it
// found and judges nothing but what it cannot read on; Spool's own segments,
// which have to be exactly as planned, are read by package cmaf.
package stream

import "fmt"

// Kind is what a track carries.
type Kind string

// The kinds of tracks.
const (
	Video Kind = "video"
	Audio Kind = "audio"
	Text  Kind = "text"
	Other Kind = "other"
)

// Container is how a segment is wrapped.
type Container string

// The containers.
const (
	MP4    Container = "fragmented MP4"
	TS     Container = "MPEG-TS"
	Packed Container = "packed audio"
	VTT    Container = "WebVTT"
)

// Problem is something in a file that breaks a rule by itself.
type Problem struct {
	Rule               int
	Text               string
	Declared, Measured string
}

// Track is one elementary stream as its headers describe it.
type Track struct {
	ID         int // track ID, or PID
	Kind       Kind
	Entry      string  // sample entry ("avc1"), or what stands for it in TS
	Codec      string  // RFC 6381; "" when it cannot be told
	Timescale  int64   // ticks a second
	Config     []byte  // parameter sets or audio configuration
	Picture    Picture // of video
	Sound      Sound   // of audio
	Edits      []Edit
	MovieScale int64       // timescale of the edits' durations
	Protection *Protection // nil: clear, or encrypted as a whole
	Sampled    bool        // of MPEG-TS and packed audio: its samples are encrypted each by itself
	Loudness   bool        // ludt is there
	Mastering  bool        // of HEVC: the sample description tells on what display it was graded (MDCV)
	LightLevel bool        // of HEVC: and how bright it gets (CLLI)
	lengthSize int         // bytes before each NAL unit
}

// Picture is what parameter sets say of pictures.
type Picture struct {
	Width, Height int // as displayed: cropped, pixels made square
	Profile       int // profile_idc, seq_profile
	Level         int // level_idc, seq_level_idx
	HighTier      bool
	Interlaced    bool
	Depth         int    // bits of a sample of luma
	Blocks        int    // macroblocks of a picture, of H.264
	Kept          int    // pictures that a decoder of H.264 has to keep
	Colour        [3]int // CICP primaries, transfer, matrix; 0 where not said
}

// Sound is what an audio configuration says.
type Sound struct {
	Object   int // MPEG-4 audio object type; 0 when it is not AAC
	Channels int
	Rate     int // Hz
	BitRate  int // bits per second, as the sample description says; 0 when it does not
}

// Edit is one entry of an edit list.
type Edit struct {
	Duration  int64 // in the movie's timescale
	MediaTime int64 // in the track's; -1: nothing is shown
}

// Protection is how samples are encrypted, each by itself.
type Protection struct {
	Scheme      string // "cbcs"
	Crypt, Skip int
	ConstantIV  bool
}

// Shift is what has to be added to a time of the track's media, in ticks, to
// have the time at which it is presented.
func (t Track) Shift() int64 {
	var shift int64
	for _, e := range t.Edits {
		if e.MediaTime >= 0 {
			return shift - e.MediaTime
		}
		if t.MovieScale > 0 {
			shift += e.Duration * t.Timescale / t.MovieScale
		}
	}
	return shift
}

// Init is what an init section says.
type Init struct {
	Tracks   []Track
	Problems []Problem
	trex     []trex
}

// Media is what one segment holds.
type Media struct {
	Container Container
	Runs      []Run // one a track, in order of the tracks
	Problems  []Problem
	Counters  map[int]Counters // by PID
	Cues      []Cue
	Mapped    bool // X-TIMESTAMP-MAP is there
}

// Counters are the continuity counters of one PID.
type Counters struct {
	First, Last byte
	Fresh       bool // the first packet states a discontinuity
}

// Run is one track's media in a segment. Times are ticks of the track's
// timescale, before its edit list.
type Run struct {
	Track    Track
	Samples  int
	Decode   int64 // decode time of the first sample
	Duration int64 // sum of the samples' durations; of TS, as far as can be told
	Start    int64 // first presentation time
	End      int64 // end of the last sample presented
	Frame    int64 // the usual duration of a sample
	Steady   bool  // all samples last as long, within a tick
	Packets  bool  // samples are packets of MPEG-TS, each with any number of frames
	Keys     []KeyFrame
	IDR      bool // the first sample is an IDR picture; true for what is not video
	First    string
	Captions bool
	Bytes    int64 // of the samples
	Partial  bool  // the data ends before the last sample does
	HasSenc  bool  // senc, or saiz with saio
	Grouped  bool  // sgpd or sbgp is there
}

// KeyFrame is where a picture lies that needs no other.
type KeyFrame struct {
	At     int64 // presentation time
	Offset int64 // of its fragment in the segment; -1 when unknown
	Size   int64 // from there to its end
}

// Find is the first run of a kind, or nil.
func (m Media) Find(kind Kind) *Run {
	for i := range m.Runs {
		if m.Runs[i].Track.Kind == kind {
			return &m.Runs[i]
		}
	}
	return nil
}

func (m *Media) wrong(rule int, format string, args ...any) {
	m.Problems = append(m.Problems, Problem{Rule: rule, Text: fmt.Sprintf(format, args...)})
}

// Sniff tells a segment's container by its first bytes.
func Sniff(b []byte) Container {
	switch {
	case len(b) >= 8 && isBox(string(b[4:8])):
		return MP4
	case len(b) >= PacketSize && b[0] == sync && (len(b) == PacketSize || b[PacketSize] == sync):
		return TS
	case len(b) >= 6 && string(b[:6]) == "WEBVTT", len(b) >= 9 && string(b[:9]) == "\xef\xbb\xbfWEBVTT":
		return VTT
	case len(b) >= 3 && string(b[:3]) == "ID3", len(b) >= 2 && b[0] == 0xff && b[1]&0xe0 == 0xe0, len(b) >= 2 && b[0] == 0x0b && b[1] == 0x77:
		return Packed
	}
	return ""
}

// Read reads a clear segment. init is that of its EXT-X-MAP, or nil.
//
// The libraries that read boxes and packets are careful with hostile input,
// but they are not ours: a panic in one is a segment that cannot be read.
func Read(init *Init, b []byte) (m Media) {
	defer func() {
		if p := recover(); p != nil {
			m = Media{Container: Sniff(b)}
			m.wrong(41, "it cannot be read: %v", p)
		}
	}()
	switch Sniff(b) {
	case MP4:
		return readFragments(init, b)
	case TS:
		return readTransport(b, nil)
	case VTT:
		return readText(b)
	case Packed:
		return readPacked(b, nil)
	case AnnexB: // is in no package
	}
	m.wrong(33, "it is neither fragmented MP4, MPEG-TS, packed audio nor WebVTT")
	return m
}
