package download

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
)

// hall is a Space of so many bytes, whose file is read window by window.
type hall struct {
	size int64

	mu      sync.Mutex // guards the rest
	length  int64      // of the file
	held    int64
	granted int64
	most    int64 // that was held
	needed  *Needed
	changed chan struct{}
	freed   spool.Spans
	waited  int
}

func newHall(size int64) *hall { return &hall{size: size, changed: make(chan struct{})} }

func (h *hall) Sized(size int64, partly bool) (bool, error) {
	if size > h.size && !partly {
		return false, &spool.Error{Class: spool.Permanent, Code: codeTooLarge}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.length = size
	return size > h.size, nil
}

func (h *hall) Room(ctx context.Context, want, least int64, urgent bool, waits func()) (int64, error) {
	for {
		h.mu.Lock()
		n, changed := h.size-h.held-h.granted, h.changed
		if !urgent && h.length > h.size {
			n -= 2 * askLeast // for who waits
		}
		n = min(n, want)
		if n >= max(least, 1) {
			h.granted += n
			h.mu.Unlock()
			return n, nil
		}
		h.waited++
		h.mu.Unlock()
		if least == 0 {
			return 0, nil
		}
		waits()
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

func (h *hall) Held(held, granted int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held, h.granted = held, h.granted-granted
	h.most = max(h.most, held)
	h.wake()
}

// wake has who waits look again. The caller holds the lock.
func (h *hall) wake() {
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *hall) need(windows ...spool.Span) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.needed = &Needed{Windows: windows, Keep: spool.Spans{{From: 0, To: 100}}}
	h.wake()
}

func (h *hall) Needed() (Needed, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.needed == nil {
		return Needed{}, false
	}
	return *h.needed, true
}

func (h *hall) Changed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changed
}

// Free overwrites what is given back: whoever reads it is found out.
func (h *hall) Free(f *os.File, s spool.Span) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.freed = h.freed.Add(s)
	_, err := f.WriteAt(make([]byte, s.Len()), s.From)
	return err
}

func (h *hall) Limit() int64 { return h.size }

const window = 500_000

// ranging is a good server, and plainly one that sends no ranges.
func ranging(h *hostile, w http.ResponseWriter, r *http.Request, _ int) { h.good(w, r) }

func plainly(h *hostile, w http.ResponseWriter, _ *http.Request, _ int) {
	w.Header().Set("Content-Length", strconv.Itoa(len(h.body)))
	h.send(w, 0, len(h.body))
}

// windows are those of a file from the n-th on.
func windows(body []byte, n int) []spool.Span {
	var all []spool.Span
	for from := n * window; from < len(body); from += window {
		all = append(all, spool.Span{From: int64(from), To: int64(min(from+window, len(body)))})
	}
	return all
}

// A file goes through a room that is smaller: no byte is asked for twice, and
// no reader sees what was given back.
func TestFileLargerThanItsSpace(t *testing.T) {
	body := source(4_000_000)
	h := &hostile{body: body, trick: ranging}
	room := newHall(1_500_000)
	a := arrive(t, quick(), Request{URL: start(t, h), Space: room, Use: "r1"})
	for n, w := range windows(body, 0) {
		room.need(windows(body, n)...)
		a.wantBytes(t, body, int(w.From), int(w.To))
	}
	room.need()
	if err := <-a.ended; err != nil {
		t.Fatal(err)
	}
	if !a.res.Gone || a.res.SHA256 != sum(body) || a.res.Size != int64(len(body)) {
		t.Errorf("%+v", a.res)
	}
	if n := h.served.Load() - int64(len(h.ranges)*seam); n > int64(len(body)) {
		t.Errorf("%d bytes were sent of %d: %v", n, len(body), h.ranges)
	}
	if room.most > room.size || room.waited == 0 {
		t.Errorf("%d bytes lay in %d, and it waited %d times", room.most, room.size, room.waited)
	}
	if _, err := os.Stat(a.path); err == nil {
		t.Error("a file with holes has its final name")
	}
}

// asked are the ranges that were asked for so far.
func (h *hostile) asked() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.ranges)
}

// What was given back is not fetched again for the same use, not even when
// the process has ended meanwhile; for another use all of it is, and hashed
// anew.
func TestGivenBackBytesAfterACrash(t *testing.T) {
	body := source(3_000_000)
	for _, use := range []string{"r1", "r2"} {
		h := &hostile{body: body, trick: ranging}
		url, path := start(t, h), filepath.Join(t.TempDir(), "source")
		room := newHall(1_500_000)
		room.need(windows(body, 2)...)
		ctx, stop := context.WithCancelCause(t.Context())
		w := newTapped()
		ended := make(chan error, 1)
		go func() {
			_, err := quick().Get(ctx, Request{URL: url, Path: path, Space: room, Use: "r1", Watcher: w}, nil)
			ended <- err
		}()
		waitFor(t, func() bool { return room.gone() > 900_000 })
		stop(context.Canceled)
		<-ended
		w.end(nil)
		asked := len(h.asked())

		room = newHall(1_500_000)
		first := 2
		if use == "r2" {
			first = 0
		}
		room.need(windows(body, first)...)
		a := arrive(t, quick(), Request{URL: url, Path: path, Space: room, Use: use})
		for n, w := range windows(body, first) {
			room.need(windows(body, first+n)...)
			a.wantBytes(t, body, int(w.From), int(w.To))
		}
		room.need()
		if err := <-a.ended; err != nil {
			t.Fatal(err)
		}
		if a.res.SHA256 != sum(body) {
			t.Errorf("%s: another hash", use)
		}
		known := w.have[len(w.have)-1].To - seam // more may have come
		again := slices.ContainsFunc(h.asked()[asked:], func(r string) bool {
			var from int64
			_, err := fmt.Sscanf(r, "bytes=%d-", &from)
			return err != nil || from < known
		})
		if again != (use == "r2") {
			t.Errorf("%s: bytes before %d were asked for again: %t; %v, then %v", use, known, again, h.ranges[:asked], h.ranges[asked:])
		}
	}
}

// What is needed again after it was given back comes again, as what it was.
func TestNeededAgain(t *testing.T) {
	body := source(3_000_000)
	h := &hostile{body: body, trick: ranging}
	room := newHall(1_500_000)
	room.need(windows(body, 2)...)
	a := arrive(t, quick(), Request{URL: start(t, h), Space: room, Use: "r1"})
	waitFor(t, func() bool { return room.gone() > 900_000 })
	room.need(windows(body, 1)...)
	for n, w := range windows(body, 1) {
		a.wantBytes(t, body, int(w.From), int(w.To))
		room.need(windows(body, n+2)...)
	}
	if err := <-a.ended; err != nil {
		t.Fatal(err)
	}
	if a.res.SHA256 != sum(body) {
		t.Error("another hash")
	}
}

// A file that fits is complete under its path, as if there were no limit; one
// that does not, from a server without ranges, is refused.
func TestSpaceThatSuffices(t *testing.T) {
	body := source(3_000_000)
	for _, trick := range []func(*hostile, http.ResponseWriter, *http.Request, int){ranging, plainly} {
		h := &hostile{body: body, trick: trick}
		room := newHall(3_000_000)
		a := arrive(t, quick(), Request{URL: start(t, h), Space: room})
		if err := <-a.ended; err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(a.path); err != nil || !slices.Equal(got, body) || a.res.Gone {
			t.Errorf("%d bytes, %v, %+v", len(got), err, a.res)
		}
		if n := h.served.Load(); n != int64(len(body)) {
			t.Errorf("%d bytes were sent", n)
		}
	}
	h := &hostile{body: body, trick: plainly}
	a := arrive(t, quick(), Request{URL: start(t, h), Space: newHall(1_000_000)})
	if err := <-a.ended; spool.AsError(err).Code != codeTooLarge {
		t.Errorf("without ranges: %v", err)
	}
}

// What a part holds of the room that is no more is dropped, and what was given
// back is not.
func TestLessRoomThanBefore(t *testing.T) {
	p, again := newPart(t)
	body := source(2_000_000)
	p.Length = int64(len(body))
	room := newHall(1_500_000)
	if err := p.lodge(Request{Space: room, Use: "r1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.put(body[:1_200_000], 0); err != nil {
		t.Fatal(err)
	}
	p.give(spool.Spans{{From: 100, To: 800_000}})
	if err := p.checkpoint(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		room       int64
		use        string
		here, gone spool.Spans
		hashed     int64
	}{
		{1_500_000, "r1", spool.Spans{{From: 0, To: 100}, {From: 800_000, To: 1_200_000}}, spool.Spans{{From: 100, To: 800_000}}, 1_200_000},
		{1_000_000, "r1", nil, spool.Spans{{From: 100, To: 800_000}}, 1_200_000},
		{1_000_000, "r2", nil, nil, 0},
	} {
		p = again()
		if err := p.lodge(Request{Space: newHall(c.room), Use: c.use}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.here, p.spans()) + cmp.Diff(c.gone, p.gone); diff != "" || p.digest.at != c.hashed {
			t.Errorf("%d bytes for %s: hashed %d, %s", c.room, c.use, p.digest.at, diff)
		}
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
}

// gone is how many bytes were given back.
func (h *hall) gone() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.freed.Len()
}

// waitFor waits for what only looking shows.
func waitFor(t *testing.T, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for !is() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it does not happen")
		}
	}
}

// What comes while a hole is made of its place is left alone, is not asked for
// either, and comes again afterwards: the hole would swallow it.
func TestNothingComesIntoAHoleThatIsBeingMade(t *testing.T) {
	body := source(1_000_000)
	for name, c := range map[string]struct {
		hole  func(p *part, all spool.Spans)
		there bool // the file still counts as complete
	}{
		"given back, and wanted again": {func(p *part, all spool.Spans) {
			p.give(all)
			if err := p.checkpoint(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(all, p.parting(all)); diff != "" {
				t.Fatal(diff)
			}
			p.recall(all[0])
		}, false},
		"dropped": {func(p *part, all spool.Spans) { p.lose(all) }, false},
		"given back": {func(p *part, all spool.Spans) {
			p.give(all)
			if err := p.checkpoint(); err != nil {
				t.Fatal(err)
			}
			p.parting(all)
		}, true},
	} {
		p, _ := newPart(t)
		p.Length = int64(len(body))
		if _, err := p.put(body, 0); err != nil {
			t.Fatal(err)
		}
		all := spool.Spans{{From: 100_000, To: 300_000}}
		c.hole(p, all)
		if known, err := p.put(body[50_000:400_000], 50_000); known != 100_000 || err != nil {
			t.Errorf("%s: %d bytes are known, %v", name, known, err)
		}
		if p.spans().Has(all[0]) || !p.come().Has(all[0]) || p.complete() != c.there {
			t.Errorf("%s: here %v, come %v, complete %t", name, p.spans(), p.come(), p.complete())
		}
		p.settled()
		if p.come().Has(all[0]) != c.there {
			t.Errorf("%s: afterwards come %v", name, p.come())
		}
		if _, err := p.put(body[100_000:300_000], 100_000); err != nil || p.spans().Has(all[0]) == c.there {
			t.Errorf("%s: afterwards here %v, %v", name, p.spans(), err)
		}
		if err := p.close(); err != nil {
			t.Fatal(err)
		}
	}
}
