package schedule

import (
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// fetchPlace is where a source can be fetched: a link anywhere, a file in a
// store by who reaches the store, a local file by who sees the same files.
func fetchPlace(v spool.Video) spool.Place {
	switch {
	case strings.HasPrefix(v.Source, "/"):
		return spool.Place{Store: spool.LocalFiles}
	case spool.IsRemotePath(v.Source):
		return spool.Place{Store: storeOf(v.Source)}
	}
	return spool.Place{}
}

// storeOf is the identity of the store that a place lies in: "nas:" of
// "nas:films/one.mp4", LocalFiles of an absolute path.
func storeOf(place string) string {
	name, _, remote := strings.Cut(place, ":")
	if !remote || strings.HasPrefix(place, "/") {
		return spool.LocalFiles
	}
	return name + ":"
}

// sourcePlace is where a source that was fetched can be read.
func sourcePlace(v spool.Video, f *spool.Fetched, worker string) spool.Place {
	if !f.Anywhere() {
		if !f.Scratch && f.Sound == nil && f.Path == v.Source { // a local file, left where it is
			return spool.Place{Store: spool.LocalFiles}
		}
		return spool.Place{Worker: worker}
	}
	for _, r := range []*spool.Remote{f.Remote, f.Hearing().Remote} {
		if at := r.Store + r.Staged; at != "" {
			return spool.Place{Store: storeOf(at)}
		}
	}
	return spool.Place{}
}

// settleAt says where what reads the source can be done, now that it is known
// where the source lies.
func settleAt(rec *ledger.Record, r spool.Report) {
	if r.Result == nil || r.Result.Fetched == nil {
		return
	}
	at := sourcePlace(rec.Video, r.Result.Fetched, r.Worker)
	for i := range rec.Jobs {
		if j := &rec.Jobs[i]; j.State != spool.JobDone && readsSource(j.Kind) {
			at.Class = j.Place.Class
			j.Place = at
		}
	}
}

func readsSource(kind spool.Kind) bool {
	return kind == spool.Draft || isPart(kind)
}

// isPart reports whether jobs of a kind make media of a source.
func isPart(kind spool.Kind) bool {
	return kind == spool.Encode || kind == spool.Audio || kind == spool.Texts
}

// placeFor is the place of a job that is opened beside others.
func placeFor(rec *ledger.Record, key spool.JobKey, by spool.Report) spool.Place {
	switch {
	case key.Kind == spool.Fetch:
		return fetchPlace(rec.Video)
	case key.Kind == spool.Draft && by.Result != nil && by.Result.Fetched != nil:
		return sourcePlace(rec.Video, by.Result.Fetched, by.Worker)
	case isPart(key.Kind):
		var at spool.Place
		if draft := rec.Job(spool.Draft, 0); draft != nil {
			at = draft.Place
		}
		at.Class = classOf(rec)
		return at
	}
	return spool.Place{}
}

// classOf is the class that a revision's parts are made by, or "".
func classOf(rec *ledger.Record) string {
	for _, j := range rec.Jobs {
		if j.Place.Class != "" {
			return j.Place.Class
		}
	}
	return ""
}

// pin binds the parts of a revision to a class of encoders.
func pin(rec *ledger.Record, class string) {
	for i := range rec.Jobs {
		if j := &rec.Jobs[i]; isPart(j.Kind) || j.Kind == spool.Fetch {
			j.Place.Class = class
		}
	}
}

// unpin lets another class make the parts when none was made yet, and begins a
// new revision when some were: two classes of encoders do not mix.
func unpin(rec *ledger.Record, gone string, now time.Time) bool {
	if classOf(rec) != gone || rec.Video.Status.Ended() {
		return false
	}
	for _, j := range rec.Jobs {
		if isPart(j.Kind) && j.State == spool.JobDone {
			begin(rec, now)
			return true
		}
	}
	pin(rec, "")
	return true
}

// refetch makes the source come again, because nobody has it any more. What is
// done stays done; what is not waits for its bytes.
func refetch(rec *ledger.Record, gone string) bool {
	fetch := rec.Job(spool.Fetch, 0)
	if rec.Video.Status.Ended() || fetch == nil || fetch.State != spool.JobDone {
		return false
	}
	needed := false
	for _, j := range rec.Jobs {
		needed = needed || j.State != spool.JobDone && j.Place.Worker == gone
	}
	if !needed {
		return false
	}
	class := classOf(rec)
	fetch.State, fetch.Worker, fetch.Place = spool.JobReady, "", fetchPlace(rec.Video)
	fetch.Place.Class = class
	hold(rec)
	settle(rec)
	return true
}

// turns gives videos their place in line. A chunk's turn is its number after
// its video's first turn, and that is the turn that is being handed out when
// the video is planned, but for a head start that the videos before it have:
// so short videos are made one after the other, and a long one shares with
// those that come after it. Turns only grow, so nobody waits for ever.
type turns struct {
	now   int64 // the turn that was handed out last
	first int64 // the first turn of the video that was planned last
}

// headStart is how many chunks of a video come before all of those of the next.
const headStart = 8

// assign gives turns to the parts that have none.
func (t *turns) assign(rec *ledger.Record) {
	first := int64(0)
	for _, j := range rec.Jobs {
		if isPart(j.Kind) && j.Turn > 0 {
			first = j.Turn - int64(j.Number)
			break
		}
	}
	for i := range rec.Jobs {
		j := &rec.Jobs[i]
		if !isPart(j.Kind) || j.Turn > 0 {
			continue
		}
		if first == 0 {
			t.first = max(t.now, t.first+headStart, 1)
			first = t.first
		}
		j.Turn = first + int64(j.Number)
	}
}

// handedOut notes whose turn it is.
func (t *turns) handedOut(j spool.JobRecord) {
	if j.Kind == spool.Encode {
		t.now = max(t.now, j.Turn)
	}
}
