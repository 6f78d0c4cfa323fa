package tap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/spool-video/spool"
)

// Stream is a source that is read from its start and has no index before its
// media: any part of it can be decoded alone when it is read behind Head.
type Stream struct {
	Format string      // ffmpeg's name of the demuxer: "mpegts", "matroska" or "mov"
	Head   spool.Spans // what every window is read behind
	packet int64       // length of a transport packet, with its time code
	media  int64       // where the first unit begins
}

// The demuxers of streams.
const (
	matroska  = "matroska"
	mpegts    = "mpegts"
	fragments = "mov"
)

// ToEnd is where a window ends that goes to the end of its source.
const ToEnd = math.MaxInt64

// ReadStream finds the head of a transport stream (the first PAT and its PMT),
// of Matroska (all before the first cluster) or of a fragmented MP4 (all before
// the first fragment). Of a source that is arriving it waits for that. What is
// none of these, or cannot be read in windows, is ErrUnsupported.
func ReadStream(ctx context.Context, r Reader) (*Stream, error) {
	at, err := Look(ctx, r)
	if err != nil {
		return nil, err
	}
	var s *Stream
	switch at.Container {
	case MPEGTS:
		s, err = readTransport(ctx, r)
	case Matroska:
		s, err = readMatroska(ctx, r)
	case Fragmented:
		s, err = readFragmented(ctx, r)
	case MP4, Other:
		return nil, unsupported("the container is %s", at.Container)
	}
	if err != nil {
		return nil, noStream(err)
	}
	return s, nil
}

// noStream turns the end of a source into what it means.
func noStream(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return unsupported("no media behind the head")
	}
	return err
}

// maxHead bounds a head, which every encoder reads.
const maxHead = 64 << 20

// Units are the parts that a stream can be cut into: transport packets,
// clusters, fragments.
type Units struct {
	r      Reader
	stream *Stream
	starts []int64 // of units found so far
	ends   []int64 // of fragments: the end of their media
	at     int64   // where to look for the next one
}

// Units finds the units of a stream.
func (s *Stream) Units(r Reader) *Units { return &Units{r: r, stream: s, at: s.media} }

// Around is the unit that holds a byte of media. Of clusters the end is that
// of what is known, not before the byte: one may be cut anywhere. It waits for
// the headers up to there.
func (u *Units) Around(ctx context.Context, pos int64) (spool.Span, error) {
	if n := u.stream.packet; n > 0 {
		from := pos - pos%n
		return spool.Span{From: from, To: from + n}, nil
	}
	for u.at <= pos {
		if err := u.next(ctx); err != nil {
			return spool.Span{}, err
		}
	}
	i, found := slices.BinarySearch(u.starts, pos)
	if !found {
		i--
	}
	if i < 0 {
		return spool.Span{}, unsupported("byte %d lies before all media", pos)
	}
	if u.stream.Format == matroska {
		return spool.Span{From: u.starts[i], To: pos}, nil
	}
	if pos >= u.ends[i] {
		return spool.Span{}, unsupported("byte %d lies outside of all fragments", pos)
	}
	return spool.Span{From: u.starts[i], To: u.ends[i]}, nil
}

// next finds one more unit, or steps over what is none.
func (u *Units) next(ctx context.Context) error {
	if u.stream.Format == matroska {
		return u.element(ctx)
	}
	return u.box(ctx)
}

// copyBuffer is how much is read at once.
const copyBuffer = 64 << 10

// Window is what a program reads of a stream to decode a part of it.
type Window struct {
	Format string      // Stream.Format
	Head   spool.Spans // Stream.Head
	Bytes  spool.Span  // with To set to ToEnd it goes to the end of the source
}

// Copy writes the head, as far as it lies before the window, and the window.
// Absolute positions within fragments are made to fit. A source that ends
// before the window does gives io.ErrUnexpectedEOF.
func (n Window) Copy(ctx context.Context, w io.Writer, r Reader) error {
	c := &copying{w: w, r: r}
	part := c.raw
	if n.Format == fragments {
		part = c.boxes
	}
	for _, s := range n.Head {
		s.To = min(s.To, n.Bytes.From)
		if s.Len() == 0 {
			continue
		}
		if err := part(ctx, s); err != nil {
			return err
		}
	}
	err := part(ctx, n.Bytes)
	switch {
	case errors.Is(err, errEnded) && n.Bytes.To == ToEnd:
		return nil
	case errors.Is(err, errEnded):
		return fmt.Errorf("read to %d: %w", n.Bytes.To, io.ErrUnexpectedEOF)
	}
	return err
}

// errEnded: the source has ended.
var errEnded = fmt.Errorf("the source has ended: %w", io.ErrUnexpectedEOF)

// copying is a window on its way.
type copying struct {
	w       io.Writer
	r       Reader
	written int64
	buffer  []byte
}

func (c *copying) write(b []byte) error {
	n, err := c.w.Write(b)
	c.written += int64(n)
	return err //nolint:wrapcheck // EPIPE must arrive as it is
}

// raw copies bytes as they are.
func (c *copying) raw(ctx context.Context, s spool.Span) error {
	if c.buffer == nil {
		c.buffer = make([]byte, copyBuffer)
	}
	for s.From < s.To {
		n, err := c.r.ReadAtContext(ctx, c.buffer[:min(s.Len(), copyBuffer)], s.From)
		if errors.Is(err, io.EOF) {
			return errEnded
		}
		if err != nil {
			return err
		}
		if err := c.write(c.buffer[:n]); err != nil {
			return err
		}
		s.From += int64(n)
	}
	return nil
}
