package tap

import (
	"context"
	"errors"
)

// ErrUnsupported: the source cannot be planned while it arrives.
var ErrUnsupported = errors.New("the source has to be whole before it can be planned")

// Readable waits until a source can be planned although it is arriving.
func Readable(_ context.Context, _ *Source) error { return ErrUnsupported }
