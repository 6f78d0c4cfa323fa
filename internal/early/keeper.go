// Package early lets a video be watched while it is made: it keeps playlists
// that grow, in the destination, over the segments that are there already.
//
// Beside the revision that is being made lie <video>/early.m3u8, a master
// playlist, and <video>/live-<revision>/<rendition>.m3u8, one EVENT playlist
// for each rendition. What stands in a list stays; a segment is named only
// after it was put, and only when all renditions have it. Production comes in
// bursts, and players give up on a list that does not grow, so segments are
// appended one by one at the pace of playback, from a reserve; and the lists
// are offered only when the measured rate of production keeps ahead of
// playback to the end.
//
// All state that matters is in the store: after a crash the lists go on
// growing from what stands there.
package early

import (
	"context"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store"
)

// Mode is when a video is offered before it is ready.
type Mode string

// The modes. The zero value is Auto.
const (
	Auto Mode = "auto" // when nobody who watches will have to wait
	Soon Mode = "soon" // with the first segment
	Off  Mode = "off"  // not at all; what an earlier run has offered goes on
)

// Note is news of the early lists of a video, for a person.
type Note struct {
	Text string        // "can be watched in about 40 s"; holds no secrets
	URL  string        // where to watch, when it can be watched; else ""
	In   time.Duration // about how long until it can be watched; 0 = not told
}

// Keeper keeps the early lists of all videos of one destination. Its exported
// fields are set before anything is told to it. A store without AtomicPut gets
// no early lists, because a reader could see half of one.
//
// Planned, Made, Encoding and Changed only take note and do not block; Run does
// the work.
type Keeper struct {
	Store store.Store
	Mode  Mode
	// Say is told what a person should know. It must not block, and may be
	// called from several goroutines. May be nil.
	Say func(video string, n Note)
	// Export puts a content key where players get it, before any list names
	// it; it is called again after a restart. May be nil.
	Export func(video string, key spool.ContentKey) error

	mu    sync.Mutex
	shows map[string]*show // by video; owned by mu
	fresh []*show          // that Run has not started; owned by mu
	bell  chan struct{}    // rings for fresh; owned by mu until Run has it
	once  sync.Once        // says that the store is not fit
}

// Planned tells that a revision of a video is being made, and how; again with
// every plan that has grown. keys are those of the plan's segments; none when the
// video is not encrypted. had
// is what was published already when this process took over: it does not count
// as production when the rate is measured.
func (k *Keeper) Planned(v spool.Video, p *spool.Plan, keys spool.ContentKeys, had ...spool.Made) {
	if !k.fit() {
		k.once.Do(func() {
			k.say(v.ID, Note{Text: "nothing can be watched before it is ready: the destination cannot replace a file in one step"})
		})
		return
	}
	now := time.Now()
	k.tell(v.ID, true, func(s *show) { s.planned(v, p, keys, had, now) })
}

// Made tells of segments that are in the store, in any order, any of them more
// than once.
func (k *Keeper) Made(video, revision string, m spool.Made) {
	now := time.Now()
	k.tell(video, false, func(s *show) { s.made(revision, m, now) })
}

// Encoding tells, now and then, what chunks of a video a worker is encoding, and
// how many frames its encoders have read of each.
func (k *Keeper) Encoding(video, revision, worker string, frames map[int]int) {
	now := time.Now()
	k.tell(video, false, func(s *show) { s.encoding(revision, worker, frames, now) })
}

// Changed tells that a video changed: with READY its lists get what is left
// and end; when it failed, was cancelled, or is made anew, they end as they
// are and early.m3u8 goes. It may be told of every change, and should be told,
// after a restart, of the videos that ended shortly before it.
func (k *Keeper) Changed(v spool.Video) {
	k.tell(v.ID, v.Status.Ended(), func(s *show) { s.changed(v) })
}

// Run keeps the lists until ctx ends. Before it returns, the lists of videos
// that have ended are ended, too; those of others stay as they are, and grow
// again when somebody tells of the video again.
func (k *Keeper) Run(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	bell := k.ring()
	for {
		k.mu.Lock()
		fresh := k.fresh
		k.fresh = nil
		k.mu.Unlock()
		for _, s := range fresh {
			group.Go(func() { s.run(ctx) })
		}
		if ctx.Err() != nil {
			return
		}
		select {
		case <-bell:
		case <-ctx.Done(): // once more: what was told until now is done
		}
	}
}

// fit: only whole lists may be seen.
func (k *Keeper) fit() bool { return k.Store.Properties().AtomicPut }

func (k *Keeper) ring() chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bell == nil {
		k.bell = make(chan struct{}, 1)
	}
	return k.bell
}

// tell leaves an event with the video's show; create says whether to begin one
// when there is none.
func (k *Keeper) tell(video string, create bool, event func(*show)) {
	if !k.fit() {
		return
	}
	bell := k.ring()
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.shows[video]
	if s == nil && !create {
		return
	}
	if s == nil {
		s = &show{keeper: k, shelf: shelf{k.Store, video}, wake: make(chan struct{}, 1)}
		if k.shows == nil {
			k.shows = map[string]*show{}
		}
		k.shows[video] = s
		k.fresh = append(k.fresh, s)
		nudge(bell)
	}
	s.inbox = append(s.inbox, event)
	nudge(s.wake)
}

// inbox takes the events that a show has not seen.
func (k *Keeper) inbox(s *show) []func(*show) {
	k.mu.Lock()
	defer k.mu.Unlock()
	events := s.inbox
	s.inbox = nil
	return events
}

// leave forgets a show that has nothing to do, unless it was just told
// something.
func (k *Keeper) leave(s *show) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(s.inbox) > 0 {
		return false
	}
	delete(k.shows, s.video)
	return true
}

func (k *Keeper) say(video string, n Note) {
	if k.Say != nil {
		k.Say(video, n)
	}
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is awake already
	}
}
