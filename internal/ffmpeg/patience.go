package ffmpeg

import (
	"context"
	"errors"
	"time"

	"github.com/spool-video/spool"
)

// usualPatience is how long a program that reads a source may say nothing. It
// is long: the source may lie on a slow network.
const usualPatience = 5 * time.Minute

var errSilent = errors.New("nothing came for too long")

func (t Tools) patience() time.Duration {
	if t.Patience > 0 {
		return t.Patience
	}
	return usualPatience
}

// watch gives a context that ends when alive was not called for the tools'
// patience. The caller calls stop in the end.
func (t Tools) watch(ctx context.Context) (watched context.Context, alive, stop func()) {
	patience := t.patience()
	watched, cancel := context.WithCancelCause(ctx)
	dog := time.AfterFunc(patience, func() { cancel(errSilent) })
	return watched, func() { dog.Reset(patience) }, func() {
		dog.Stop()
		cancel(nil)
	}
}

// hung says that the watch has ended a program, or gives err as it is.
func hung(watched context.Context, err error) error {
	if err == nil || !errors.Is(context.Cause(watched), errSilent) {
		return err
	}
	return &spool.Error{
		Class: spool.Transient, Code: "probe-stuck", Err: err,
		Reason: "reading the source made no progress and was stopped",
		Hint:   "it is tried again; if that does not help, look at the source's disk and at the source with ffprobe",
	}
}
