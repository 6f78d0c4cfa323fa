package tap

import "context"

// Readable waits until a source can be planned although it is arriving.
func Readable(_ context.Context, _ *Source) error { return ErrUnsupported }
