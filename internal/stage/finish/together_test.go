package finish_test

import (
	"context"
	"fmt"
	"io"
	"path"
	"sync"
	"testing"
	"time"

	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/verify/verifytest"
)

// crowd is a store that puts a playlist, and opens one, when all playlists of
// the revision are to be put, or opened, at the same time: as a slow one would
// find it, but without the waiting.
type crowd struct {
	*verifytest.Memory
	of int

	mu      sync.Mutex
	waiting map[string]int
	whole   map[string]chan struct{} // closed when all are there
}

func (c *crowd) meet(ctx context.Context, doing, name string) error {
	if path.Ext(name) != ".m3u8" || path.Dir(name) == verifytest.Video {
		return nil
	}
	c.mu.Lock()
	if c.whole[doing] == nil {
		c.whole[doing] = make(chan struct{})
	}
	if c.waiting[doing]++; c.waiting[doing] == c.of {
		close(c.whole[doing])
	}
	whole := c.whole[doing]
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	select {
	case <-whole:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s %s: others were waited for", doing, name)
	}
}

func (c *crowd) Put(ctx context.Context, name string, body io.ReadSeeker, o store.PutOptions) error {
	if err := c.meet(ctx, "put", name); err != nil {
		return err
	}
	return c.Memory.Put(ctx, name, body, o)
}

func (c *crowd) Open(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	if err := c.meet(ctx, "open", name); err != nil {
		return nil, err
	}
	return c.Memory.Open(ctx, name, offset, length)
}

func (c *crowd) Properties() store.Properties {
	p := c.Memory.Properties()
	p.Checksum = true // or each would be read back after it was put
	return p
}

// A bucket that answers late is not asked for one thing after another: what
// does not name one another is put, and read for verifying, together, as far as
// there are upload slots.
func TestWhatIsIndependentGoesTogether(t *testing.T) {
	m := verifytest.NewMemory()
	job := verifytest.Job(t, m, verifytest.Options{}) // two rungs with I-frames, and sound
	c := &crowd{Memory: m, of: 5, waiting: map[string]int{}, whole: map[string]chan struct{}{}}
	s := stage(m)
	s.Store, s.Uploads = c, flow.NewSlots(5)
	if _, err := run(t, s, job); err != nil {
		t.Fatal(err)
	}
	if report := deep(t, m); len(report.Findings) > 0 {
		t.Errorf("findings %v", report.Findings)
	}
}
