package progress

import (
	"sync"
	"time"

	"github.com/spool-video/spool"
)

// Tracker makes events of what a scheduler tells: videos that changed, plans,
// and workers' beats. It is safe for concurrent use; Show is called with its
// lock held and must not call back.
type Tracker struct {
	Show   func(Event)
	Master func(spool.Video) string // where a ready video's master lies
	Now    func() time.Time         // nil: time.Now

	mu      sync.Mutex
	videos  map[string]*tracked // guarded by mu
	overlap Overlap             // guarded by mu
}

// tracked is what a Tracker remembers of a video.
type tracked struct {
	status   spool.Status
	reason   string // of the pause that was told
	began    time.Time
	revision string
	plan     *spool.Plan
	running  map[string]map[spool.JobKey]spool.Progress // by worker
	done     map[spool.JobKey]bool
	download Count
	sent     int64 // bytes that ended jobs have published
	moving   bool  // the last snapshot had something in it
}

// Busy is what the stages would have taken one after another so far.
func (t *Tracker) Busy() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.overlap.Busy()
}

func (t *Tracker) now() time.Time {
	if t.Now != nil {
		return t.Now()
	}
	return time.Now()
}

// of gives the record of a video; with another revision than before, its
// work is counted anew. The caller holds the lock.
func (t *Tracker) of(id, revision string) *tracked {
	if t.videos == nil {
		t.videos = map[string]*tracked{}
	}
	v := t.videos[id]
	if v == nil {
		v = &tracked{running: map[string]map[spool.JobKey]spool.Progress{}}
		t.videos[id] = v
	}
	if v.done == nil || revision != "" && revision != v.revision {
		v.revision, v.plan, v.done, v.sent = revision, nil, map[spool.JobKey]bool{}, 0
	}
	return v
}

// Plan tells what is to be made of a video, and which jobs were done before
// this run.
func (t *Tracker) Plan(id, revision string, plan *spool.Plan, done ...spool.JobKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := t.of(id, revision)
	v.plan = plan
	for _, key := range done {
		v.done[key] = true
	}
}

// Done tells that a job is done.
func (t *Tracker) Done(key spool.JobKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.of(key.Video, key.Revision).done[key] = true
}

// Video tells that a video changed. What it was accepted as, or known as, is
// for the caller to show.
func (t *Tracker) Video(v spool.Video) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	k := t.of(v.ID, v.Revision)
	before := k.status
	k.status = v.Status
	ev := Event{Time: now, Video: v.ID, Title: v.Title, Status: v.Status, Failure: v.Failure}
	if v.Status != spool.Paused && before == spool.Paused && !v.Status.Ended() {
		k.reason = ""
		ev.Type, ev.Failure = Resumed, nil
		t.Show(ev)
	}
	switch v.Status {
	case spool.Waiting:
	case spool.Working:
		if k.began.IsZero() {
			k.began = now
		}
	case spool.Paused:
		if v.Failure != nil && k.reason != v.Failure.Reason {
			k.reason = v.Failure.Reason
			ev.Type = Paused
			t.Show(ev)
		}
	case spool.Ready, spool.Failed, spool.Cancelled:
		if before != v.Status {
			t.ended(k, v, ev)
		}
	}
}

func (t *Tracker) ended(k *tracked, v spool.Video, ev Event) {
	k.running, k.moving = map[string]map[spool.JobKey]spool.Progress{}, false
	ev.Type = Failed
	if v.Status == spool.Cancelled && ev.Failure == nil {
		ev.Failure = &spool.Failure{Class: spool.Permanent, Code: "cancelled", Reason: "it was cancelled"}
	}
	if v.Status == spool.Ready {
		ev.Type, ev.Failure, ev.Sizes, ev.LeftOut = Ready, nil, v.Sizes, v.LeftOut
		if t.Master != nil {
			ev.Path = t.Master(v)
		}
	}
	if !k.began.IsZero() {
		ev.Took = ev.Time.Sub(k.began)
	}
	t.Show(ev)
}

// Beat tells what a worker is doing.
func (t *Tracker) Beat(b spool.Beat) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	jobs := map[string]map[spool.JobKey]spool.Progress{}
	for _, r := range b.Running {
		if jobs[r.Video] == nil {
			jobs[r.Video] = map[spool.JobKey]spool.Progress{}
		}
		jobs[r.Video][r.JobKey] = r.Progress
		t.of(r.Video, r.Revision)
	}
	var all []spool.Phase
	for id, v := range t.videos {
		if len(v.running) == 0 && len(jobs[id]) == 0 && !v.moving {
			continue
		}
		v.beat(b.Worker, jobs[id])
		snapshot := v.snapshot()
		all = append(all, snapshot.Phases...)
		moving := len(snapshot.Phases) > 0 || snapshot.Note != ""
		if !moving && !v.moving || v.status.Ended() {
			continue
		}
		if moving && v.began.IsZero() {
			v.began = now
		}
		v.moving = moving
		t.Show(Event{Type: Moved, Time: now, Video: id, Snapshot: snapshot})
	}
	t.overlap.At(now, all)
}

// beat replaces what one worker runs of a video. A job that is not there any
// more, and had nothing left to make, is taken for done until it is seen
// again.
func (v *tracked) beat(worker string, jobs map[spool.JobKey]spool.Progress) {
	for key, p := range v.running[worker] {
		if _, still := jobs[key]; still {
			continue
		}
		if p.Phase == spool.Downloading && p.Total > 0 {
			v.download.Done = p.Total
		}
		if p.Phase == spool.Publishing {
			v.sent += max(p.Done, p.Total)
		}
		if p.Phase == spool.Publishing || p.Phase == spool.Encoding && p.Total > 0 && p.Done >= p.Total {
			v.done[key] = true
		}
	}
	delete(v.running, worker)
	if len(jobs) == 0 {
		return
	}
	for key := range jobs {
		delete(v.done, key)
	}
	v.running[worker] = jobs
}

// phases is their order in a line.
var phases = []spool.Phase{spool.Downloading, spool.Probing, spool.Encoding, spool.Publishing, spool.Verifying}

func (v *tracked) snapshot() *Snapshot {
	s := &Snapshot{Publish: Count{Done: v.sent}}
	active := map[spool.Phase]bool{}
	made := map[spool.JobKey]int64{} // frames or packets of running parts
	for _, jobs := range v.running {
		for key, p := range jobs {
			switch {
			case p.Note != "":
				s.Note = p.Note
			default:
				active[p.Phase] = true
			}
			switch p.Phase {
			case spool.Downloading:
				v.download = Count{p.Done, p.Total}
			case spool.Encoding:
				made[key] = p.Done
			case spool.Publishing:
				s.Publish.Done += p.Done
				made[key] = 1 << 62 // all of it
			case spool.Probing, spool.Verifying:
			}
		}
	}
	for _, p := range phases {
		if active[p] {
			s.Phases = append(s.Phases, p)
		}
	}
	s.Download = v.download
	if v.plan != nil {
		v.count(s, made)
	}
	return s
}

// count adds up what the plan's parts come to: the pictures, or the sound
// when there are none.
func (v *tracked) count(s *Snapshot, made map[spool.JobKey]int64) {
	kind, sizes := spool.Encode, make([]int64, 0, len(v.plan.Chunks))
	for _, c := range v.plan.Chunks {
		sizes = append(sizes, int64(c.Frames))
	}
	if len(sizes) == 0 {
		kind = spool.Audio
		for _, p := range v.plan.Pieces {
			sizes = append(sizes, int64(p.Packets))
		}
	}
	s.Chunks = len(sizes)
	for key := range v.done {
		if key.Kind == kind && key.Number < len(sizes) {
			made[key] = 1 << 62
			s.ChunksDone++
		}
	}
	for key, n := range made {
		if key.Kind == kind && key.Number < len(sizes) {
			s.Encode.Done += min(n, sizes[key.Number])
		}
	}
	for _, n := range sizes {
		s.Encode.Total += n
	}
	rate := 0
	if v.plan.Sound != nil {
		rate = v.plan.Sound.SampleRate
	}
	s.Length = v.plan.Timeline.Duration(rate)
}
