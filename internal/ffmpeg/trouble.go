package ffmpeg

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/process"
)

// tooDamaged is the status with which ffmpeg ends when more than
// -max_error_rate of what it read could not be decoded.
const tooDamaged = 69

// TooDamaged reports whether ffmpeg gave up on its input.
func TooDamaged(ended error) bool {
	var exit *process.ExitError
	return errors.As(ended, &exit) && exit.Code == tooDamaged
}

// What to do when an encoder ends badly again and again: the cause lies in what
// it reads, or in the encoder itself.
const (
	lookAtSource  = "it is tried again; if that does not help, look at the source with ffprobe"
	lookAtEncoder = "it is tried again; if that does not help, see what spool doctor says of ffmpeg, or install another one"
)

// Killed is the error of an encoder that a signal ended, or nil when ended is
// not that. what names the work: "chunk 3". The *process.ExitError is in its
// chain.
func Killed(what string, ended error) error {
	var exit *process.ExitError
	if !errors.As(ended, &exit) || exit.Signal == 0 {
		return nil
	}
	e := &spool.Error{
		Class: spool.Transient, Code: "encoder-killed", Err: exit,
		Reason: fmt.Sprintf("the encoder of %s was killed by signal %d (%s)", what, int(exit.Signal), exit.Signal),
		Hint:   lookAtSource,
	}
	if exit.Signal == syscall.SIGKILL {
		e.Hint = "if nobody killed it, the machine ran out of memory: use fewer encoders (--encodes)"
	}
	return e
}

// Failed is the error of an encoder that ended with a status; nil when ended
// is nil.
func Failed(what string, ended error) error {
	var exit *process.ExitError
	if !errors.As(ended, &exit) {
		return ended
	}
	return &spool.Error{
		Class: spool.Transient, Code: "encoder-failed", Err: exit,
		Reason: fmt.Sprintf("the encoder of %s failed with status %d", what, exit.Code),
		Hint:   lookAtSource,
	}
}

// NotStarted is the error of an ffmpeg that could not be started.
func NotStarted(err error) error {
	return &spool.Error{
		Class: spool.Environment, Code: "no-ffmpeg", Err: err,
		Reason: "ffmpeg could not be started", Hint: installHint,
	}
}

// Stuck is the error of an encoder that was stopped because it made no
// progress.
func Stuck(what string, cause error) error {
	return &spool.Error{
		Class: spool.Transient, Code: "encoder-stuck", Err: cause,
		Reason: fmt.Sprintf("the encoder of %s made no progress and was stopped", what),
		Hint:   lookAtSource,
	}
}

// Unplanned is the error of an encoder that ended well, and whose segments are
// others than it was told to write.
func Unplanned(what string, cause error) error {
	return &spool.Error{
		Class: spool.Transient, Code: "segments-not-as-planned", Err: cause,
		Reason: fmt.Sprintf("the encoder of %s wrote something else than was planned", what),
		Hint:   lookAtEncoder,
	}
}
