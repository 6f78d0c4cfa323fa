package tap

import (
	"context"

	"github.com/spool-video/spool"
)

// Keep says which bytes of an MP4 every reader needs, whatever part of it is
// read: the headers of the boxes up to the moov box, that box, and what ffmpeg
// reads when it opens the file. They must not be given back. ErrUnsupported:
// the source has no such index, and nothing of it can be given back.
func Keep(ctx context.Context, r Reader) (spool.Spans, error) {
	m, err := Plannable(ctx, r)
	if err != nil {
		return nil, err
	}
	keep := m.Head()
	for at := int64(0); ; {
		kind, size, err := topBox(ctx, r, at)
		if err != nil {
			return nil, err
		}
		if kind == "moov" {
			return keep.Add(spool.Span{From: at, To: at + size}), nil
		}
		keep = keep.Add(spool.Span{From: at, To: at + boxHeader})
		at += size
	}
}

// boxHeader is the longest header of a box, in bytes.
const boxHeader = 16
