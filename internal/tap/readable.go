package tap

import "context"

func Readable(ctx context.Context, s *Source) error { return ErrUnsupported }

var ErrUnsupported = ErrGone
