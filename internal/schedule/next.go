package schedule

import "github.com/spool-video/spool"

// Event is something that happened to a video.
type Event struct {
	// Accepted: the video was taken in, or a new revision of it begins.
	Accepted bool
	// Done: this job is done. The record that Next gets has the mark already.
	Done *spool.JobKey
	// Arrived: this job goes on, and what it has so far can be used.
	Arrived *spool.JobKey
	// Plan is what a plan job found, or has found so far.
	Plan *spool.Plan
}

// Next says which jobs an event makes ready; those that are there already are
// not meant anew. It is the whole of what follows what in a video's life: a
// fetch; a plan as soon as the source can be read; all chunks, audio pieces and
// subtitles side by side; and a finish once the last of them is done and the source has
// wholly arrived.
func Next(v spool.Video, jobs []spool.JobRecord, ev Event) []spool.JobKey {
	key := func(kind spool.Kind, n int) spool.JobKey {
		return spool.JobKey{Video: v.ID, Revision: v.Revision, Kind: kind, Number: n}
	}
	by := ev.Done
	if by == nil {
		by = ev.Arrived
	}
	switch {
	case v.Status.Ended():
		return nil
	case ev.Accepted:
		return []spool.JobKey{key(spool.Fetch, 0)}
	case by == nil || by.Kind == spool.Finish:
		return nil
	case allDone(jobs) && !more(jobs, ev.Plan):
		return []spool.JobKey{key(spool.Finish, 0)}
	case by.Kind == spool.Fetch:
		return []spool.JobKey{key(spool.Draft, 0)}
	case by.Kind == spool.Draft:
		var next []spool.JobKey
		for _, c := range ev.Plan.Chunks {
			next = append(next, key(spool.Encode, c.Number))
		}
		for _, p := range ev.Plan.Pieces {
			next = append(next, key(spool.Audio, p.Number))
		}
		if len(ev.Plan.Subtitles) > 0 && !ev.Plan.Open { // they are cut where all segments end
			next = append(next, key(spool.Texts, 0))
		}
		return next
	}
	return nil
}

// allDone reports whether every chunk and every piece is done, and nothing
// that could add another.
func allDone(jobs []spool.JobRecord) bool {
	parts := 0
	for _, j := range jobs {
		if j.Kind == spool.Finish {
			continue
		}
		if j.State != spool.JobDone {
			return false
		}
		if isPart(j.Kind) {
			parts++
		}
	}
	return parts > 0
}

// more reports whether a plan has parts that are no jobs yet.
func more(jobs []spool.JobRecord, p *spool.Plan) bool {
	if p == nil {
		return false
	}
	parts := 0
	for _, j := range jobs {
		if isPart(j.Kind) {
			parts++
		}
	}
	planned := len(p.Chunks) + len(p.Pieces)
	if len(p.Subtitles) > 0 {
		planned++
	}
	return planned > parts
}
