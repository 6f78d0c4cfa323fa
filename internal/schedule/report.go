package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/queue"
)

// gather takes what else is waiting, without waiting for it.
func gather[T any](first T, more <-chan T) []T {
	all := []T{first}
	for len(all) < gathered {
		select {
		case one := <-more:
			all = append(all, one)
		default:
			return all
		}
	}
	return all
}

// reports brings the words of workers into the ledger, in one transaction.
// Their messages are acknowledged after that, so that no report is lost
// between the two; and the workers are told, who keep them until then.
func (s *Scheduler) reports(ctx context.Context, batch []received[spool.Report]) error {
	words := make([]spool.Report, len(batch))
	for i, r := range batch {
		words[i] = r.body
	}
	if err := s.take(ctx, words); err != nil {
		return err
	}
	heard := map[string]*spool.Accepted{} // worker → its reports
	var order []string
	for i, r := range words {
		s.settled(ctx, batch[i].ack)
		if r.Serial == 0 {
			continue
		}
		if a := heard[r.Worker]; a == nil || a.Session != r.Session {
			if a != nil {
				s.send(r.Worker, queue.Message{Accepted: a})
			} else {
				order = append(order, r.Worker)
			}
			heard[r.Worker] = &spool.Accepted{Session: r.Session}
		}
		heard[r.Worker].Serials = append(heard[r.Worker].Serials, r.Serial)
	}
	for _, worker := range order {
		s.send(worker, queue.Message{Accepted: heard[worker]})
	}
	return nil
}

// taken is what came of one report.
type taken struct {
	counted bool
	video   spool.Video
	rests   time.Time // until when a download rests that broke
}

// take brings reports into the ledger.
func (s *Scheduler) take(ctx context.Context, words []spool.Report) error {
	now := s.clock.now()
	made := make([]taken, len(words))
	changes := make([]ledger.Change, len(words))
	for i := range words {
		r, err := s.compared(ctx, words[i])
		if err != nil {
			return err
		}
		words[i] = r
		changes[i] = ledger.Change{ID: r.Video, Do: func(rec *ledger.Record) error {
			made[i].counted = Apply(rec, r, now)
			made[i].video = rec.Video
			made[i].rests = restsUntil(rec, r)
			if !made[i].counted {
				return errUnchanged
			}
			s.line.assign(rec)
			return nil
		}}
	}
	refused, err := s.Ledger.UpdateAll(ctx, changes)
	if err != nil {
		return fmt.Errorf("update the ledger by reports: %w", err)
	}
	stop := false
	for i, r := range words {
		if err := refused[i]; err != nil && !isNotFound(err) && !errors.Is(err, errUnchanged) {
			return fmt.Errorf("update %s: %w", r.Video, err)
		}
		s.log(ctx, r, made[i].counted)
		s.note(r, made[i])
		if made[i].counted && r.Kind == spool.Draft && r.Result != nil {
			if err := s.planned(ctx, r); err != nil {
				return err
			}
		}
		stop = stop || r.Outcome == spool.Broke || made[i].video.Revision != r.Revision
	}
	if stop {
		return s.stopEnded(ctx)
	}
	return nil
}

// compared is a report, unless it is of a source that was fetched again, and is
// another one now: then what was made of the first one is of no use.
func (s *Scheduler) compared(ctx context.Context, r spool.Report) (spool.Report, error) {
	if r.Kind != spool.Fetch || r.Outcome != spool.Done || r.Epoch < 2 || r.Result == nil || r.Result.Fetched == nil {
		return r, nil
	}
	results, err := s.Ledger.Results(ctx, r.Video, r.Revision)
	if err != nil {
		return r, fmt.Errorf("load results of %s: %w", r.Video, err)
	}
	for _, j := range results {
		if j.Kind != spool.Fetch || j.Result == nil || j.Result.Fetched == nil || same(j.Result.Fetched, r.Result.Fetched) {
			continue
		}
		r.Outcome, r.Result = spool.Broke, nil
		r.Failure = &spool.Failure{
			Class: spool.Replan, Code: spool.SourceChanged,
			Reason: "the source was fetched again, and is not what it was", Hint: "what was made of it is made anew",
		}
	}
	return r, nil
}

// same reports whether two fetches found the same bytes, as far as is known.
func same(a, b *spool.Fetched) bool {
	differ := a.SHA256 != "" && b.SHA256 != "" && a.SHA256 != b.SHA256
	return !differ && (a.Sound == nil || b.Sound == nil || same(a.Sound, b.Sound))
}

// note is what follows from a report beside the ledger.
func (s *Scheduler) note(r spool.Report, t taken) {
	fetch := spool.JobKey{Video: r.Video, Revision: r.Revision, Kind: spool.Fetch}
	h, out := s.out[r.JobKey]
	if r.Outcome != spool.Returned {
		delete(s.unbegun, r.JobKey)
	}
	switch goesOn := r.Outcome == spool.Started || r.Outcome == spool.Arrived; {
	case goesOn && out && h.epoch == r.Epoch:
		h.begun = true
		s.out[r.JobKey] = h
	case goesOn:
	case out && h.epoch == r.Epoch:
		delete(s.out, r.JobKey)
	case out && r.Outcome == spool.Done && t.counted: // one who was taken for lost was first
		s.stop(h.worker, r.JobKey, h.epoch)
	}
	if r.Outcome != spool.Started && r.Outcome != spool.Arrived {
		delete(s.have, fetch) // whatever waits for bytes again is looked at with the next beat
	}
	if r.Outcome == spool.Done {
		delete(s.losses.suspects, r.JobKey)
	}
	if t.counted {
		s.tell(t.video)
	}
	if t.counted && t.rests.Sub(s.clock.now()) > longRest {
		s.rests[r.JobKey] = t.rests
	}
	if t.counted && r.Result != nil && (r.Kind == spool.Fetch || r.Kind == spool.Draft) {
		s.orders.forget(r.JobKey)
		delete(s.have, fetch)
	}
	if t.counted || r.Outcome == spool.Arrived && t.video.Revision == r.Revision {
		s.Reported(r)
	}
}

// finished is what the log calls a job that is done. That of finish is no news:
// whoever is told of videos tells that they are ready.
var finished = map[spool.Kind]string{
	spool.Fetch: "video.fetched", spool.Draft: "video.planned", spool.Encode: "chunk.done", spool.Audio: "piece.done", spool.Texts: "subtitles.done",
}

// log tells of a report; one that did not count is of interest to few.
func (s *Scheduler) log(ctx context.Context, r spool.Report, counted bool) {
	level, event := slog.LevelDebug, "job."+string(r.Outcome)
	attrs := []any{"video", r.Video, "stage", string(r.Kind), "chunk", r.JobKey.Number, "attempt", r.Epoch, "worker", r.Worker, "took", r.Took}
	switch name := finished[r.Kind]; {
	case !counted:
		event += ".late"
	case r.Outcome == spool.Done && name != "":
		level, event = slog.LevelInfo, name
	case r.Failure != nil:
		level = slog.LevelWarn
	}
	if r.Failure != nil {
		attrs = append(attrs, "class", string(r.Failure.Class), "code", r.Failure.Code, "reason", r.Failure.Reason)
	}
	s.Log.Log(ctx, level, event, attrs...)
}

// update changes a record and tells of it. A video that is gone is no error:
// somebody removed it while its report was under way.
func (s *Scheduler) update(ctx context.Context, id string, change func(*ledger.Record) bool) error {
	var after spool.Video
	changed := false
	err := s.Ledger.Update(ctx, id, func(r *ledger.Record) error {
		changed = change(r)
		after = r.Video
		if !changed {
			return errUnchanged
		}
		return nil
	})
	switch {
	case isNotFound(err) || !changed:
		return nil
	case err != nil:
		return fmt.Errorf("update %s: %w", id, err)
	}
	s.tell(after)
	return nil
}

// tell says that a video has changed.
func (s *Scheduler) tell(v spool.Video) {
	if v.Status != spool.Paused {
		delete(s.paused, v.ID)
	} else if _, known := s.paused[v.ID]; !known {
		s.paused[v.ID] = time.Now()
	}
	s.Changed(v)
}
