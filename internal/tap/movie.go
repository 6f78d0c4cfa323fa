package tap

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/spool-video/spool"
)

// ErrUnsupported says that a file's head does not tell exactly what is in it,
// or that this package cannot read it: wait for the whole file and ask
// ffprobe.
var ErrUnsupported = errors.New("only the whole file tells")

func unsupported(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrUnsupported)
}

// Limits of a moov box. A day of pictures at 60 a second and of sound are 9.3
// million samples; a sample takes 48 bytes.
const (
	MaxMoov    = 512 << 20 // bytes
	maxSamples = 12 << 20  // in all tracks
	maxTracks  = 64
	maxBoxes   = 4096 // in one box
	// maxEqual is how many samples a track may have whose sizes are not listed:
	// nothing in the file pays for each of them.
	maxEqual = 1 << 20
)

// Movie is what the moov box of a progressive MP4 or QuickTime file says.
type Movie struct {
	Timescale uint32  // ticks a second of edit lists
	Tracks    []Track // in the order of the file, which is that of ffmpeg's streams
}

// Track is one track of a movie.
type Track struct {
	Index    int         // ffmpeg's stream index
	ID       uint32      // track_ID
	Handler  string      // "vide", "soun", "sbtl", …
	TimeBase spool.Ratio // seconds a tick
	Codec    string      // four-character code of the sample entry: "avc1"
	// Config is how the decoder is set up: the payload of avcC or hvcC, or the
	// AudioSpecificConfig of esds; nil for others.
	Config []byte
	// Samples are those that ffmpeg reads, in decoding order.
	Samples []Sample
	// Err says why the track cannot be read from here; it wraps ErrUnsupported.
	// Samples are not to be used then.
	Err error

	length    int64 // of what is shown, ticks
	regular   int64 // distance of the frames when it is always the same; 0: it is not, or unknown
	common    int64 // what the first distances are multiples of; 0: not certain
	unlisted  bool  // there is no list of the key frames
	reordered bool  // the samples are not shown in the order in which they are decoded
}

// Sample is one packet of a track. Times are ticks of its time base, as
// ffprobe and ffmpeg with -copyts show them: edit lists are applied.
type Sample struct {
	DTS, PTS int64
	Pos      int64  // first byte in the file
	Size     uint32 // bytes
	Duration uint32 // until the next one is decoded
	Key      bool   // decoding can begin here
	Hidden   bool   // decoded, but neither seen nor heard
}

// Bytes is where the sample lies in the file.
func (s *Sample) Bytes() spool.Span { return spool.Span{From: s.Pos, To: s.Pos + int64(s.Size)} }

// ReadMovie reads a whole moov box, its header included, of a file of size
// bytes (-1: not known). What holds for the whole file, like fragments, is an
// error, which wraps ErrUnsupported; what holds for a track is its Err.
// The box may be hostile: nothing is allocated because a field says so.
func ReadMovie(moov []byte, size int64) (*Movie, error) {
	if len(moov) > MaxMoov {
		return nil, unsupported("moov has %d bytes", len(moov))
	}
	all, err := children(moov)
	if err != nil || len(all) == 0 || all[0].kind != "moov" {
		return nil, unsupported("no moov box")
	}
	parts, err := children(all[0].body)
	if err != nil {
		return nil, fmt.Errorf("read moov: %w", err)
	}
	m := &Movie{}
	if err := m.header(parts); err != nil {
		return nil, fmt.Errorf("read moov: %w", err)
	}
	left := maxSamples
	for _, b := range parts {
		if b.kind != "trak" {
			continue
		}
		if len(m.Tracks) == maxTracks {
			return nil, unsupported("read moov: more than %d tracks", maxTracks)
		}
		t := Track{Index: len(m.Tracks)}
		if err := t.read(b.body, m.Timescale, size, left); err != nil {
			t.Err, t.Samples = fmt.Errorf("track %d: %w", t.Index, err), nil
		}
		left -= len(t.Samples)
		m.Tracks = append(m.Tracks, t)
	}
	if len(m.Tracks) == 0 {
		return nil, unsupported("read moov: no tracks")
	}
	return m, nil
}

// header reads what stands beside the tracks.
func (m *Movie) header(parts []box) error {
	for i, b := range parts {
		switch b.kind {
		case "cmov":
			return unsupported("compressed moov")
		case "mvex":
			return unsupported("fragmented")
		case "udta", "meta":
			// A picture in front of a track is a stream, too, and shifts the
			// streams that follow.
			if hasTrackAfter(parts[i:]) && holdsCover(b.body) {
				return unsupported("cover picture before the tracks")
			}
		case "mvhd":
			if m.Timescale != 0 {
				return unsupported("two mvhd boxes")
			}
			scale, err := timescale(b.body)
			if err != nil {
				return fmt.Errorf("mvhd: %w", err)
			}
			m.Timescale = scale
		case "trak":
			if m.Timescale == 0 {
				return unsupported("no mvhd before the tracks")
			}
		}
	}
	if m.Timescale == 0 {
		return unsupported("no mvhd")
	}
	return nil
}

func hasTrackAfter(parts []box) bool {
	for _, b := range parts {
		if b.kind == "trak" {
			return true
		}
	}
	return false
}

func holdsCover(body []byte) bool {
	for i := 0; i+4 <= len(body); i++ {
		if string(body[i:i+4]) == "covr" {
			return true
		}
	}
	return false
}

// timescale reads ticks a second from an mvhd or mdhd box (ISO/IEC 14496-12,
// 8.2.2 and 8.4.2), in which they follow two times.
func timescale(b []byte) (uint32, error) {
	at := 12
	if len(b) > 0 && b[0] == 1 {
		at = 20
	}
	if len(b) < at+4 {
		return 0, unsupported("cut")
	}
	scale := binary.BigEndian.Uint32(b[at:])
	if scale == 0 || scale > 1<<31-1 {
		return 0, unsupported("timescale %d", scale)
	}
	return scale, nil
}

// box is one box of a file.
type box struct {
	kind string
	body []byte
}

// children splits bytes into the boxes that they hold. Fewer than 8 bytes at
// the end are padding.
func children(b []byte) ([]box, error) {
	var all []box
	for len(b) >= 8 {
		size, header := uint64(binary.BigEndian.Uint32(b)), uint64(8)
		switch size {
		case 0:
			if binary.BigEndian.Uint32(b[4:]) == 0 {
				return all, nil // QuickTime ends a list with zeros
			}
			size = uint64(len(b))
		case 1:
			if header = 16; len(b) < 16 {
				return nil, unsupported("cut box")
			}
			size = binary.BigEndian.Uint64(b[8:])
		}
		if size < header || size > uint64(len(b)) {
			return nil, unsupported("box %q of %d bytes in %d", b[4:8], size, len(b))
		}
		if len(all) == maxBoxes {
			return nil, unsupported("more than %d boxes", maxBoxes)
		}
		all = append(all, box{string(b[4:8]), b[header:size]})
		b = b[size:]
	}
	return all, nil
}

// one gives the bodies of boxes by kind, of those that may stand only once.
func one(b []byte, kinds ...string) (map[string][]byte, error) {
	all, err := children(b)
	if err != nil {
		return nil, err
	}
	found := make(map[string][]byte, len(kinds))
	for _, c := range all {
		for _, kind := range kinds {
			if c.kind != kind {
				continue
			}
			if _, twice := found[kind]; twice {
				return nil, unsupported("two %s boxes", kind)
			}
			found[kind] = c.body
		}
	}
	return found, nil
}
