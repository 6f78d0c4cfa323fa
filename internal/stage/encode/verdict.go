package encode

import (
	"context"
	"errors"
	"fmt"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
)

// verdict decides what an encode has come to, from the frames that were seen,
// the cutters' error and the way in which ffmpeg ended. The exit status alone
// is no evidence, in either direction; what caused the rest comes first.
func verdict(ctx context.Context, job spool.Job, frames seen, cutting, ended error) (note string, err error) {
	what, cause := fmt.Sprintf("chunk %d", job.Chunk.Number), context.Cause(ctx)
	if errors.Is(cause, errStuck) {
		return "", ffmpeg.Stuck(what, cause)
	}
	if known := (*spool.Error)(nil); errors.As(cutting, &known) {
		return "", cutting // scratch: its error says what to do
	}
	if cause != nil {
		return "", fmt.Errorf("%s: %w", what, cause)
	}
	if err := ffmpeg.Killed(what, ended); err != nil {
		return "", err
	}
	if ffmpeg.TooDamaged(ended) {
		return "", damaged(job, ended)
	}
	// An encoder that failed half-way is tried again. One that saw nothing at
	// all looked in the wrong place: the plan is in doubt, unless it says to
	// read from the start.
	if ended != nil && (frames.count > 0 || job.Plan.Sequential) {
		return "", ffmpeg.Failed(what, ended)
	}
	// A source that cannot be read as planned explains segments that are too
	// short.
	if note, err = frames.prove(*job.Chunk, job.Plan.Sequential); err != nil {
		return "", err
	}
	if ended != nil {
		return "", ffmpeg.Failed(what, ended)
	}
	if cutting != nil {
		return "", ffmpeg.Unplanned(what, cutting)
	}
	return note, nil
}

func damaged(job spool.Job, ended error) error {
	if job.Plan.Sequential {
		return &spool.Error{
			Class: spool.Permanent, Code: "damaged", Err: ended,
			Reason: "the source is damaged: too much of it could not be decoded",
			Hint:   "get the source again, or repair it",
		}
	}
	return &spool.Error{
		Class: spool.Replan, Code: "frames-not-as-planned", Err: ended,
		Reason: fmt.Sprintf("chunk %d: too much of the source could not be decoded", job.Chunk.Number),
		Hint:   "the video is planned again, to be read from its start",
	}
}
