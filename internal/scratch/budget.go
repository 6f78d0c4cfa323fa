package scratch

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/spool-video/spool"
)

const (
	// grain is the least room that is worth a request, in bytes.
	grain = 256 << 10
	// besides is kept free for what readers ask for out of turn, in bytes.
	besides = 4 << 20
	// worthwhile is how large a file must be to be given back bit by bit.
	worthwhile = 2 * (besides + grain)
	// lookEvery is how often the room that others take is looked up.
	lookEvery = 500 * time.Millisecond
	// idleAfter is how long one waits before nothing being made means that
	// nothing is going to be.
	idleAfter = 5 * time.Second
)

// TooSmall is why a source cannot be worked on within a limit.
type TooSmall struct {
	Limit int64 // bytes
	Size  int64 // of the source, bytes
	Need  int64 // the limit that it needs, in bytes; 0 = the source has to fit as a whole
}

func (e *TooSmall) Error() string {
	return fmt.Sprintf("scratch may hold %d bytes, and the source needs %d at once", e.Limit, e.Need)
}

// Occupied is why a source cannot be worked on now: scratch holds what nobody is
// at work on.
type Occupied struct {
	Limit int64 // bytes
	By    int64 // bytes of other sources
}

func (e *Occupied) Error() string {
	return fmt.Sprintf("%d of the %d bytes that scratch may hold are of sources that nobody is at work on", e.By, e.Limit)
}

// Budget shares the room that scratch has for sources among those that are
// being fetched. It is safe for concurrent use. Room is granted when afterwards
// there is an order in which each of them can get all that it needs at once,
// while the others only wait: so none waits for ever (the banker's algorithm).
type Budget struct {
	scratch *Scratch
	limit   int64 // bytes, of scratch as a whole
	parts   int64 // so many are made at a time

	mu      sync.Mutex    // guards what follows, and the claims' fields
	claims  []*Claim      // in the order in which they were made
	changed chan struct{} // closed and renewed when there may be more room
	looked  time.Time     // when the rest was found
	sources int64         // bytes of sources that nobody claims, and of notes
	made    int64         // bytes of what is made, until it is published
}

// Budget shares scratch's limit; nil when it is a share of the disk, or when
// its file system cannot take bytes of a file back. Of what is made of sources
// there are so many parts at a time.
func (s *Scratch) Budget(parts int) *Budget {
	if s.fixed == 0 || !s.takesBack() {
		return nil
	}
	return &Budget{scratch: s, limit: s.fixed, parts: int64(parts), changed: make(chan struct{})}
}

// takesBack tries whether a file can have holes punched into it.
func (s *Scratch) takesBack() bool {
	f, err := os.CreateTemp(s.dir, ".hole-*")
	if err != nil {
		return false
	}
	defer func() {
		_ = f.Close() // it was only a trial
		_ = os.Remove(f.Name())
	}()
	_, err = f.Write(make([]byte, grain))
	return err == nil && punch(f, spool.Span{To: grain}) == nil
}

// Claim is the room of one source that is being fetched.
type Claim struct {
	budget *Budget
	path   string // of the source; its part's name begins so

	size    int64 // bytes; 0 = not known
	whole   bool  // all of it must be here at once
	roomy   bool  // it is larger than scratch may be: bytes are given back
	held    int64 // bytes that lie here
	granted int64 // that may come besides
	need    int64 // at once, at most; 0 = not known
	made    int64 // of one of its parts
}

// Claim enters a source. A claim for the same path ends.
func (b *Budget) Claim(path string) *Claim {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(path)
	c := &Claim{budget: b, path: path}
	b.claims = append(b.claims, c)
	b.looked = time.Time{}
	return c
}

// Leave ends the claim for a path.
func (b *Budget) Leave(path string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(path)
	b.wake()
}

func (b *Budget) drop(path string) {
	b.claims = slices.DeleteFunc(b.claims, func(c *Claim) bool { return c.path == path })
	b.looked = time.Time{}
}

// wake has everybody look again. The caller holds the lock.
func (b *Budget) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// Limit is how many bytes scratch may hold.
func (c *Claim) Limit() int64 { return c.budget.limit }

// Sized says how long the source is. partly: bytes of it can be given back
// while it is fetched, which is done when its video's files do not fit with a
// tenth to spare. It reports whether it is. The error is a *TooSmall.
func (c *Claim) Sized(size int64, partly bool) (bool, error) {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	c.size = size
	all := b.all(c)
	c.roomy = partly && !c.whole && all+all/10 > b.limit && size > worthwhile
	if !c.roomy && b.least(c) > b.limit {
		return false, &TooSmall{Limit: b.limit, Size: all}
	}
	b.wake()
	return c.roomy, b.fit(c)
}

// Whole says that all of the source must be here at once.
func (c *Claim) Whole() error {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	c.whole, c.roomy, c.need = true, false, 0
	if b.least(c) > b.limit {
		return &TooSmall{Limit: b.limit, Size: b.all(c)}
	}
	b.wake()
	return nil
}

// Needs says how many bytes of the source must be here at once, at most, and
// how many are made of one of its parts.
func (c *Claim) Needs(source, made int64) error {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	c.made = made
	if c.roomy {
		c.need = source + besides + grain
	}
	if err := b.fit(c); err != nil {
		if b.all(c) > b.limit {
			return err
		}
		c.whole, c.roomy, c.need = true, false, 0 // it fits as it is
	}
	b.wake()
	return nil
}

// Held says how many bytes of the source lie here, and how many of those that
// were granted do not come any more, or are among them.
func (c *Claim) Held(held, granted int64) {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	c.held, c.granted = held, max(c.granted-granted, 0)
	b.wake()
}

// Lies says that all of the source lies here, and stays.
func (c *Claim) Lies(size int64) {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	c.size, c.held, c.granted, c.whole, c.roomy = size, size, 0, true, false
	b.wake()
}

// Free gives bytes of the source's file back to the disk.
func (c *Claim) Free(f *os.File, s spool.Span) error { return punch(f, s) }

// Room waits until so many more bytes may come: up to want, and not less than
// least, which is 0 for who does not wait. urgent are those that a reader waits for. waits is called each time
// that there is no room yet.
func (c *Claim) Room(ctx context.Context, want, least int64, urgent bool, waits func()) (int64, error) {
	b, began := c.budget, time.Now()
	for {
		n, changed, err := c.take(want, max(least, 1), urgent, time.Since(began) > idleAfter)
		if n > 0 || err != nil || least == 0 {
			return n, err
		}
		waits()
		timer := time.NewTimer(lookEvery)
		select {
		case <-changed:
		case <-timer.C: // what others take may be less
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		b.forget()
	}
}

// forget has the room that others take looked up again, when it is old.
func (b *Budget) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Since(b.looked) >= lookEvery {
		b.looked = time.Time{}
	}
}
