package hls

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"time"
)

// Media is a media playlist: of a video on demand, or one that grows to be it.
type Media struct {
	Version     int
	Target      int // EXT-X-TARGETDURATION, seconds
	Sequence    int // number of the first segment
	Independent bool
	VOD         bool   // EXT-X-PLAYLIST-TYPE is VOD: nothing will change
	Event       bool   // EXT-X-PLAYLIST-TYPE is EVENT: segments are added at its end
	FromStart   bool   // EXT-X-START with TIME-OFFSET=0: players begin at the start, even of a list that grows
	Map         string // URI of the init section, or ""
	IFrames     bool   // EXT-X-I-FRAMES-ONLY: each entry is one picture
	Segments    []Segment
	Ended       bool // EXT-X-ENDLIST is there
}

// Segment is one entry of a media playlist.
type Segment struct {
	URI      string
	Duration time.Duration // whole microseconds when written
	Key      *Key          // nil: clear
	Range    *Range        // nil: all of it; only in lists of I-frames
}

// Range is a part of a resource, in bytes.
type Range struct {
	Offset, Length int64
}

// Key is how a segment is encrypted: AES-128, the whole segment, CBC.
type Key struct {
	URI string
	// IV is the initialisation vector. Nil, only in playlists that were read:
	// the media sequence number as 128 bits, big-endian.
	IV *[16]byte
}

// Length is the sum of all durations.
func (m Media) Length() time.Duration {
	var sum time.Duration
	for _, s := range m.Segments {
		sum += s.Duration
	}
	return sum
}

// Encode writes the playlist. The init section stands before the first key,
// so that it is read as clear. It is an error when a segment is longer than
// the target duration allows, when a URI cannot stand in a playlist, or when
// both types are set.
func (m Media) Encode() ([]byte, error) {
	if m.VOD && m.Event {
		return nil, fmt.Errorf("encode media playlist: it is both VOD and EVENT")
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-TARGETDURATION:%d\n#EXT-X-MEDIA-SEQUENCE:%d\n", m.Version, m.Target, m.Sequence)
	if m.VOD {
		b.WriteString("#EXT-X-PLAYLIST-TYPE:VOD\n")
	}
	if m.Event {
		b.WriteString("#EXT-X-PLAYLIST-TYPE:EVENT\n")
	}
	if m.FromStart {
		b.WriteString("#EXT-X-START:TIME-OFFSET=0\n")
	}
	if m.Independent {
		b.WriteString("#EXT-X-INDEPENDENT-SEGMENTS\n")
	}
	if m.IFrames {
		b.WriteString("#EXT-X-I-FRAMES-ONLY\n")
	}
	if m.Map != "" {
		if !quotable(m.Map) {
			return nil, fmt.Errorf("encode media playlist: init section %q cannot be quoted", m.Map)
		}
		fmt.Fprintf(&b, "#EXT-X-MAP:URI=\"%s\"\n", m.Map)
	}
	var key *Key
	for i, s := range m.Segments {
		if err := m.check(s); err != nil {
			return nil, fmt.Errorf("encode media playlist: segment %d: %w", i, err)
		}
		if !key.equal(s.Key) {
			s.Key.encode(&b)
			key = s.Key
		}
		micros := s.Duration / tick
		fmt.Fprintf(&b, "#EXTINF:%d.%06d,\n", micros/1e6, micros%1e6)
		if s.Range != nil {
			fmt.Fprintf(&b, "#EXT-X-BYTERANGE:%d@%d\n", s.Range.Length, s.Range.Offset)
		}
		b.WriteString(s.URI + "\n")
	}
	if m.Ended {
		b.WriteString("#EXT-X-ENDLIST\n")
	}
	return b.Bytes(), nil
}

func (m Media) check(s Segment) error {
	switch {
	case s.Duration < 0:
		return fmt.Errorf("duration %v is negative", s.Duration)
	case tooLong(s.Duration, m.Target):
		return fmt.Errorf("duration %v does not round to the target of %d s or less", s.Duration, m.Target)
	case !standsAlone(s.URI):
		return fmt.Errorf("URI %q cannot stand on a line", s.URI)
	case s.Range != nil && (!m.IFrames || s.Range.Offset < 0 || s.Range.Length <= 0 || s.Key != nil):
		return fmt.Errorf("byte range %+v cannot stand here", *s.Range)
	case s.Key != nil && !quotable(s.Key.URI):
		return fmt.Errorf("key URI cannot be quoted")
	}
	return nil
}

// tooLong is rule 7: a duration rounds to the target or less.
func tooLong(d time.Duration, target int) bool {
	return (d+time.Second/2)/time.Second > time.Duration(target)
}

func (k *Key) encode(b *bytes.Buffer) {
	if k == nil {
		b.WriteString("#EXT-X-KEY:METHOD=NONE\n")
		return
	}
	fmt.Fprintf(b, "#EXT-X-KEY:METHOD=AES-128,URI=\"%s\"", k.URI)
	if k.IV != nil {
		fmt.Fprintf(b, ",IV=0x%s", hex.EncodeToString(k.IV[:]))
	}
	b.WriteByte('\n')
}

func (k *Key) equal(other *Key) bool {
	if k == nil || other == nil {
		return k == other
	}
	if k.IV == nil || other.IV == nil {
		return k.IV == other.IV && k.URI == other.URI
	}
	return *k.IV == *other.IV && k.URI == other.URI
}
