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
var ranks = map[spool.Kind]int{spool.Fetch: 0, spool.Draft: 1, spool.Encode: 2, spool.Audio: 3, spool.Finish: 4}

// videoRow is a video as its table has it, without seq.
type videoRow struct {
	folded, canonical, status, revision, record string
}

func encodeVideo(v spool.Video) (videoRow, error) {
	record, err := json.Marshal(v)
	if err != nil {
		return videoRow{}, fmt.Errorf("video %s: %w", v.ID, err)
	}
	return videoRow{
		folded: spool.FoldID(v.ID), canonical: v.Canonical, status: string(v.Status),
		revision: v.Revision, record: string(record),
	}, nil
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
	result                  sql.NullString
}

// live: jobs of the revision are to be done.
func live(v spool.Video, revision string) bool {
	return revision == v.Revision && !v.Status.Ended()
}

func encodeJob(v spool.Video, j ledger.Job) (jobRow, error) {
	rank, known := ranks[j.Kind]
	if !known || j.Video != v.ID {
		return jobRow{}, fmt.Errorf("job %s is not one of video %s", j.JobKey, v.ID)
	}
	row := jobRow{
		revision: j.Revision, kind: string(j.Kind), rank: rank, number: j.Number, live: live(v, j.Revision),
		state: string(j.State), epoch: j.Epoch, attempts: j.Attempts, deaths: j.Deaths,
		notBefore: nanos(j.NotBefore), worker: j.Worker,
	}
	if j.Failure != nil {
		failure, err := json.Marshal(j.Failure)
		if err != nil {
			return jobRow{}, fmt.Errorf("job %s: %w", j.JobKey, err)
		}
		row.failure = string(failure)
	}
	if j.Result != nil {
		result, err := json.Marshal(j.Result)
		if err != nil {
			return jobRow{}, fmt.Errorf("job %s: %w", j.JobKey, err)
		}
		row.result = sql.NullString{String: string(result), Valid: true}
	}
	return row, nil
}

// jobColumns are what scanJob reads.
const jobColumns = "j.revision, j.kind, j.number, j.state, j.epoch, j.attempts, j.deaths, j.not_before, j.worker, j.failure"

// scanner is a row of a result.
type scanner interface{ Scan(...any) error }

// scanJob reads jobColumns; more are the columns after them.
func scanJob(rows scanner, video string, more ...any) (spool.JobRecord, error) {
	j := spool.JobRecord{JobKey: spool.JobKey{Video: video}}
	var notBefore int64
	var failure string
	columns := append([]any{
		&j.Revision, &j.Kind, &j.Number, &j.State, &j.Epoch, &j.Attempts, &j.Deaths,
		&notBefore, &j.Worker, &failure,
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
