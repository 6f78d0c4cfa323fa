package tap

import (
	"context"
	"math/bits"

	"github.com/spool-video/spool"
)

// Elements of Matroska (RFC 9559) that tell where its clusters are.
const (
	segment = 0x18538067
	cluster = 0x1f43b675
)

// element is the header of one.
type element struct {
	id      uint32
	body    int64 // where its content begins
	size    int64
	unknown bool // its size: it goes on until something comes that is no part of it
}

// readElement reads a header. What cannot be one is ErrUnsupported.
func readElement(ctx context.Context, r Reader, at int64) (element, error) {
	var b [12]byte
	if err := ReadFull(ctx, r, b[:1], at); err != nil {
		return element{}, err
	}
	n := bits.LeadingZeros8(b[0]) + 1
	if n > 4 || at > 1<<60 {
		return element{}, unsupported("no element at %d", at)
	}
	if err := ReadFull(ctx, r, b[1:n+1], at+1); err != nil {
		return element{}, err
	}
	e := element{}
	for _, v := range b[:n] {
		e.id = e.id<<8 | uint32(v)
	}
	m := bits.LeadingZeros8(b[n]) + 1
	if m > 8 {
		return element{}, unsupported("no size at %d", at+int64(n))
	}
	if err := ReadFull(ctx, r, b[n+1:n+m], at+int64(n)+1); err != nil {
		return element{}, err
	}
	e.size = int64(b[n]) & (1<<(8-m) - 1)
	for _, v := range b[n+1 : n+m] {
		e.size = e.size<<8 | int64(v)
	}
	e.body, e.unknown = at+int64(n+m), e.size == 1<<(7*m)-1
	if e.size > 1<<56 {
		return element{}, unsupported("an element of %d bytes", e.size)
	}
	return e, nil
}

// readMatroska finds the first cluster.
func readMatroska(ctx context.Context, r Reader) (*Stream, error) {
	head, err := readElement(ctx, r, 0)
	if err != nil {
		return nil, err
	}
	at := head.body + head.size
	for range maxTopBoxes {
		e, err := readElement(ctx, r, at)
		switch {
		case err != nil:
			return nil, err
		case at > maxHead:
			return nil, unsupported("the head has more than %d bytes", at)
		case e.id == cluster:
			return &Stream{Format: matroska, Head: spool.Spans{{From: 0, To: at}}, media: at}, nil
		case e.id == segment:
			at = e.body
		case e.unknown || head.unknown:
			return nil, unsupported("element %x does not say how long it is", e.id)
		default:
			at = e.body + e.size
		}
	}
	return nil, unsupported("no cluster among the first %d elements", maxTopBoxes)
}

// element looks at the next element: a cluster begins a unit, others are
// stepped over. A cluster that does not say how long it is is stepped into.
func (u *Units) element(ctx context.Context) error {
	e, err := readElement(ctx, u.r, u.at)
	if err != nil {
		return err
	}
	if e.id == cluster {
		u.starts = append(u.starts, u.at)
	}
	switch {
	case !e.unknown:
		u.at = e.body + e.size
	case e.id == cluster || e.id == segment:
		u.at = e.body
	default:
		return unsupported("element %x at %d does not say how long it is", e.id, u.at)
	}
	return nil
}
