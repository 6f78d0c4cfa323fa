package tap

import "context"

// Readable waits until a source can be planned although it is arriving: its
// moov box is here, which is wanted first if it stands behind the media. Errors
// that wrap ErrUnsupported mean that all of it must be here.
func Readable(ctx context.Context, s *Source) error {
	if s.Size() < 0 {
		return unsupported("the length of the source is not known")
	}
	layout, err := Look(ctx, s)
	if err != nil {
		return err
	}
	if layout.Container != MP4 {
		return unsupported("it is packed as %s", layout.Container)
	}
	m, err := Locate(ctx, s)
	if err != nil {
		return err
	}
	for _, t := range m.Tracks {
		if t.Handler == "vide" {
			return t.Err
		}
	}
	return unsupported("no pictures")
}
