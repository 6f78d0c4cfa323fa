package scratch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spool-video/spool"
)

const mega = 1 << 20

func budget(t *testing.T, limit int64, parts int) *Budget {
	t.Helper()
	s, err := Open(t.TempDir(), limit, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := s.Budget(parts)
	if b == nil {
		t.Skip("this file system does not take bytes of a file back")
	}
	return b
}

// now asks for room without waiting.
func (c *Claim) now(want int64) int64 { return c.after(want, false) }

// after asks for room when it was asked for before.
func (c *Claim) after(want int64, waited bool) int64 {
	n, _, _ := c.take(want, 1, false, waited)
	return n
}

// download is a claim as it goes in TestAllDownloadsEnd: it holds the bytes from
// done to got, and gives back what it has of a window when that is here.
type download struct {
	claim     *Claim
	windows   []int64 // bytes of each
	got, done int64   // bytes that came, and that were given back
}

// step fetches as much as it may, and works on what has come. It reports
// whether anything happened.
func (d *download) step(want int64, waited bool) bool {
	n := d.claim.after(want, waited)
	d.got += n
	d.claim.Held(d.got-d.done, n)
	moved := n > 0
	for len(d.windows) > 0 && d.got-d.done >= d.windows[0] {
		d.done += d.windows[0]
		d.windows = d.windows[1:]
		moved = true
	}
	if len(d.windows) == 0 {
		d.done = d.got
	}
	d.claim.Held(d.got-d.done, 0)
	return moved
}

// However downloads share a scratch that each alone can go through, as long as
// one is not at its end some of them go on, and they never hold more than they
// may.
func TestAllDownloadsEnd(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		s, err := Open(dir, 100*mega, 0)
		if err != nil {
			r.Fatal(err)
		}
		b := s.Budget(2)
		if b == nil {
			t.Skip("this file system does not take bytes of a file back")
		}
		var all []*download
		for i := range rapid.IntRange(1, 4).Draw(r, "downloads") {
			d := &download{claim: b.Claim(filepath.Join(dir, string(rune('a'+i)), "source", "source"))}
			largest := int64(0)
			for range rapid.IntRange(1, 6).Draw(r, "windows") {
				w := rapid.Int64Range(1, 60*mega).Draw(r, "window")
				d.windows, largest = append(d.windows, w), max(largest, w)
			}
			if gives, err := d.claim.Sized(500*mega, true); err != nil || !gives {
				r.Fatal(gives, err)
			}
			if rapid.Bool().Draw(r, "head") {
				d.step(mega, false) // before anybody knows what it needs
			}
			if err := d.claim.Needs(largest, rapid.Int64Range(0, 5*mega).Draw(r, "made")); err != nil {
				r.Fatal(err)
			}
			all = append(all, d)
		}
		for len(all) > 0 {
			i := rapid.IntRange(0, len(all)-1).Draw(r, "next")
			moved := all[i].step(rapid.Int64Range(grain, 8*mega).Draw(r, "want"), false)
			for _, waited := range []bool{false, true} {
				for _, d := range all { // whoever was not asked may be the one that can
					moved = moved || d.step(8*mega, waited)
				}
			}
			if !moved {
				r.Fatalf("nobody goes on: %+v", all)
			}
			held := int64(0)
			for _, d := range all {
				held += d.claim.held + d.claim.granted
			}
			if held > b.limit {
				r.Fatalf("%d of %d bytes are held", held, b.limit)
			}
			if len(all[i].windows) == 0 {
				b.Leave(all[i].claim.path)
				all = append(all[:i], all[i+1:]...)
			}
		}
	})
}

// What fits neither as a whole nor bit by bit is refused, with what it needs.
func TestTooSmall(t *testing.T) {
	b := budget(t, 50*mega, 2)
	var small *TooSmall
	if _, err := b.Claim("/a/source").Sized(60*mega, false); !errors.As(err, &small) || small.Size != 60*mega || small.Need != 0 {
		t.Errorf("as a whole: %v", err)
	}
	if _, err := budget(t, mega, 0).Claim("/a/source").Sized(2*mega, true); !errors.As(err, &small) || small.Size != 2*mega {
		t.Errorf("what is too small to be given back: %v", err)
	}
	c := b.Claim("/b/source")
	if gives, err := c.Sized(60*mega, true); err != nil || !gives {
		t.Error(gives, err)
	}
	if err := c.Needs(50*mega, mega); !errors.As(err, &small) || small.Need != 50*mega+besides+grain+2*mega {
		t.Errorf("bit by bit: %v", err)
	}
	if err := c.Whole(); !errors.As(err, &small) {
		t.Errorf("what turns out to be needed as a whole: %v", err)
	}
	// What fits as a whole is let through, though it would not bit by bit.
	c = b.Claim("/c/source")
	if gives, err := c.Sized(49*mega, true); err != nil || !gives {
		t.Error(gives, err)
	}
	if err := c.Needs(48*mega, mega); err != nil {
		t.Error(err)
	}
	if n := c.now(49 * mega); n != 49*mega {
		t.Errorf("%d bytes are granted of all", n)
	}
	if gives, err := b.Claim("/d/source").Sized(40*mega, true); err != nil || gives {
		t.Errorf("a source that fits is given back: %v", err)
	}
}

// Who waits goes on when another one leaves.
func TestWaitsForRoom(t *testing.T) {
	b := budget(t, 50*mega, 0)
	first, second := b.Claim("/a/source"), b.Claim("/b/source")
	for _, c := range []*Claim{first, second} {
		if _, err := c.Sized(40*mega, false); err != nil {
			t.Fatal(err)
		}
	}
	if n := first.now(40 * mega); n != 40*mega {
		t.Fatalf("the first got %d", n)
	}
	waiting, got := make(chan struct{}, 100), make(chan int64)
	go func() {
		n, err := second.Room(t.Context(), 40*mega, 20*mega, false, func() { waiting <- struct{}{} })
		if err != nil {
			t.Error(err)
		}
		got <- n
	}()
	<-waiting
	b.Leave("/a/source")
	if n := <-got; n != 40*mega {
		t.Errorf("got %d", n)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := second.Room(stopped, 40*mega, 20*mega, false, func() {}); !errors.Is(err, context.Canceled) {
		t.Errorf("the end of the context gives %v", err)
	}
	if n, err := second.Room(t.Context(), 40*mega, 0, false, func() {}); n > 10*mega || err != nil {
		t.Errorf("who does not wait gets %d, %v", n, err)
	}
}

// What others have left in scratch is not there to be granted, and is said to
// be in the way when nothing moves it.
func TestScratchTakenUp(t *testing.T) {
	b := budget(t, 10*mega, 0)
	c := b.Claim(filepath.Join(b.scratch.dir, "b", "source", "source"))
	if _, err := c.Sized(9*mega, false); err != nil {
		t.Fatal(err)
	}
	fill(t, filepath.Join(b.scratch.dir, "a", "source"), 5*mega)
	if n := c.now(9 * mega); n > 5*mega || n < 4*mega/2 {
		t.Errorf("%d bytes are granted", n)
	}
	var occupied *Occupied
	if _, _, err := c.take(9*mega, 9*mega, false, true); !errors.As(err, &occupied) || occupied.By < 5*mega {
		t.Errorf("%v", err)
	}
	if err := os.RemoveAll(filepath.Join(b.scratch.dir, "a")); err != nil {
		t.Fatal(err)
	}
	b.looked = time.Time{}
	if n := c.now(mega); n != mega {
		t.Errorf("%d bytes are granted when it is gone", n)
	}
}

// A hole takes no room, and the rest of the file stays.
func TestPunch(t *testing.T) {
	b := budget(t, mega, 0)
	f, err := os.Create(filepath.Join(b.scratch.dir, "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	data := make([]byte, mega)
	for i := range data {
		data[i] = 1
	}
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := b.Claim("/x").Free(f, spool.Span{From: 1000, To: mega - 1000}); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil || info.Size() != mega || occupied(info) > 64<<10 {
		t.Errorf("it takes %d of %d bytes: %v", occupied(info), info.Size(), err)
	}
	if _, err := f.ReadAt(data, 0); err != nil || data[999] != 1 || data[1000] != 0 || data[mega-1001] != 0 || data[mega-1000] != 1 {
		t.Errorf("other bytes are gone: %v", err)
	}
}

// Where the disk has a share, or holes are unknown, all is as without a budget.
func TestNoBudgetForAShare(t *testing.T) {
	s, err := Open(t.TempDir(), 0, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	if s.Budget(1) != nil {
		t.Error("a share of the disk is taken for a limit in bytes")
	}
}

// Pictures and sound of one video get room together: neither is done with
// before the other.
func TestTwoFilesOfAVideo(t *testing.T) {
	b := budget(t, 50*mega, 0)
	film, sound := b.Claim("/a/film"), b.Claim("/a/sound")
	if gives, err := film.Sized(100*mega, true); err != nil || !gives {
		t.Fatal(gives, err)
	}
	if n := film.now(100 * mega); n != 25*mega {
		t.Errorf("%d bytes are granted before anybody knows what is needed", n)
	}
	film.Held(25*mega, 25*mega)
	if n := sound.now(mega); n != mega {
		t.Errorf("the sound gets %d", n)
	}
	sound.Held(mega, mega)
	if gives, err := sound.Sized(20*mega, true); err != nil || !gives {
		t.Fatal(gives, err)
	}
	if err := sound.Needs(10*mega, 0); err != nil {
		t.Fatal(err)
	}
	other := b.Claim("/b/source")
	if n := other.now(mega); n != 0 {
		t.Errorf("another video gets %d", n)
	}
	if err := film.Needs(10*mega, 0); err != nil {
		t.Fatal(err)
	}
	if n := other.now(mega); n != mega {
		t.Errorf("another video gets %d when it is known what is needed", n)
	}
	var small *TooSmall
	if _, err := sound.Sized(41*mega, false); !errors.As(err, &small) || small.Size != 141*mega {
		t.Errorf("sound that must be whole beside pictures that are larger: %v", err)
	}
	if _, err := sound.Sized(20*mega, true); err != nil {
		t.Fatal(err)
	}
	if err := film.Needs(40*mega, 0); !errors.As(err, &small) || small.Size != 120*mega || small.Need != 50*mega+2*(besides+grain) {
		t.Errorf("more than both fit into: %v", err)
	}
}
