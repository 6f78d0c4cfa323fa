package fetch

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/download"
	"github.com/spool-video/spool/internal/scratch"
	"github.com/spool-video/spool/internal/tap"
)

// space is the room of one file in scratch while it arrives: what is needed of
// it, as the scheduler says, and what every reader needs, as its index says.
// It is what download.Space asks for.
type space struct {
	key     spool.JobKey // of the fetch
	path    string
	sound   bool // it is the sound of a source that has two files
	claim   *scratch.Claim
	arrival *arrival

	mu      sync.Mutex    // guards what follows
	given   bool          // bytes are given back
	keep    spool.Spans   // what every reader needs; nil = not known yet
	needs   *spool.Needs  // nil = not known yet
	changed chan struct{} // closed and renewed when needs or keep change
}

// longed is how long a reader waits before bytes are fetched for it that
// nobody has foreseen: programs are sent more than they read.
const longed = 2 * time.Second

// waitsForRoom is what is said of a download that does.
const waitsForRoom = "waiting for room in scratch"

// space makes room for a file that arrives, where room is bounded.
func (s *Stage) space(key spool.JobKey, a *arrival) *space {
	if s.Budget == nil || s.DownloadDir != "" {
		return nil
	}
	sp := &space{key: key, path: a.told.Path, arrival: a, claim: s.Budget.Claim(a.told.Path), changed: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spaces == nil {
		s.spaces = map[string][]*space{}
	}
	s.spaces[key.Video] = append(slices.DeleteFunc(s.spaces[key.Video], func(old *space) bool { return old.path == sp.path }), sp)
	return sp
}

// Needs takes what of a source is still to be read.
func (s *Stage) Needs(n spool.Needs) {
	s.mu.Lock()
	spaces := slices.Clone(s.spaces[n.Video])
	s.mu.Unlock()
	for _, sp := range spaces {
		if sp.key == n.JobKey {
			sp.need(n)
		}
	}
}

func (s *space) need(n spool.Needs) {
	s.mu.Lock()
	old := s.needs != nil && s.needs.Done > n.Done
	if !old {
		s.needs = &n
	}
	s.mu.Unlock()
	if !old {
		s.weigh()
	}
}

// look finds what every reader needs of a source that can be planned, or
// could not be because of trouble.
func (s *space) look(ctx context.Context, source *tap.Source, trouble error) {
	var keep spool.Spans
	if trouble == nil {
		keep, trouble = tap.Keep(ctx, source)
	}
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	if s.keep = keep; trouble != nil {
		s.needs = &spool.Needs{Whole: true}
	}
	s.mu.Unlock()
	s.weigh()
}

// weigh tells the budget what is needed, and ends a download that can never
// have it.
func (s *space) weigh() {
	n, known := s.Needed()
	s.mu.Lock()
	whole, made := s.needs != nil && s.needs.Whole, int64(0)
	if s.needs != nil {
		made = s.needs.Made
	}
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	var err error
	switch {
	case whole:
		err = s.claim.Whole()
	case known:
		err = s.claim.Needs(atOnce(n), made)
	}
	if err != nil {
		s.arrival.lost(tooLarge(err))
	}
}

// atOnce is how many bytes of a source must lie here at once, at most: windows
// are taken in the order in which they end, and what lies before the first that
// is still needed is given back.
func atOnce(n download.Needed) int64 {
	windows := slices.Clone(n.Windows)
	slices.SortFunc(windows, func(a, b spool.Span) int { return int(max(min(a.To-b.To, 1), -1)) })
	most := int64(0)
	for i := len(windows) - 1; i >= 0; i-- {
		if i+1 < len(windows) {
			windows[i].From = min(windows[i].From, windows[i+1].From)
		}
		most = max(most, windows[i].Len())
	}
	return most + n.Keep.Len()
}

// tooLarge is the refusal of a source that scratch cannot hold.
func tooLarge(err error) error {
	return &spool.Error{
		Class: spool.Permanent, Code: "too-large", Err: err,
		Reason: "the source is larger than scratch may be", Hint: "raise --scratch-limit",
	}
}

// gives: bytes of the source are given back.
func (s *space) gives() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.given
}

// wanted is what readers wait for that is to be fetched out of its turn.
func (s *space) wanted(source *tap.Source) []spool.Span {
	s.mu.Lock()
	keep := s.keep
	s.mu.Unlock()
	if keep == nil {
		return source.Wants()
	}
	var all []spool.Span
	for _, k := range keep {
		if gap := source.Have().Missing(k); gap.Len() > 0 {
			all = append(all, gap)
		}
	}
	return append(all, source.Longed(longed)...)
}

// Sized takes the length of the source.
func (s *space) Sized(size int64, partly bool) (bool, error) {
	gives, err := s.claim.Sized(size, partly)
	if err != nil {
		return false, tooLarge(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.given = gives
	return gives, nil
}

// Room waits for room, and says so.
func (s *space) Room(ctx context.Context, want, least int64, urgent bool, waits func()) (int64, error) {
	n, err := s.claim.Room(ctx, want, least, urgent, func() {
		waits()
		if !urgent {
			s.arrival.waits(waitsForRoom)
		}
	})
	if !urgent {
		s.arrival.waits("")
	}
	var small *scratch.TooSmall
	var occupied *scratch.Occupied
	switch {
	case errors.As(err, &small):
		return 0, tooLarge(err)
	case errors.As(err, &occupied):
		return 0, &spool.Error{
			Class: spool.Environment, Code: "scratch-occupied", Err: err,
			Reason: "scratch is taken up by what was downloaded of other videos, and nobody is at work on them",
			Hint:   "spool retry ID lets a video that failed go on, spool rm ID frees what it holds; or raise --scratch-limit",
		}
	}
	return n, err
}

// Held tells how many bytes lie here.
func (s *space) Held(held, granted int64) { s.claim.Held(held, granted) }

// Needed is what of the file is still to be read.
func (s *space) Needed() (download.Needed, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.needs == nil || s.needs.Whole || s.keep == nil {
		return download.Needed{}, false
	}
	n := download.Needed{Windows: s.needs.Source, Keep: s.keep}
	if s.sound {
		n.Windows = s.needs.Sound
	}
	return n, true
}

// Changed gives what is closed when Needed changes.
func (s *space) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Free gives bytes back to the disk.
func (s *space) Free(f *os.File, span spool.Span) error { return s.claim.Free(f, span) }

// Limit is how large scratch may be.
func (s *space) Limit() int64 { return s.claim.Limit() }

// passed is a source that went through scratch and does not lie there.
func (g *get) passed(path string, res download.Result) spool.Fetched {
	return spool.Fetched{Path: path, Size: res.Size, SHA256: res.SHA256, Tag: res.ETag, Scratch: true, Arriving: true}
}
