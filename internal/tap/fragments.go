package tap

import (
	"context"
	"encoding/binary"
	"errors"
	"io"

	"github.com/spool-video/spool"
)

// maxMoof bounds what is read of one fragment's index.
const maxMoof = 16 << 20

// readFragmented finds the first fragment of an MP4 file.
func readFragmented(ctx context.Context, r Reader) (*Stream, error) {
	movie, at := false, int64(0)
	for range maxTopBoxes {
		kind, size, err := topBox(ctx, r, at)
		if err != nil {
			return nil, err
		}
		switch {
		case at > maxHead || kind == "moov" && size > maxHead:
			return nil, unsupported("the head has more than %d bytes", at+size)
		case kind == "mdat":
			return nil, unsupported("media before the first fragment")
		case kind == "moov":
			movie = true
		case kind == "moof" && movie:
			if err := timed(ctx, r, at, size); err != nil {
				return nil, err
			}
			return &Stream{Format: fragments, Head: spool.Spans{{From: 0, To: at}}, media: at}, nil
		}
		at += size
	}
	return nil, unsupported("no fragment among the first %d boxes", maxTopBoxes)
}

// timed makes sure that a fragment tells its own time: without that the ones
// before it must be read, too.
func timed(ctx context.Context, r Reader, at, size int64) error {
	moof, err := readMoof(ctx, r, at, size)
	if err != nil {
		return err
	}
	tracks, times := 0, 0
	each(moof[8:], func(kind string, traf []byte) {
		if kind != "traf" {
			return
		}
		tracks++
		each(traf[8:], func(kind string, _ []byte) {
			if kind == "tfdt" {
				times++
			}
		})
	})
	if tracks == 0 || times != tracks {
		return unsupported("fragments that do not tell their times")
	}
	return nil
}

func readMoof(ctx context.Context, r Reader, at, size int64) ([]byte, error) {
	if size > maxMoof {
		return nil, unsupported("a moof box of %d bytes", size)
	}
	moof := make([]byte, size)
	return moof, ReadFull(ctx, r, moof, at)
}

// each calls f for all boxes with 32-bit sizes in b, header included, up to
// what is none.
func each(b []byte, f func(kind string, box []byte)) {
	for len(b) >= 8 {
		size := int64(binary.BigEndian.Uint32(b))
		if size < 8 || size > int64(len(b)) {
			return
		}
		f(string(b[4:8]), b[:size])
		b = b[size:]
	}
}

// box looks at the next box: a moof begins a unit, the mdat behind it is its
// media.
func (u *Units) box(ctx context.Context) error {
	kind, size, err := lastBox(ctx, u.r, u.at)
	if err != nil {
		return err
	}
	at := u.at
	u.at += size
	switch kind {
	case "moof":
		u.starts, u.ends = append(u.starts, at), append(u.ends, u.at)
	case "mdat":
		if n := len(u.ends); n > 0 {
			u.ends[n-1] = u.at
		}
	}
	return nil
}

// lastBox is topBox, for boxes that may go to the end of the file.
func lastBox(ctx context.Context, r Reader, at int64) (kind string, size int64, err error) {
	var head [8]byte
	if err := ReadFull(ctx, r, head[:], at); err != nil {
		return "", 0, err
	}
	if binary.BigEndian.Uint32(head[:]) == 0 {
		return string(head[4:]), ToEnd/2 - at, nil
	}
	return topBox(ctx, r, at)
}

// boxes copies boxes. A fragment may name the places of its samples in the
// file: they are moved to where they come to lie. Indexes of the file would be
// wrong, and become free space.
func (c *copying) boxes(ctx context.Context, s spool.Span) error {
	for s.From < s.To {
		if _, err := c.r.ReadAtContext(ctx, make([]byte, 1), s.From); errors.Is(err, io.EOF) {
			return errEnded
		}
		kind, size, err := lastBox(ctx, c.r, s.From)
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrUnsupported) {
			return c.raw(ctx, s) // not for us to judge
		}
		if err != nil {
			return err
		}
		box := spool.Span{From: s.From, To: min(s.From+size, s.To)}
		switch kind {
		case "moof":
			err = c.moof(ctx, box)
		case "sidx", "ssix", "mfra":
			err = c.freed(ctx, box)
		default:
			err = c.raw(ctx, box)
		}
		if err != nil {
			return err
		}
		s.From = box.To
	}
	return nil
}

// freed copies a box as one that is skipped.
func (c *copying) freed(ctx context.Context, box spool.Span) error {
	var head [8]byte
	if err := ReadFull(ctx, c.r, head[:], box.From); err != nil {
		return err
	}
	copy(head[4:], "free")
	if err := c.write(head[:]); err != nil {
		return err
	}
	return c.raw(ctx, spool.Span{From: box.From + 8, To: box.To})
}

// moof copies the index of a fragment.
func (c *copying) moof(ctx context.Context, box spool.Span) error {
	moof, err := readMoof(ctx, c.r, box.From, box.Len())
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return c.raw(ctx, box)
	}
	if err != nil {
		return err
	}
	by := c.written - box.From
	each(moof[8:], func(kind string, traf []byte) {
		if kind == "traf" {
			each(traf[8:], func(kind string, tfhd []byte) { rebase(kind, tfhd, by) })
		}
	})
	return c.write(moof)
}

// rebase moves the place that a tfhd box (ISO/IEC 14496-12 8.8.7) names.
func rebase(kind string, tfhd []byte, by int64) {
	const hasOffset, place = 1, 16
	if kind != "tfhd" || len(tfhd) < place+8 || tfhd[11]&hasOffset == 0 {
		return
	}
	at := binary.BigEndian.Uint64(tfhd[place:])
	binary.BigEndian.PutUint64(tfhd[place:], at+uint64(by)) //nolint:gosec // wraps as it should
}
