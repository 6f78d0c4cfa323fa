// Package ledger is the contract of the durable record of videos and jobs:
// the truth, of which everything else is a copy or a message.
package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/spool-video/spool"
)

// ErrNotFound: the ledger has no such video, job or key.
var ErrNotFound = errors.New("not in the ledger")

// ErrExists: a video with this ID, compared case-folded, is there already.
var ErrExists = errors.New("already in the ledger")

// Job is a job as the ledger keeps it. Result is nil in what Update and Get
// load; an Update that sets it stores it with the job.
type Job struct {
	spool.JobRecord
	Result *spool.Result
}

// Record is a video with the jobs of its current revision.
type Record struct {
	Video spool.Video
	Jobs  []Job
}

// Job finds a job of the record, or nil.
func (r *Record) Job(kind spool.Kind, number int) *Job {
	for i := range r.Jobs {
		if r.Jobs[i].Kind == kind && r.Jobs[i].Number == number {
			return &r.Jobs[i]
		}
	}
	return nil
}

// Filter selects videos; the zero value selects all.
type Filter struct {
	Statuses []spool.Status
	Causes   []string // codes of failures, as Video.Failure.Code: "poison"
	After    string   // only videos that were accepted after the one with this ID
	Limit    int      // how many at most; 0 = all
}

// Ask selects jobs that may be handed out.
type Ask struct {
	Kind   spool.Kind
	Now    time.Time
	Places []spool.Place // only jobs of these places; nil = of all
	Limit  int           // how many at most: of each place, when Places is set
}

// LongestRest bounds how long a job rests. One that is put off for longer was
// put off by a clock that was ahead and has been set right since: it does not
// rest.
const LongestRest = 2 * time.Hour

// Rests reports whether a job that may not be handed out before a time may not
// be handed out now.
func Rests(notBefore, now time.Time) bool {
	return notBefore.After(now) && !notBefore.After(now.Add(LongestRest))
}

// Stocked is a video that could be encoded, and of which nothing was begun.
type Stocked struct {
	Place    spool.Place // of its plan or its parts
	Priority int
	Chunks   int // 0: it is not planned, or has none
}

// Counts are how many there are of what a ledger holds.
type Counts struct {
	Videos  map[spool.Status]int
	Jobs    map[spool.Kind]map[spool.JobState]int // that are to be done, or sent, or running
	Notices int                                   // that are to be delivered
	GivenUp int                                   // notices that were given up
}

// Note adds n jobs of a kind in a state.
func (c *Counts) Note(kind spool.Kind, state spool.JobState, n int) {
	if c.Jobs[kind] == nil {
		c.Jobs[kind] = map[spool.JobState]int{}
	}
	c.Jobs[kind][state] += n
}

// Change is one record's part of a batch. Do edits the record, as in Update.
type Change struct {
	ID string
	Do func(*Record) error
}

// Replaced is a published revision that another one has taken the place of.
type Replaced struct {
	Video, Revision string
	Since           time.Time
}

// Ledger is safe for concurrent use, and several processes may have one open.
type Ledger interface {
	// Accept adds videos with their first jobs, in the order given: all of
	// them, or none. When it returns nil they survive a power cut. ErrExists
	// when an ID is taken; an ID that is not valid, or a job of another video,
	// is refused.
	Accept(ctx context.Context, rs ...Record) error
	// Get loads a video with the jobs of its current revision, by kind and
	// number. Here and below an ID is looked up as IDs clash: case-folded.
	// ErrNotFound when there is none.
	Get(ctx context.Context, id string) (Record, error)
	// Find gives the video of a canonical source, the one accepted last when
	// there are several, or ErrNotFound.
	Find(ctx context.Context, canonical string) (spool.Video, error)
	// List gives videos in the order in which they were accepted. ErrNotFound
	// when the video that they are to come after is not there.
	List(ctx context.Context, f Filter) ([]spool.Video, error)
	// Update is the compare-and-set: it loads a record, lets change edit it,
	// and saves it, in one transaction; when it returns nil the change
	// survives a power cut. Jobs that change adds are inserted; jobs that it
	// leaves out, and jobs of another revision than the video's, stay as they
	// are. When change returns an error nothing is saved and Update returns
	// that error. A change of Video.Published records the revision that it
	// replaces; one that is published again is not a replaced one any more.
	// The ID cannot change. Change must not call the ledger.
	Update(ctx context.Context, id string, change func(*Record) error) error
	// UpdateAll is Update for several records, which may be the same one, in
	// one transaction: all changes survive a power cut, or none. A change that
	// returns an error, or whose video is not there, is left out; the others
	// are made. The errors of the changes are returned in their order, nil for
	// those that were made; the last result is what hindered all of them.
	UpdateAll(ctx context.Context, changes []Change) ([]error, error)
	// Ready gives jobs of one kind that may be handed out at a time, those that
	// do not rest (Rests), of videos that have not ended, in the order of handing out: by the video's
	// priority, the highest first, then by turn, then videos in the order of
	// acceptance, within a video by number.
	Ready(ctx context.Context, a Ask) ([]spool.JobRecord, error)
	// Places gives the places that ready jobs of a kind have, of videos that
	// have not ended, each once.
	Places(ctx context.Context, kind spool.Kind) ([]spool.Place, error)
	// Stock gives videos whose source can be planned or encoded, and of which no
	// plan, or no part, was handed out yet: so many at most, in the order of
	// acceptance.
	Stock(ctx context.Context, limit int) ([]Stocked, error)
	// Out gives the jobs that are sent or running, of all revisions, ended
	// videos included.
	Out(ctx context.Context) ([]spool.JobRecord, error)
	// Results gives the results of all jobs of a revision that have one, done
	// or not, by kind and number.
	Results(ctx context.Context, video, revision string) ([]Job, error)
	// PutKeys keeps wrapped content keys of a video by their IDs, all or none
	// of them; one that is there is not replaced.
	PutKeys(ctx context.Context, video string, wrapped map[string][]byte) error
	// Key gives the wrapped content key with an ID.
	Key(ctx context.Context, video, id string) ([]byte, error)
	// Keys gives the IDs of all keys of a video (all videos when ""): video →
	// IDs. Videos that were removed with keepKeys are among them.
	Keys(ctx context.Context, video string) (map[string][]string, error)
	// Replaced gives the revisions replaced before a time and not yet swept.
	Replaced(ctx context.Context, before time.Time) ([]Replaced, error)
	// Swept forgets a replaced revision; one that is not known is no error.
	Swept(ctx context.Context, video, revision string) error
	// Remove forgets a video, its jobs and, unless keepKeys, its keys.
	Remove(ctx context.Context, id string, keepKeys bool) error
	// Notices gives messages about the end of videos that are to reach those who
	// asked for them, the longest overdue first. A change of a video adds those
	// that Ended gives, in the same transaction; so does Accept.
	Notices(ctx context.Context, a NoticeAsk) ([]Notice, error)
	// PutOff keeps what came of a try to deliver a notice: its Began, Attempts,
	// Next, Last and GivenUp. One that is not there is no error.
	PutOff(ctx context.Context, n Notice) error
	// Told forgets a notice; one that is not there is no error.
	Told(ctx context.Context, id string) error
	// Count counts. Statuses, kinds and states that nothing has are left out.
	Count(ctx context.Context) (Counts, error)
	// Changes gives a number that differs from an earlier one when another
	// process has written since. What this Ledger writes does not change it.
	Changes(ctx context.Context) (int64, error)
	Close() error
}
