package download

import (
	"os"
	"slices"
	"sync"
	"time"

	"github.com/spool-video/spool"
)

// tellEvery is how often a watcher is told of bytes that nobody waits for.
const tellEvery = 100 * time.Millisecond

// teller tells others of a part, one thing at a time.
type teller struct {
	part     *part
	progress func(done, total int64)
	watcher  Watcher       // nil = none
	shown    chan struct{} // closed when the watcher has the file for the first time

	mu   sync.Mutex // held while somebody is told
	open bool       // the watcher has the file
	once sync.Once  // for shown
	last time.Time  // when it was told
	due  bool       // there is something that it was not told
}

// begin tells what an earlier Get left.
func (t *teller) begin() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	here := t.part.spans()
	t.progress(t.part.held(), max(t.part.Length, 0))
	if t.part.Length < 0 {
		return nil // the next answer may tell it
	}
	return t.show(here)
}

// came tells that the bytes of a span are here.
func (t *teller) came(s spool.Span) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	here := t.part.spans()
	t.progress(t.part.held(), max(t.part.Length, 0))
	if !t.open {
		return t.show(here)
	}
	t.due = true
	if time.Since(t.last) >= tellEvery || t.wanted(s) {
		t.tell(here)
	}
	return nil
}

// show opens the file to the watcher, when its beginning is here and is no
// text that takes the place of a video.
func (t *teller) show(here spool.Spans) error {
	if t.watcher == nil || here.After(0) == 0 {
		return nil
	}
	name := PartPath(t.part.path)
	file, err := os.Open(name)
	if err != nil {
		return diskFault("open", name, err)
	}
	t.open = true
	t.watcher.Opened(file, t.part.Length, t.part.ETag)
	t.once.Do(func() { close(t.shown) })
	t.tell(here)
	return nil
}

func (t *teller) tell(here spool.Spans) {
	t.last, t.due = time.Now(), false
	t.watcher.Arrived(here)
}

// wanted: readers wait for a byte of s.
func (t *teller) wanted(s spool.Span) bool {
	return slices.ContainsFunc(t.watcher.Wanted(), func(w spool.Span) bool {
		return w.From < s.To && s.From < w.To
	})
}

// flush tells what was not told, at once or when it is old enough.
func (t *teller) flush(now bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open && t.due && (now || time.Since(t.last) >= tellEvery) {
		t.tell(t.part.spans())
	}
}

// reset tells that the download begins anew.
func (t *teller) reset(why error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open {
		t.open, t.due = false, false
		t.watcher.Reset(why)
	}
}

// now tells what is here.
func (t *teller) now() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open {
		t.tell(t.part.spans())
	}
}
