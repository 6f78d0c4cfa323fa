package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
)

// The exit codes, as README and help give them. An unknown code means failure.
const (
	exitReady       = 0   // all ready
	exitUnexpected  = 1   // an error that Spool has no better word for
	exitUsage       = 2   // a flag, a setting or a list is wrong
	exitSomeFailed  = 3   // finished, some videos failed or a check found something
	exitTryAgain    = 5   // temporary: locked, no space, the destination is away
	exitInterrupted = 130 // stopped by the user
)

// exitCodes are what the manual page says of them.
var exitCodes = []struct {
	code  int
	means string
}{
	{exitReady, "all ready"},
	{exitUnexpected, "unexpected"},
	{exitUsage, "a flag, a setting or a list is wrong"},
	{exitSomeFailed, "finished, and some failed, or a check found something"},
	{exitTryAgain, "temporary: try again"},
	{exitInterrupted, "interrupted"},
}

// ended is an error that says only with which code to end; what there was to
// say has been said.
type ended int

func (e ended) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// usage is an error of what the user typed.
func usage(code, reason, hint string) error {
	return &spool.Error{Class: spool.Permanent, Code: code, Reason: reason, Hint: hint, Err: errUsage}
}

var errUsage = errors.New("usage")

// exitCode is the one door from errors to the user: a sentence, a hint, a code.
func exitCode(stderr io.Writer, err error) int {
	var code ended
	switch {
	case err == nil:
		return exitReady
	case errors.As(err, &code):
		return int(code)
	}
	var e *spool.Error
	if !errors.As(err, &e) {
		fmt.Fprintf(stderr, "spool: %s\n", plaintext.Sanitize(err.Error()))
		return exitUnexpected
	}
	fmt.Fprintf(stderr, "spool: %s\n", plaintext.Sanitize(e.Reason))
	if e.Hint != "" {
		fmt.Fprintf(stderr, "  hint: %s\n", plaintext.Sanitize(e.Hint))
	}
	if e.Class == spool.Environment || e.Class == spool.Transient {
		return exitTryAgain
	}
	return exitUsage
}
