package sqliteledger

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// ranks is the order of kinds within a video.
var ranks = map[spool.Kind]int{spool.Fetch: 0, spool.Draft: 1, spool.Encode: 2, spool.Audio: 3, spool.Texts: 4, spool.Finish: 5}

// videoRow is a video as its table has it, without seq.
type videoRow struct {
	folded, canonical, status, revision, cause, record string
}

func encodeVideo(v spool.Video) (videoRow, error) {
	record, err := json.Marshal(v)
	if err != nil {
		return videoRow{}, fmt.Errorf("video %s: %w", v.ID, err)
	}
	row := videoRow{
		folded: spool.FoldID(v.ID), canonical: v.Canonical, status: string(v.Status),
		revision: v.Revision, record: string(record),
	}
	if v.Failure != nil {
		row.cause = v.Failure.Code
	}
	return row, nil
}

func decodeVideo(record string) (spool.Video, error) {
	var v spool.Video
	if err := json.Unmarshal([]byte(record), &v); err != nil {
		return spool.Video{}, fmt.Errorf("video in the ledger: %w", err)
	}
	return v, nil
}

// jobRow is a job as its table has it, without its video. It is comparable: a
// row that did not change is not written.
type jobRow struct {
	revision, kind          string
	rank, number            int
	live                    bool
	state                   string
	epoch, attempts, deaths int
	notBefore               int64
	worker, failure         string
	priority, seen          int
	turn                    int64
	place, lost             string
	result                  sql.NullString
}

// live: jobs of the revision are to be done.
func live(v spool.Video, revision string) bool {
	return revision == v.Revision && !v.Status.Ended()
}

// belongs reports why a job is none of a video's.
func belongs(v spool.Video, j ledger.Job) error {
	if _, known := ranks[j.Kind]; !known || j.Video != v.ID {
		return fmt.Errorf("job %s is not one of video %s", j.JobKey, v.ID)
	}
	return nil
}

func encodeJob(v spool.Video, j ledger.Job) (jobRow, error) {
	if err := belongs(v, j); err != nil {
		return jobRow{}, err
	}
	row := jobRow{
		revision: j.Revision, kind: string(j.Kind), rank: ranks[j.Kind], number: j.Number, live: live(v, j.Revision),
		state: string(j.State), epoch: j.Epoch, attempts: j.Attempts, deaths: j.Deaths,
		notBefore: nanos(j.NotBefore), worker: j.Worker, priority: v.Priority, seen: j.Seen, turn: j.Turn,
	}
	var err error
	encode := func(set bool, value any) string {
		if !set || err != nil {
			return ""
		}
		var text []byte
		text, err = json.Marshal(value)
		return string(text)
	}
	row.failure = encode(j.Failure != nil, j.Failure)
	row.lost = encode(len(j.Lost) > 0, j.Lost)
	row.place = encode(j.Place != spool.Place{}, j.Place) // as placeText
	row.result = sql.NullString{String: encode(j.Result != nil, j.Result), Valid: j.Result != nil}
	if err != nil {
		return jobRow{}, fmt.Errorf("job %s: %w", j.JobKey, err)
	}
	return row, nil
}

// placeText is a place as its column has it.
func placeText(p spool.Place) (string, error) {
	if p == (spool.Place{}) {
		return "", nil
	}
	text, err := json.Marshal(p)
	return string(text), err
}

func placeOf(text string) (p spool.Place, err error) {
	if text != "" {
		err = json.Unmarshal([]byte(text), &p)
	}
	return p, err
}

// jobColumns are what scanJob reads.
const jobColumns = "j.revision, j.kind, j.number, j.state, j.epoch, j.attempts, j.deaths, j.not_before, j.worker, j.failure, j.turn, j.place, j.seen, j.lost"

// scanner is a row of a result.
type scanner interface{ Scan(...any) error }

// scanJob reads jobColumns; more are the columns after them.
func scanJob(rows scanner, video string, more ...any) (spool.JobRecord, error) {
	j := spool.JobRecord{JobKey: spool.JobKey{Video: video}}
	var notBefore int64
	var failure, place, lost string
	columns := append([]any{
		&j.Revision, &j.Kind, &j.Number, &j.State, &j.Epoch, &j.Attempts, &j.Deaths,
		&notBefore, &j.Worker, &failure, &j.Turn, &place, &j.Seen, &lost,
	}, more...)
	if err := rows.Scan(columns...); err != nil {
		return j, err
	}
	j.NotBefore = moment(notBefore)
	if failure != "" {
		if err := json.Unmarshal([]byte(failure), &j.Failure); err != nil {
			return j, fmt.Errorf("failure of job %s: %w", j.JobKey, err)
		}
	}
	if lost != "" {
		if err := json.Unmarshal([]byte(lost), &j.Lost); err != nil {
			return j, fmt.Errorf("losses of job %s: %w", j.JobKey, err)
		}
	}
	var err error
	if j.Place, err = placeOf(place); err != nil {
		return j, fmt.Errorf("place of job %s: %w", j.JobKey, err)
	}
	return j, nil
}

// nanos is a time as the file has it; the zero time is 0.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func moment(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}
