package encode

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/process"
)

// tooDamaged is the status with which ffmpeg ends when more than
// -max_error_rate of what it read could not be decoded.
const tooDamaged = 69

// verdict decides what an encode has come to, from the frames that were seen,
// the cutters' error and the way in which ffmpeg ended. The exit status alone
// is no evidence, in either direction; what caused the rest comes first.
func verdict(ctx context.Context, job spool.Job, frames seen, cutting, ended error) (note string, err error) {
	cause := context.Cause(ctx)
	if errors.Is(cause, errStuck) {
		return "", &spool.Error{
			Class: spool.Transient, Code: "encoder-stuck", Err: cause,
			Reason: fmt.Sprintf("the encoder of chunk %d made no progress and was stopped", job.Chunk.Number),
			Hint:   "it is tried again; if that does not help, look at the source with ffprobe",
		}
	}
	if known := (*spool.Error)(nil); errors.As(cutting, &known) {
		return "", cutting // scratch: its error says what to do
	}
	if cause != nil {
		return "", fmt.Errorf("chunk %d: %w", job.Chunk.Number, cause)
	}
	var exit *process.ExitError
	if errors.As(ended, &exit) && exit.Signal != 0 {
		return "", killed(job, exit)
	}
	if exit != nil && exit.Code == tooDamaged {
		return "", damaged(job, exit)
	}
	note, err = frames.prove(*job.Chunk, job.Plan.Sequential)
	if err != nil {
		return "", err
	}
	switch {
	case exit != nil:
		return "", &spool.Error{
			Class: spool.Transient, Code: "encoder-failed", Err: exit,
			Reason: fmt.Sprintf("the encoder of chunk %d failed with status %d", job.Chunk.Number, exit.Code),
		}
	case cutting != nil:
		return "", &spool.Error{
			Class: spool.Transient, Code: "segments-not-as-planned", Err: cutting,
			Reason: fmt.Sprintf("the encoder of chunk %d wrote something else than was planned", job.Chunk.Number),
		}
	case ended != nil:
		return "", ended
	}
	return note, nil
}

func killed(job spool.Job, exit *process.ExitError) error {
	e := &spool.Error{
		Class: spool.Transient, Code: "encoder-killed", Err: exit,
		Reason: fmt.Sprintf("the encoder of chunk %d was killed by signal %d (%s)",
			job.Chunk.Number, int(exit.Signal), exit.Signal),
	}
	if exit.Signal == syscall.SIGKILL {
		e.Hint = "if nobody killed it, the machine ran out of memory: use fewer encoders (--encodes)"
	}
	return e
}

func damaged(job spool.Job, exit *process.ExitError) error {
	e := &spool.Error{
		Class: spool.Replan, Code: "frames-not-as-planned", Err: exit,
		Reason: fmt.Sprintf("chunk %d: too much of the source could not be decoded", job.Chunk.Number),
		Hint:   "the video is planned again, to be read from its start",
	}
	if job.Plan.Sequential {
		e.Class, e.Code = spool.Permanent, "damaged"
		e.Reason = "the source is damaged: too much of it could not be decoded"
		e.Hint = "get the source again, or repair it"
	}
	return e
}

// noEncoder is for a process that could not be started.
func noEncoder(err error) error {
	return &spool.Error{
		Class: spool.Environment, Code: "no-ffmpeg", Err: err,
		Reason: "ffmpeg could not be started", Hint: "spool doctor says what is missing",
	}
}
