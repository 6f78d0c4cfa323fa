package download

import (
	"os"

	"github.com/spool-video/spool"
)

// Watcher is told of a file while it arrives, and says what of it is wanted
// next. Opened, Arrived and Reset are called one at a time, in this order:
//
//	Opened Arrived… [Reset Opened Arrived…]…
//
// and Wanted and Changed at any time after the first Opened. None of them may wait for the download.
// Nothing is told when an earlier Get had fetched the whole file.
type Watcher interface {
	// Opened tells that bytes can be read from f, at the places that Arrived
	// names. size is the file's length, -1 when the server does not tell it, and
	// etag what it calls this version of the file, "" when it does not. f
	// is the watcher's to close; it stays good when Get has ended, and after a
	// Reset, as what it was.
	Opened(f *os.File, size int64, etag string)
	// Arrived tells all that is readable now: about ten times a second while
	// bytes come, and at once when they are wanted.
	Arrived(have spool.Spans)
	// Reset tells that what was read is not the file, or not the one that the
	// server has now, for the reason given. The download begins anew.
	Reset(why error)
	// Wanted are the bytes that readers wait for, the most urgent first. Where
	// the server sends ranges they are fetched before others; a span may end
	// behind the file's end.
	Wanted() []spool.Span
	// Changed gives a channel that can be received from when Wanted gives
	// something else than it gave after Changed was called: one that is closed
	// and renewed, or that holds one element. Nil: nobody can say; Wanted is
	// asked ten times a second.
	Changed() <-chan struct{}
}
