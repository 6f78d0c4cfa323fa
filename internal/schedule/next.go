package schedule

import "github.com/spool-video/spool"

// Event is something that happened to a video.
type Event struct {
	// Accepted: the video was taken in, or a new revision of it begins.
	Accepted bool
	// Done: this job is done. The record that Next gets has the mark already.
	Done *spool.JobKey
	// Plan is what a plan job found.
	Plan *spool.Plan
}

// Next says which jobs an event makes ready. It is the whole of what follows
// what in a video's life: a fetch, a plan, all chunks and audio pieces side by
// side, and a finish once the last of them is done.
func Next(v spool.Video, jobs []spool.JobRecord, ev Event) []spool.JobKey {
	key := func(kind spool.Kind, n int) spool.JobKey {
		return spool.JobKey{Video: v.ID, Revision: v.Revision, Kind: kind, Number: n}
	}
	switch {
	case v.Status.Ended():
		return nil
	case ev.Accepted:
		return []spool.JobKey{key(spool.Fetch, 0)}
	case ev.Done == nil:
		return nil
	}
	switch ev.Done.Kind {
	case spool.Fetch:
		return []spool.JobKey{key(spool.Draft, 0)}
	case spool.Draft:
		var next []spool.JobKey
		for _, c := range ev.Plan.Chunks {
			next = append(next, key(spool.Encode, c.Number))
		}
		for _, p := range ev.Plan.Pieces {
			next = append(next, key(spool.Audio, p.Number))
		}
		return next
	case spool.Encode, spool.Audio:
		if partsDone(jobs) {
			return []spool.JobKey{key(spool.Finish, 0)}
		}
	case spool.Finish:
	}
	return nil
}

// partsDone reports whether every chunk and every piece is done.
func partsDone(jobs []spool.JobRecord) bool {
	for _, j := range jobs {
		if (j.Kind == spool.Encode || j.Kind == spool.Audio) && j.State != spool.JobDone {
			return false
		}
	}
	return true
}
