package spool

import (
	"errors"
	"fmt"
	"time"
)

// Class says what happens next after an error. The runner decides by it; a
// stage only states it.
type Class string

// The classes of errors.
const (
	// Permanent: trying again cannot help; the video fails.
	Permanent Class = "permanent"
	// Transient: trying again may help; it costs an attempt.
	Transient Class = "transient"
	// Environment: the machine, its network or the destination is at fault (a
	// full disk, a bucket that is away). The job waits and costs no attempt.
	Environment Class = "environment"
	// Poison: the job killed its encoder again and again; the video fails.
	Poison Class = "poison"
	// Replan: what the plan took for true of the source is not; the revision
	// ends and the video is planned again, more carefully.
	Replan Class = "replan"
	// NeedsWhole: the job cannot be done while its source is arriving. It is
	// handed out again when all of it is here, and costs no attempt.
	NeedsWhole Class = "needs-whole"
)

// Error is a failure that a person can act on: one sentence that says what
// happened and why, and one that says what to do.
type Error struct {
	Class  Class
	Code   string        // stable, kebab-case, the same for equal failures: "http-404", "no-space"
	Reason string        // one sentence: what and why; holds no secrets
	Hint   string        // what to do, or ""
	After  time.Duration // wait at least this long before the next try (Retry-After), or 0
	Err    error         // the cause, for logs; may be nil
}

// Error is the reason, with the cause when it says more.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Reason
	}
	return fmt.Sprintf("%s: %v", e.Reason, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// AsError finds the Error in err's chain. An error without one is transient
// and has the code "unexpected": it is tried again, and its text is shown.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Class: Transient, Code: "unexpected", Reason: err.Error(), Err: nil}
}

// SourceGone is the code of a Replan error that says nothing against the
// source: what was fetched is not there any more, and is fetched again.
const SourceGone = "source-gone"

// SourceChanged is the code of a Replan error of a source that was replaced
// while it was downloaded: what is planned next is as trusting as before.
const SourceChanged = "source-changed"

// NeedsCopy is the code of a Replan error that says nothing against the source
// either: where it lies it cannot be worked on, and it is copied first.
const NeedsCopy = "needs-copy"

// NotArriving is the code of a NeedsWhole error that says nothing of the
// source: the run that was fetching it has ended, and the next has not begun.
const NotArriving = "not-arriving"
