package tap

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
)

// Container is how a source is packed, which decides how it can be read while
// it arrives.
type Container string

// The containers.
const (
	MP4        Container = "mp4"  // progressive MP4 or QuickTime: the moov box tells all
	Fragmented Container = "fmp4" // MP4 whose index lies in its fragments
	Matroska   Container = "matroska"
	MPEGTS     Container = "mpegts"
	Other      Container = "other"
)

// Layout is where things lie in a file that is arriving.
type Layout struct {
	Container Container
	// Moov is where the moov box of an MP4 lies; empty for others.
	Moov spool.Span
}

// enough is how many bytes tell the container for sure.
const enough = 4096

// Look finds out how a source is packed and where the moov box of an MP4 lies.
// Of a source that is arriving it waits for the bytes that tell: the head, and
// the headers of the boxes up to the moov box, which lies behind the media as
// often as not. Of what it waits for no more is wanted than that. A file that
// is no media is refused with a *spool.Error, as ffmpeg.Sniff does.
func Look(ctx context.Context, r Reader) (Layout, error) {
	head, err := readHead(ctx, r)
	if err != nil {
		return Layout{}, err
	}
	kind, err := ffmpeg.Sniff(head)
	if err != nil {
		return Layout{}, err
	}
	switch kind {
	case "mp4":
		return boxesOf(ctx, r)
	case "matroska":
		return Layout{Container: Matroska}, nil
	case "mpegts":
		return Layout{Container: MPEGTS}, nil
	}
	return Layout{Container: Other}, nil
}

// readHead reads the first bytes, or all there are.
func readHead(ctx context.Context, r Reader) ([]byte, error) {
	b := make([]byte, enough)
	n := 0
	for n < len(b) {
		read, err := r.ReadAtContext(ctx, b[n:], int64(n))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the head: %w", err)
		}
		n += read
	}
	return b[:n], nil
}

// boxesOf walks the boxes at the top of an MP4 file.
func boxesOf(ctx context.Context, r Reader) (Layout, error) {
	at := int64(0)
	for range maxTopBoxes {
		kind, size, err := topBox(ctx, r, at)
		if errors.Is(err, ErrUnsupported) {
			break
		}
		if err != nil {
			return Layout{}, err
		}
		switch kind {
		case "moof", "sidx", "styp":
			return Layout{Container: Fragmented}, nil
		case "moov":
			return inside(ctx, r, spool.Span{From: at, To: at + size})
		}
		at += size
	}
	return Layout{Container: Other}, nil
}

// inside looks for the sign of fragments among the boxes of a moov box.
func inside(ctx context.Context, r Reader, moov spool.Span) (Layout, error) {
	body := moov.From + 8
	var b [4]byte
	if err := ReadFull(ctx, r, b[:], moov.From); err != nil {
		return Layout{}, err
	}
	if u32(b[:], 0) == 1 {
		body += 8
	}
	for at := body; at+8 <= moov.To; {
		kind, size, err := topBox(ctx, r, at)
		if errors.Is(err, ErrUnsupported) {
			break // ReadMovie says what is wrong
		}
		if err != nil {
			return Layout{}, err
		}
		if kind == "mvex" {
			return Layout{Container: Fragmented}, nil
		}
		at += size
	}
	return Layout{Container: MP4, Moov: moov}, nil
}

// Plannable waits until a source can be planned although it is arriving, and
// gives its movie. ErrUnsupported: only the whole file tells.
func Plannable(ctx context.Context, r Reader) (*Movie, error) {
	at, err := Look(ctx, r)
	if err != nil {
		return nil, err
	}
	if at.Container != MP4 {
		return nil, unsupported("the container is %s", at.Container)
	}
	m, err := Locate(ctx, r)
	if err != nil {
		return nil, err
	}
	return m, m.plannable()
}

// codecs are ffmpeg's names of sample entries that Index can be asked for.
var codecs = map[string]string{
	"avc1": "h264", "avc3": "h264", "hvc1": "hevc", "hev1": "hevc", "vp09": "vp9", "av01": "av1", "mp4v": "mpeg4",
	"mp4a": "aac",
	".mp3": "mp3", "ac-3": "ac3", "ec-3": "eac3", "Opus": "opus", "fLaC": "flac", "alac": "alac",
	"sowt": "pcm_s16le", "twos": "pcm_s16be", "raw ": "pcm_u8", "ulaw": "pcm_mulaw", "alaw": "pcm_alaw",
	"in24": "pcm_s24be", "in32": "pcm_s32be", "fl32": "pcm_f32be", "fl64": "pcm_f64be", "lpcm": "pcm_s16le",
	"apcn": "prores", "apch": "prores", "apcs": "prores", "apco": "prores", "ap4h": "prores", "jpeg": "mjpeg",
}

// plannable asks for the index of the tracks that are published when none is
// marked as default. ffprobe may say otherwise; then so does Index.
func (m *Movie) plannable() error {
	var facts spool.Facts
	for i := range m.Tracks {
		t := &m.Tracks[i]
		switch {
		case t.Handler == "vide" && facts.Video == nil:
			facts.Video = &spool.VideoStream{Index: i, Codec: codecs[t.Codec], TimeBase: t.TimeBase}
		case t.Handler == "soun" && facts.Audio == nil:
			facts.Audio = []spool.AudioStream{{Index: i, Codec: codecs[t.Codec], TimeBase: t.TimeBase}}
		}
	}
	_, err := m.Index(facts)
	return err
}
