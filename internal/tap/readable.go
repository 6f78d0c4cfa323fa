package tap

import (
	"context"
	"errors"
)

// Readable waits until a source can be planned although it is arriving, or lies
// elsewhere: the
// head of a stream is here, or the moov box of an MP4, which is wanted first if
// it stands behind the media. Errors that wrap ErrUnsupported mean that all of
// it must be here.
func Readable(ctx context.Context, s Reader) error {
	if _, err := ReadStream(ctx, s); !errors.Is(err, ErrUnsupported) {
		return err
	}
	if s.Size() < 0 {
		return unsupported("the length of the source is not known")
	}
	m, err := Plannable(ctx, s)
	if err != nil {
		return err
	}
	for i := range m.Tracks {
		if m.Tracks[i].Handler == "vide" {
			return nil
		}
	}
	return unsupported("no pictures")
}
