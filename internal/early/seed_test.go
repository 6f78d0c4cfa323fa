package early

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/grid"
)

// step is one thing that production does: a segment of some renditions is
// there, or, without renditions, an encoder has read so many frames of a chunk,
// or all of it is encoded.
type step struct {
	at         time.Duration
	number     int // of the segment, or of the chunk
	renditions []string
	frames     int // encoded: -1
}

// line is how a video is made in a test: by some encoders that each make
// chunk after chunk, and a quick one for the sound, each when all that it needs
// has come.
type line struct {
	link     float64 // in media seconds a second; 0: all is there
	encoders int
	speed    float64 // of one encoder, in media seconds a second
	jitter   float64 // a segment takes this much more or less
	stalls   float64 // probability that one takes a minute more
}

// comes is when so many frames of the source are there, and a little more.
func (l line) comes(frames int) time.Duration {
	if l.link == 0 {
		return 0
	}
	return time.Duration((float64(frames)/rate + 2) / l.link * float64(time.Second))
}

// steps are in the order in which they happen.
func (l line) steps(r *rand.Rand, p *spool.Plan) []step {
	var all []step
	free := make([]time.Duration, l.encoders)
	for _, c := range p.Chunks {
		at, done := slices.Index(free, slices.Min(free)), 0
		free[at] = max(free[at], l.comes(c.FirstFrame+c.Frames))
		for number := c.FirstSegment; number < c.FirstSegment+c.Segments; number++ {
			took := float64(p.Grid.Frames[number]) / rate / l.speed * (1 + l.jitter*(2*r.Float64()-1))
			for tenth := range 10 { // they read ahead of what they write
				now := free[at] + time.Duration(took*float64(tenth)/10*float64(time.Second))
				read := min(done+p.Grid.Frames[number]*tenth/10+lookAhead, c.Frames)
				all = append(all, step{at: now, number: c.Number, frames: read})
			}
			done += p.Grid.Frames[number]
			free[at] += time.Duration(took * float64(time.Second))
			if r.Float64() < l.stalls {
				free[at] += time.Minute
			}
			late := time.Duration(r.IntN(500)) * time.Millisecond
			all = append(all, step{at: free[at], number: number, renditions: []string{"v0-360p"}},
				step{at: free[at] + late, number: number, renditions: []string{"v1-720p"}})
		}
		all = append(all, step{at: free[at], number: c.Number, frames: -1})
	}
	frames := 0
	for i, piece := range p.Pieces {
		for number := piece.FirstSegment; number < piece.FirstSegment+piece.Segments; number++ {
			frames += p.Grid.Frames[number]
		}
		at := l.comes(frames) + time.Duration(1+i)*500*time.Millisecond
		for number := piece.FirstSegment; number < piece.FirstSegment+piece.Segments; number++ {
			all = append(all, step{at: at, number: number, renditions: []string{"a0-eng"}})
		}
	}
	slices.SortStableFunc(all, func(a, b step) int { return int(a.at - b.at) })
	return all
}

// run is one run of a line, through crashes.
type run struct {
	*world
	r       *rand.Rand
	plan    *spool.Plan
	told    map[int]map[string]bool // by number and rendition, in this process
	readyAt map[int]time.Time       // when a segment could be shown by this process
	had     []spool.Made
	reading map[int]int // what the encoders of one worker have read
	crashes int
	strict  bool
}

// encoding tells of a step of an encoder.
func (r *run) encoding(k *Keeper, s step) {
	if r.reading[s.number] = s.frames; s.frames < 0 {
		delete(r.reading, s.number)
	}
	k.Encoding(video, "r1", "one", maps.Clone(r.reading))
}

func (r *run) tell(k *Keeper, m spool.Made) {
	for _, s := range m.Segments {
		if r.told[s.Number] == nil {
			r.told[s.Number] = map[string]bool{}
		}
		r.told[s.Number][s.Rendition] = true
	}
	r.mu.Lock()
	for n := 0; len(r.told[n]) == 3; n++ {
		if _, known := r.readyAt[n]; !known {
			r.readyAt[n] = time.Now()
		}
	}
	r.mu.Unlock()
	if k != nil {
		k.Made(video, "r1", m)
	}
}

// through makes the video and gives the lists as they are at the end. With
// kills, the process is killed after some writes, several times.
func (r *run) through(steps []step, mode Mode, kills int) {
	k, stop := r.keeper(mode)
	k.Planned(making("r1"), r.plan, nil)
	begun := time.Now()
	for i := 0; i < len(steps); i++ {
		if wait := steps[i].at - time.Since(begun); wait > 0 {
			after(wait)
		}
		if steps[i].renditions == nil {
			r.encoding(k, steps[i])
			continue
		}
		if r.dead || kills > 0 && r.r.IntN(40) == 0 {
			kills--
			k, stop = r.restart(stop, mode)
			begun = begun.Add(time.Minute) // nothing was made meanwhile
		}
		m := r.make("r1", r.plan, steps[i].number, steps[i].renditions...)
		r.had = append(r.had, m)
		r.tell(k, m)
		switch r.r.IntN(10) {
		case 0: // messages may come twice
			r.tell(k, r.had[r.r.IntN(len(r.had))])
		case 1: // work may be done twice, and the second counts
			r.had[len(r.had)-1] = r.again(m, i)
			r.tell(k, r.had[len(r.had)-1])
		}
		synctest.Wait()
	}
	defer func() { stop() }()
	after(time.Duration(r.r.IntN(20)) * time.Second) // the video is verified
	for r.dead {
		k, stop = r.restart(stop, mode)
	}
	r.mu.Lock()
	r.killAt = 0
	r.mu.Unlock()
	r.sweep()
	after(time.Duration(r.r.IntN(20)) * time.Second) // and its report is on the way
	k.Changed(r.publish("r1", r.plan, r.had))
	synctest.Wait()
}

// sweep removes what was made and is not in the ledger, as finishing does,
// unless a list names it.
func (r *run) sweep() {
	named := map[string]bool{}
	for _, m := range r.had {
		for _, s := range m.Segments {
			named[path.Join(video, s.Name)] = true
		}
	}
	for name, l := range r.lists {
		for _, uri := range uris(l.Media) {
			named[path.Join(path.Dir(name), uri)] = true
		}
	}
	for _, name := range r.Names() {
		if path.Ext(name) == ".m4s" && !named[name] {
			r.Set(name, nil)
		}
	}
}

// restart is a crash and a new process a minute later. Some of what was told
// last is not in the ledger; it is made again, with other bytes.
func (r *run) restart(stop func(), mode Mode) (*Keeper, func()) {
	r.mu.Lock()
	r.dead = true
	r.mu.Unlock()
	stop()
	after(time.Minute)
	r.mu.Lock()
	r.crashes++
	r.dead, r.killAt = false, 1+r.r.IntN(60)
	for name, l := range r.lists {
		l.changed = time.Now() // nobody can write while dead
		r.lists[name] = l
	}
	r.told, r.readyAt = map[int]map[string]bool{}, map[int]time.Time{}
	r.mu.Unlock()
	kept := max(0, len(r.had)-r.r.IntN(4))
	lost := r.had[kept:]
	r.had = r.had[:kept]
	for _, m := range r.had {
		r.tell(nil, m)
	}
	k, next := r.keeper(mode)
	k.Planned(making("r1"), r.plan, nil, r.had...)
	synctest.Wait()
	for _, m := range lost {
		r.had = append(r.had, r.again(m, 0xf000+r.crashes))
		r.tell(k, r.had[len(r.had)-1])
	}
	synctest.Wait()
	return k, next
}

// again makes segments again, with other bytes.
func (r *run) again(m spool.Made, mark int) spool.Made {
	again := spool.Made{Inits: m.Inits}
	for _, s := range m.Segments {
		s.Name = fmt.Sprintf("%s-%08x.m4s", s.Name[:strings.LastIndex(s.Name, "-")], mark)
		r.Set(video+"/"+s.Name, []byte("made again"))
		again.Segments = append(again.Segments, s)
	}
	return again
}

// starved reports whether segment n could not have been appended in time, and
// it was said. The reader has the lock.
func (r *run) starved(n int) bool {
	at, there := r.readyAt[n]
	said := slices.ContainsFunc(r.notes, func(n Note) bool { return strings.Contains(n.Text, "has to wait") })
	return !r.strict && said && (!there || time.Since(at) < time.Second)
}

func TestSeeds(t *testing.T) {
	offered, crashes := 0, 0
	for seed := range uint64(300) {
		inBubble(t, func(t *testing.T, w *world) {
			r := rand.New(rand.NewPCG(seed, 1))
			run := &run{world: w, r: r, plan: plan(4 + r.IntN(60)), told: map[int]map[string]bool{}, readyAt: map[int]time.Time{}, reading: map[int]int{}}
			run.plan.Pieces = grid.Pieces(run.plan.Grid)
			l := line{encoders: 1 + r.IntN(6), jitter: 0.1}
			l.speed = (0.3 + 3*r.Float64()) / float64(l.encoders)
			if r.IntN(2) == 0 {
				l.link = 0.5 + 3*r.Float64()
			}
			mode, kills := Auto, 0
			switch seed % 3 {
			case 0: // at a steady pace nothing is ever late
				run.strict = true
			case 1:
				l.jitter, l.stalls, mode = 0.6, 0.05, Soon
			case 2:
				l.jitter, l.stalls, kills = 0.6, 0.02, 4
			}
			w.starving = run.starved
			run.through(l.steps(r, run.plan), mode, kills)
			run.check(seed)
			offered, crashes = offered+min(1, w.offered()), crashes+run.crashes
			if t.Failed() {
				t.Logf("seed %d: %+v, %d segments, %d crashes, %+v", seed, l, run.plan.Grid.Segments(), run.crashes, w.notes)
			}
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("%d of 300 were offered, %d crashes", offered, crashes)
	if offered < 150 || crashes < 100 {
		t.Errorf("the seeds try too little: %d offered, %d crashes", offered, crashes)
	}
}

// check looks at what is left at the end.
func (r *run) check(seed uint64) {
	for name, l := range r.lists {
		for _, uri := range uris(l.Media) {
			if object := path.Join(path.Dir(name), uri); r.Bytes(object) == nil {
				r.t.Errorf("seed %d: %s names %s, which is gone", seed, name, object)
			}
		}
		if !l.Ended || len(l.Segments) != r.plan.Grid.Segments() {
			r.t.Errorf("seed %d: %s has %d of %d segments, ended %v", seed, name, len(l.Segments), r.plan.Grid.Segments(), l.Ended)
		}
	}
	if len(r.lists) != 0 && len(r.lists) != 3 || r.there(Name) != (len(r.lists) > 0) {
		r.t.Errorf("seed %d: %d lists, early master %v", seed, len(r.lists), r.there(Name))
	}
	if len(r.offers) > 1+r.crashes {
		r.t.Errorf("seed %d: offered %d times", seed, len(r.offers))
	}
}
