package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/progress"
)

// board turns what the scheduler hears into events for whoever watches: it
// keeps for each video how far its jobs are.
type board struct {
	ledger ledger.Ledger
	emit   func(progress.Event)
	master func(id string) string

	mu      sync.Mutex // owns what follows
	videos  map[string]*standing
	overlap overlap
	changes int64 // of the ledger, by other processes, as it was last looked at
}

// standing is how far one video is.
type standing struct {
	status      spool.Status
	waitsOn     string // the code of what it is paused for
	began       time.Time
	revision    string
	given       string // the revision that was given up last
	plan        *spool.Plan
	framesDone  int64 // of chunks that are done
	chunksDone  int
	packetsDone int64 // of pieces that are done
	piecesDone  int
	idle        time.Time // since when nothing of it runs, though something did; zero when that is told, or not so
	download    progress.Count
	ended       time.Time // when its status was told to have ended
}

// remembered is how long the standing of a video that has ended is kept: what
// comes late of it is no news. A service forgets, or it would grow for ever.
const remembered = 10 * time.Minute

func newBoard(l ledger.Ledger, master func(string) string, emit func(progress.Event)) *board {
	return &board{ledger: l, emit: emit, master: master, videos: map[string]*standing{}}
}

// of gives the standing of a video. The caller holds mu.
func (b *board) of(id string) *standing {
	s := b.videos[id]
	if s == nil {
		s = &standing{began: time.Now()}
		b.videos[id] = s
	}
	return s
}

// reported notes a job that is done, a plan that has grown, and why a video
// begins anew.
func (b *board) reported(r spool.Report) {
	if f := r.Failure; r.Outcome == spool.Broke && f != nil && f.Class == spool.Replan {
		b.anew(r)
		return
	}
	growing := r.Outcome == spool.Arrived && r.Kind == spool.Draft
	if r.Outcome != spool.Done && !growing || r.Result == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.of(r.Video)
	switch {
	case r.Result.Plan != nil && s.plan != nil && s.revision == r.Revision:
		s.plan = r.Result.Plan // what is done of it stays done
	case r.Result.Fetched != nil:
		s.download = progress.Count{Done: r.Result.Fetched.Bytes(), Total: r.Result.Fetched.Bytes()}
	case r.Result.Plan != nil:
		*s = standing{status: s.status, began: s.began, given: s.given, revision: r.Revision, plan: r.Result.Plan, download: s.download}
	case r.Kind == spool.Encode && s.plan != nil && r.Number < len(s.plan.Chunks):
		s.framesDone += int64(s.plan.Chunks[r.Number].Frames)
		s.chunksDone++
	case r.Kind == spool.Audio && s.plan != nil && r.Number < len(s.plan.Pieces):
		s.packetsDone += int64(s.plan.Pieces[r.Number].Packets)
		s.piecesDone++
	}
}

// anew says why a revision ends, once: each of its parts may find it out.
func (b *board) anew(r spool.Report) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.of(r.Video)
	if s.given == r.Revision {
		return
	}
	s.given = r.Revision
	text := r.Failure.Reason
	if r.Failure.Hint != "" {
		text += "; " + r.Failure.Hint
	}
	b.emit(progress.Event{Type: progress.Noted, Video: r.Video, Text: text})
}

// waitsAfter is how long nothing of a video runs before that is told: between
// one job and the next there is always a moment.
const waitsAfter = beatEvery / 2

// beat tells how far everything that is running is, and what has stopped to
// run waits for.
func (b *board) beat(beat spool.Beat) {
	running := map[string][]spool.Running{}
	for _, r := range beat.Running {
		running[r.Video] = append(running[r.Video], r)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.overlap.observe(now, beat.Running)
	for id, jobs := range running {
		s := b.of(id)
		b.resume(s, jobs[0])
		if slices.ContainsFunc(jobs, doesSomething) {
			s.idle = now
			b.moved(id, s.snapshot(jobs))
		}
	}
	b.removed()
	for id, s := range b.videos {
		if s.status.Ended() && now.Sub(s.ended) > remembered {
			delete(b.videos, id)
		}
		if !s.idle.Equal(now) && !s.status.Ended() && !s.idle.IsZero() && now.Sub(s.idle) >= waitsAfter {
			s.idle = time.Time{}
			b.moved(id, s.snapshot(running[id]))
		}
	}
}

// doesSomething: a job that has no phase has just begun, or waits for a slot.
func doesSomething(r spool.Running) bool { return r.Progress.Phase != "" || r.Progress.Note != "" }

func (b *board) moved(id string, snapshot progress.Snapshot) {
	b.emit(progress.Event{Type: progress.Moved, Video: id, Snapshot: &snapshot})
}

// removed tells of videos that another process took back. The caller holds mu.
func (b *board) removed() {
	ctx := context.Background()
	now, err := b.ledger.Changes(ctx)
	if err != nil || now == b.changes {
		return // what is shown is worth no failure
	}
	b.changes = now
	for id, s := range b.videos {
		if s.status.Ended() {
			continue
		}
		rec, err := b.ledger.Get(ctx, id)
		if errors.Is(err, ledger.ErrNotFound) || err == nil && rec.Video.Status == spool.Cancelled {
			s.status, s.ended = spool.Cancelled, time.Now()
			b.emit(progress.Event{Type: progress.Removed, Video: id, Status: s.status})
		}
	}
}

// resume learns from the ledger what an earlier run did of a video.
func (b *board) resume(s *standing, r spool.Running) {
	if s.plan != nil && s.revision == r.Revision || r.Kind == spool.Fetch || r.Kind == spool.Draft {
		return
	}
	done, err := b.ledger.Results(context.Background(), r.Video, r.Revision)
	if err != nil {
		return // what is shown is worth no failure
	}
	s.revision, s.framesDone, s.chunksDone, s.packetsDone, s.piecesDone = r.Revision, 0, 0, 0, 0
	for _, d := range done {
		if d.Result != nil && d.Result.Plan != nil {
			s.plan = d.Result.Plan
		}
	}
	for _, d := range done {
		if d.Kind == spool.Encode && s.plan != nil && d.Number < len(s.plan.Chunks) {
			s.framesDone += int64(s.plan.Chunks[d.Number].Frames)
			s.chunksDone++
		}
		if d.Kind == spool.Audio && s.plan != nil && d.Number < len(s.plan.Pieces) {
			s.packetsDone += int64(s.plan.Pieces[d.Number].Packets)
			s.piecesDone++
		}
	}
}

// snapshot adds up the jobs of a video.
func (s *standing) snapshot(jobs []spool.Running) progress.Snapshot {
	snap := progress.Snapshot{Download: s.download}
	active := map[spool.Phase]bool{}
	snap.Encode.Done = s.framesDone
	for _, j := range jobs {
		p := j.Progress
		if p.Phase != "" {
			active[p.Phase] = true
		}
		if p.Note != "" {
			snap.Note = p.Note
		}
		switch {
		case p.Phase == spool.Downloading:
			snap.Download = progress.Count{Done: p.Done, Total: p.Total}
		case j.Kind == spool.Encode && p.Phase == spool.Encoding:
			snap.Encode.Done += p.Done
		case j.Kind == spool.Encode && p.Phase == spool.Publishing && s.plan != nil && j.Number < len(s.plan.Chunks):
			snap.Encode.Done += int64(s.plan.Chunks[j.Number].Frames) // encoded, being published
		}
	}
	for _, p := range []spool.Phase{spool.Downloading, spool.Probing, spool.Encoding, spool.Publishing, spool.Verifying} {
		if active[p] {
			snap.Phases = append(snap.Phases, p)
		}
	}
	if len(snap.Phases) == 0 && snap.Note == "" {
		snap.Note = s.waitsFor()
	}
	if s.plan != nil {
		snap.Encode = s.encode(snap.Encode.Done, jobs)
		snap.Chunks, snap.ChunksDone = len(s.plan.Chunks), s.chunksDone
		snap.Length = s.plan.Timeline.Duration(s.plan.SampleRate())
	}
	return snap
}

// waitsFor says what a video waits for of which nothing is at work.
func (s *standing) waitsFor() string {
	switch {
	case s.plan != nil && (s.chunksDone < len(s.plan.Chunks) || s.piecesDone < len(s.plan.Pieces)):
		return "waits for a free encoder"
	case s.plan == nil && s.download.Done == 0:
		return "waits for a download slot"
	}
	return "waits for its turn"
}

// encode is how much is encoded: frames, or packets where there is only sound.
func (s *standing) encode(frames int64, jobs []spool.Running) progress.Count {
	if s.plan.Timeline.Frames > 0 {
		return progress.Count{Done: frames, Total: int64(s.plan.Timeline.Frames)}
	}
	c := progress.Count{Done: s.packetsDone}
	for _, p := range s.plan.Pieces {
		c.Total += int64(p.Packets)
	}
	for _, j := range jobs {
		if j.Kind == spool.Audio && j.Progress.Phase == spool.Encoding {
			c.Done += j.Progress.Done
		}
	}
	return c
}

// changed tells what became of a video.
func (b *board) changed(v spool.Video) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.videos[v.ID] == nil && v.Status.Ended() && time.Since(v.Changed) > remembered {
		return // it was told, and forgotten
	}
	s := b.of(v.ID)
	before, waited := s.status, s.waitsOn
	s.status, s.waitsOn = v.Status, ""
	if v.Status == spool.Paused && v.Failure != nil {
		s.waitsOn = v.Failure.Code
	}
	if before == v.Status && waited == s.waitsOn {
		return
	}
	if v.Status.Ended() {
		s.ended = time.Now()
	}
	e := progress.Event{Video: v.ID, Title: v.Title, Source: v.Canonical, Status: v.Status, Failure: v.Failure, Took: time.Since(s.began)}
	switch {
	case v.Status == spool.Ready:
		e.Type, e.Sizes, e.LeftOut, e.Path = progress.Ready, v.Sizes, v.LeftOut, b.master(v.ID)
	case v.Status == spool.Failed:
		e.Type = progress.Failed
	case v.Status == spool.Cancelled:
		e.Type = progress.Removed
	case v.Status == spool.Paused:
		e.Type = progress.Paused
	case before == spool.Paused:
		e.Type = progress.Resumed
	default:
		return
	}
	b.emit(e)
}

// overlap measures how much the phases ran side by side.
type overlap struct {
	last   time.Time
	active time.Duration                 // something was running
	phases map[spool.Phase]time.Duration // this phase was running
}

func (o *overlap) observe(now time.Time, running []spool.Running) {
	since := now.Sub(o.last)
	first := o.last.IsZero()
	o.last = now
	if first || len(running) == 0 {
		return
	}
	if o.phases == nil {
		o.phases = map[spool.Phase]time.Duration{}
	}
	seen := map[spool.Phase]bool{}
	for _, r := range running {
		if !arrived(r.Progress) {
			seen[r.Progress.Phase] = true
		}
	}
	o.active += since
	for p := range seen {
		o.phases[p] += since
	}
}

// busy is what the phases would have taken one after another, in a run that
// took so long.
func (b *board) busy(took time.Duration) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.overlap.active == 0 {
		return 0
	}
	serial := took - b.overlap.active
	for _, d := range b.overlap.phases {
		serial += d
	}
	return max(serial, took)
}
