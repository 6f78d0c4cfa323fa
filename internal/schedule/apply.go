package schedule

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// How often a job may fail before its video does.
const (
	maxAttempts = 5
	maxDeaths   = 3
	maxReplans  = 2
)

// realProgress is how many bytes a fetch must have got, since it failed the last
// time, not to have tried in vain.
const realProgress = 1 << 20

// maxNotes is how much is kept of what a person should know of one video.
const maxNotes = 20

// How long a job rests before it is tried again.
const (
	firstRest       = 2 * time.Second
	longestRest     = time.Minute
	environmentRest = 3 * time.Second
	longestAfter    = time.Hour // whatever a server asks for: half of ledger.LongestRest
)

// NewRecord is a video as it enters the ledger: waiting, with its first job.
func NewRecord(v spool.Video, now time.Time) ledger.Record {
	v.Added, v.Changed = now, now
	rec := ledger.Record{Video: v}
	begin(&rec, now)
	return rec
}

// Again begins a new revision of a video, whatever became of the last one.
// What is published stays published until the new revision is.
func Again(rec *ledger.Record, now time.Time) {
	rec.Video.Replans, rec.Video.Replaced = 0, 0
	begin(rec, now)
}

// Retry makes a failed or cancelled video go on. One that failed for a passing
// reason goes on where it ended: what is done stays done. Of the others
// nothing is kept, neither the download nor what was published, and they begin
// anew.
func Retry(rec *ledger.Record, now time.Time) {
	v := &rec.Video
	if v.Failure == nil || v.Failure.Class != spool.Transient || len(rec.Jobs) == 0 {
		Again(rec, now)
		return
	}
	v.Status, v.Failure, v.Changed = spool.Waiting, nil, now
	for i := range rec.Jobs {
		if j := &rec.Jobs[i]; j.State != spool.JobDone {
			j.State, j.Attempts, j.Deaths, j.Lost, j.NotBefore, j.Failure = spool.JobReady, 0, 0, nil, time.Time{}, nil
		}
	}
	hold(rec)
}

// Recover gives back the jobs that were out when a process ended that was the
// only one: nobody is at work on them, and nobody is to blame.
func Recover(rec *ledger.Record) {
	for i := range rec.Jobs {
		if j := &rec.Jobs[i]; j.State == spool.JobSent || j.State == spool.JobRunning {
			j.State, j.Worker = spool.JobReady, ""
		}
	}
	hold(rec)
	settle(rec)
}

// Apply is the state machine: what a worker's report changes in a record. A
// report that is late, doubled or of another revision changes nothing, except
// that the first "done" of a job counts whatever its epoch: results are
// interchangeable. It reports whether anything changed.
func Apply(rec *ledger.Record, r spool.Report, now time.Time) bool {
	job := rec.Job(r.Kind, r.Number)
	if job == nil || r.Revision != rec.Video.Revision || job.State == spool.JobDone {
		return false
	}
	if rec.Video.Status.Ended() {
		return letGo(job, r)
	}
	if r.Outcome == spool.Done {
		done(rec, job, r, now)
		return true
	}
	if r.Epoch != job.Epoch || (job.State != spool.JobSent && job.State != spool.JobRunning) {
		return false
	}
	if r.Serial > 0 {
		if r.Serial <= job.Seen {
			return false // it was overtaken, and says less than what is known
		}
		job.Seen = r.Serial
	}
	switch r.Outcome {
	case spool.Started:
		job.State = spool.JobRunning
	case spool.Arrived:
		if !arrived(rec, job, r) {
			return false
		}
	case spool.Returned:
		job.State, job.Worker = spool.JobReady, ""
		if r.After > 0 {
			job.NotBefore = now.Add(min(r.After, longestAfter))
		}
		if job.Kind == spool.Fetch {
			hold(rec) // what another worker fetches arrives anew
		}
		if fetch := rec.Job(spool.Fetch, 0); job.Kind == spool.Draft && fetch != nil && fetch.State == spool.JobReady {
			job.State = spool.JobWaiting // it goes on with the bytes
		}
	case spool.Broke:
		broke(rec, job, r, now)
	case spool.Done: // dealt with above
	}
	rec.Video.Changed = now
	settle(rec)
	return true
}

// letGo notes that a job of a video that has ended is not out any more. What a
// part made stays made; a plan is made again, for its parts were not opened.
func letGo(job *ledger.Job, r spool.Report) bool {
	goesOn := r.Outcome == spool.Started || r.Outcome == spool.Arrived
	if goesOn || r.Epoch != job.Epoch || job.State == spool.JobReady || job.State == spool.JobFailed {
		return false
	}
	job.State, job.Worker = spool.JobReady, ""
	if r.Outcome == spool.Done && job.Kind != spool.Draft {
		job.State, job.Result = spool.JobDone, r.Result
	}
	return true
}

func done(rec *ledger.Record, job *ledger.Job, r spool.Report, now time.Time) {
	job.State, job.Result, job.Failure, job.Worker = spool.JobDone, r.Result, nil, r.Worker
	v := &rec.Video
	v.Changed = now
	waitsOn(rec)
	ev := Event{Done: &r.JobKey}
	if r.Result != nil {
		ev.Plan = r.Result.Plan
		learn(v, r.Result)
	}
	if job.Kind == spool.Finish {
		v.Status, v.Published, v.Failure = spool.Ready, v.Revision, nil
		v.GivenUp = nil // it has swept them
		return
	}
	if job.Kind == spool.Fetch {
		settleAt(rec, r)
		release(rec, func(spool.JobKey) bool { return true })
	}
	open(rec, Next(*v, records(rec.Jobs), ev), r)
	settle(rec)
}

// waitsOn keeps what a video is paused for to what its jobs still wait for, of
// the machine or the destination: one chunk that got through does not end the
// pause, and what is mended is not said any more when something else is not.
func waitsOn(rec *ledger.Record) {
	v := &rec.Video
	if v.Failure == nil || v.Status.Ended() {
		return
	}
	var now *spool.Failure
	for _, j := range rec.Jobs {
		f := j.Failure
		if j.State == spool.JobDone || f == nil || f.Class != spool.Environment {
			continue
		}
		if f.Code == v.Failure.Code {
			return
		}
		now = told(f)
	}
	v.Failure = now
}

// learn keeps with the video what people ask for without opening a plan.
func learn(v *spool.Video, r *spool.Result) {
	if r.Fetched != nil && r.Fetched.Page != nil && v.Title == "" {
		v.Title = r.Fetched.Page.Title
	}
	if r.Made != nil {
		v.Notes = noted(v.Notes, r.Made.Notes)
	}
	if r.Finished != nil {
		v.Notes = noted(v.Notes, r.Finished.Notes)
	}
	if f := r.Fetched; f != nil && f.Page == nil && (f.SHA256 != "" || f.Remote != nil) { // a link, or a file in a store
		if v.Stamp.Size != f.Size || v.Stamp.Tag != f.Tag {
			v.Stamp = spool.SourceStamp{Size: f.Size, Tag: f.Tag}
		}
	}
	if r.Plan == nil {
		return
	}
	v.LeftOut, v.Notes = r.Plan.LeftOut, r.Plan.Notes
	v.Sizes = nil
	for _, rung := range r.Plan.Rungs {
		if rung.Action != spool.SkipRung {
			v.Sizes = append(v.Sizes, rung.Label())
		}
	}
	if len(r.Plan.Rungs) == 0 {
		v.Sizes = []string{"audio"}
	}
}

// noted adds what is not among the notes of a video, while there is room.
func noted(notes, more []string) []string {
	for _, note := range more {
		if len(notes) < maxNotes && !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}
	return notes
}

// broke decides by the class of a failure what becomes of its job and video.
func broke(rec *ledger.Record, job *ledger.Job, r spool.Report, now time.Time) {
	f := r.Failure
	if f == nil {
		f = &spool.Failure{Class: spool.Transient, Code: "unexpected", Reason: "the worker gave no reason"}
	}
	f = advanced(job, *f)
	job.Failure, job.Worker, job.State = f, "", spool.JobReady
	switch f.Class {
	case spool.NeedsWhole:
		hold(rec)
	case spool.Environment:
		job.NotBefore = now.Add(max(environmentRest, min(r.After, longestAfter)))
		rec.Video.Failure = told(f)
	case spool.Replan:
		replan(rec, f, now)
	case spool.Permanent, spool.Poison:
		fail(rec, job, *f)
	case spool.Transient:
		retryLater(rec, job, r, now)
		waitsOn(rec)
	}
}

// advanced is a failure of a job with the most that its source had of bytes. A
// fetch that got on since it failed the last time is counted anew: ten hours may
// have five troubles.
func advanced(job *ledger.Job, f spool.Failure) *spool.Failure {
	had := int64(0)
	if job.Failure != nil {
		had = job.Failure.Had
	}
	if f.Had-had >= realProgress {
		job.Attempts = 0
	}
	f.Had = max(f.Had, had)
	return &f
}

// told is a failure of a job as its video has it.
func told(f *spool.Failure) *spool.Failure {
	of := *f
	of.Had = 0
	return &of
}

func retryLater(rec *ledger.Record, job *ledger.Job, r spool.Report, now time.Time) {
	f := *job.Failure
	if r.Died {
		job.Deaths++
	} else {
		job.Attempts++
	}
	switch {
	case job.Deaths >= maxDeaths:
		fail(rec, job, poison(job, f.Reason))
	case job.Attempts >= maxAttempts:
		fail(rec, job, f)
	default:
		rest := min(firstRest<<max(job.Attempts-1, 0), longestRest)
		job.NotBefore = now.Add(max(rest, min(r.After, longestAfter)))
	}
}

// poison is the failure of a video one of whose jobs kills who does it.
func poison(job *ledger.Job, last string) spool.Failure {
	return spool.Failure{
		Class: spool.Poison, Code: "poison",
		Reason: fmt.Sprintf("the %s process was killed %d times at the same place: %s", job.Kind, job.Deaths, last),
	}
}

// replan begins a revision that trusts the source less.
func replan(rec *ledger.Record, f *spool.Failure, now time.Time) {
	count := &rec.Video.Replans
	switch f.Code {
	case spool.SourceGone:
		begin(rec, now)
		return
	case spool.SourceChanged, spool.NeedsCopy:
		count = &rec.Video.Replaced
	}
	if *count >= maxReplans {
		failed := told(f)
		failed.Class = spool.Permanent
		rec.Video.Status, rec.Video.Failure = spool.Failed, failed
		return
	}
	*count++
	begin(rec, now)
}

func fail(rec *ledger.Record, job *ledger.Job, f spool.Failure) {
	job.State = spool.JobFailed
	rec.Video.Status, rec.Video.Failure = spool.Failed, told(&f)
}

// begin starts a revision of its own, with its first job.
func begin(rec *ledger.Record, now time.Time) {
	v := &rec.Video
	if v.Revision != "" && v.Revision != v.Published {
		v.GivenUp = append(slices.Clone(v.GivenUp), v.Revision)
	}
	v.Revision, v.Status, v.Failure, v.Changed = newRevision(), spool.Waiting, nil, now
	rec.Jobs = nil
	open(rec, Next(*v, nil, Event{Accepted: true}), spool.Report{})
}

// newRevision names a revision; names must differ even when a ledger was lost
// and the destination was not, so they are random.
func newRevision() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return "r" + hex.EncodeToString(b[:])
}

// open adds jobs, because of a report.
func open(rec *ledger.Record, keys []spool.JobKey, by spool.Report) {
	for _, k := range keys {
		if rec.Job(k.Kind, k.Number) != nil {
			continue
		}
		state := spool.JobReady
		if isPart(k.Kind) && arriving(rec) {
			state = spool.JobWaiting
		}
		rec.Jobs = append(rec.Jobs, ledger.Job{JobRecord: spool.JobRecord{JobKey: k, State: state, Place: placeFor(rec, k, by)}})
	}
}

// settle derives the status of a video that has not ended from its jobs.
func settle(rec *ledger.Record) {
	v := &rec.Video
	if v.Status.Ended() {
		return
	}
	v.Status = spool.Waiting
	for _, j := range rec.Jobs {
		if j.State == spool.JobSent || j.State == spool.JobRunning {
			v.Status = spool.Working
		}
	}
	if v.Failure != nil && v.Failure.Class == spool.Environment {
		v.Status = spool.Paused
	}
}

// resume ends the pause of a video.
func resume(rec *ledger.Record, now time.Time) bool {
	v := &rec.Video
	if v.Status != spool.Paused {
		return false
	}
	v.Failure, v.Changed = nil, now
	settle(rec)
	return true
}

func records(jobs []ledger.Job) []spool.JobRecord {
	out := make([]spool.JobRecord, len(jobs))
	for i, j := range jobs {
		out[i] = j.JobRecord
	}
	return out
}
