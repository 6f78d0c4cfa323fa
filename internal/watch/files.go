// Package watch says which files of a folder that grows are whole, and when to
// look again.
package watch

import (
	"sync"
	"time"

	"github.com/spool-video/spool"
)

// Files remembers what files looked like. Somebody may still be copying a file
// that is new: it is taken for whole when neither its size nor its time has
// changed for a while. No file system says it better, and those of a NAS say
// nothing else. Safe for concurrent use.
type Files struct {
	// Settle is how long a file must not have changed.
	Settle time.Duration

	mu   sync.Mutex
	seen map[string]sight // by path; owned by mu
	look int              // counts Begin; owned by mu
}

// sight is a file as it was seen last.
type sight struct {
	stamp spool.SourceStamp
	since time.Time // it has looked so
	look  int
}

// Begin begins a look at all files. What the last look did not meet is
// forgotten: a file that comes back is a new one.
func (f *Files) Begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for path, s := range f.seen {
		if s.look < f.look {
			delete(f.seen, path)
		}
	}
	f.look++
}

// Whole reports whether a file that now looks so is whole. One without a byte
// never is.
func (f *Files) Whole(path string, stamp spool.SourceStamp, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, known := f.seen[path]
	if !known || s.stamp != stamp {
		s = sight{stamp: stamp, since: now}
	}
	s.look = f.look
	if f.seen == nil {
		f.seen = map[string]sight{}
	}
	f.seen[path] = s
	return stamp.Size > 0 && now.Sub(s.since) >= f.Settle
}

// Next is how long it takes until the next file may be whole; false when none
// is waited for.
func (f *Files) Next(now time.Time) (time.Duration, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	next, any := f.Settle, false
	for _, s := range f.seen {
		if left := f.Settle - now.Sub(s.since); s.stamp.Size > 0 && left > 0 {
			next, any = min(next, left), true
		}
	}
	return next, any
}
