package queue

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spool-video/spool"
)

// Link is what engines over a network have in common: how they are reached,
// and how they say that they are not. The zero Link is useful.
type Link struct {
	TLS *tls.Config // for URLs that ask for TLS; nil trusts what the system trusts
	// Says is told why the engine is away when it goes, again when the reason
	// changes, and nil when it is back. It must not wait.
	Says func(*spool.Error)
	// Warns is told of an engine that can be used and could be set up better.
	// It must not wait.
	Warns func(*spool.Error)
	// Again is how long a message stays with a receiver that has neither
	// acknowledged it nor closed its queue; 0 is 30 s. Engines that notice by
	// themselves that a receiver is gone need no such time.
	Again time.Duration
	// Brief is in place of the constant Brief; 0 is the constant. For tests.
	Brief time.Duration
}

// WithDefaults fills what was left out.
func (l Link) WithDefaults() Link {
	if l.Says == nil {
		l.Says = func(*spool.Error) {}
	}
	if l.Warns == nil {
		l.Warns = func(*spool.Error) {}
	}
	if l.Again == 0 {
		l.Again = 30 * time.Second
	}
	if l.Brief == 0 {
		l.Brief = Brief
	}
	return l
}

// Teller passes on how a link stands, each thing once.
type Teller struct {
	says func(*spool.Error)

	mu   sync.Mutex // owns what follows, and is held while says runs: it is told in order
	away string     // the reason that was told last, or ""
}

// Teller makes one for this link.
func (l Link) Teller() *Teller { return &Teller{says: l.WithDefaults().Says} }

// Away tells that the engine is away, and why.
func (t *Teller) Away(why *spool.Error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.away != why.Reason {
		t.away = why.Reason
		t.says(why)
	}
}

// Back tells that the engine is there, if it was away.
func (t *Teller) Back() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.away != "" {
		t.away = ""
		t.says(nil)
	}
}

// Codes of the errors of a link.
const (
	CodeAway    = "queue-away"           // waited for
	CodeRefused = "queue-refused"        // a wrong password, or none
	CodeTLS     = "queue-tls"            // one side does not trust the other
	CodeTooOld  = "queue-too-old"        // the engine is too old
	CodeFull    = "queue-full"           // has no room; waited for
	CodeTooBig  = "message-too-big"      // more than the engine carries
	CodeSetup   = "queue-not-usable"     // the engine is set up in a way that cannot carry jobs
	CodeURL     = "queue-url-not-usable" // no engine is named
)

// Away is the error of an engine that cannot be reached now.
func Away(engine, address string, err error) *spool.Error {
	return &spool.Error{
		Class: spool.Environment, Code: CodeAway, Err: err,
		Reason: fmt.Sprintf("waiting for %s at %s: %s", engine, address, Cause(err)),
		Hint:   "it is tried again for ever; start it, or look whether the address is right and not behind a firewall",
	}
}

// Refused is the error of an engine that does not let Spool in.
func Refused(engine, address string, err error) *spool.Error {
	return &spool.Error{
		Class: spool.Permanent, Code: CodeRefused, Err: err,
		Reason: fmt.Sprintf("%s at %s refuses the user name, password or token", engine, address),
		Hint:   "put the right ones into the queue's URL: scheme://user:password@host",
	}
}

// TooOld is the error of an engine that lacks what Spool needs.
func TooOld(engine, address, has, needs string) *spool.Error {
	return &spool.Error{
		Class: spool.Permanent, Code: CodeTooOld,
		Reason: fmt.Sprintf("%s at %s is version %s, and Spool needs %s or newer", engine, address, has, needs),
		Hint:   "update it, or choose another engine",
	}
}

// Full is the error of an engine that has no room; it is waited for.
func Full(engine, address string, err error) *spool.Error {
	return &spool.Error{
		Class: spool.Environment, Code: CodeFull, Err: err,
		Reason: fmt.Sprintf("waiting for %s at %s: it has no room for another message", engine, address),
		Hint:   "look at its disk, its memory and its limits",
	}
}

// NewEnough compares versions, "2.15.2-RC.1", by their first three numbers.
// What is no number is as old as can be.
func NewEnough(has, oldest string) bool {
	a, b := numbers(has), numbers(oldest)
	return slices.Compare(a[:], b[:]) >= 0
}

func numbers(version string) (n [3]int) {
	version, _, _ = strings.Cut(version, "-")
	for i, s := range strings.SplitN(version, ".", 3) {
		n[i], _ = strconv.Atoi(s)
	}
	return n
}

// TooBig is the error of a body that is longer than an engine carries. The hint
// says how to have it carry more; "" when it carries as much as any.
func TooBig(bytes, limit int, hint string) *spool.Error {
	if hint == "" {
		hint = "no queue between machines carries more: make so long a video on one machine, without --queue and --listen"
	}
	return &spool.Error{
		Class: spool.Permanent, Code: CodeTooBig, Hint: hint,
		Reason: fmt.Sprintf("a message of %d bytes is more than the %d that the queue carries", bytes, limit),
	}
}

// Distrust is the error of a TLS connection that was made and not trusted, by
// this side or by the other; nil for other errors.
func Distrust(engine, address string, err error) *spool.Error {
	var ours *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var theirs tls.AlertError
	var plain tls.RecordHeaderError
	reason := ""
	switch {
	case errors.As(err, &name):
		reason = "its certificate is for another name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		reason = "its certificate has expired, or is not valid yet"
	case errors.As(err, &authority), errors.As(err, &ours), errors.As(err, &invalid):
		reason = "its certificate is not signed by a trusted authority"
	case errors.As(err, &theirs):
		reason = "it does not accept this client's certificate, or wants one"
	case errors.As(err, &plain):
		reason = "it does not speak TLS"
	default:
		return nil
	}
	return &spool.Error{
		Class: spool.Permanent, Code: CodeTLS, Err: err,
		Reason: fmt.Sprintf("the connection to %s at %s is not trusted: %s", engine, address, reason),
		Hint:   "name the authority's certificate in the queue's URL, ?ca=FILE, and this client's own, &cert=FILE&key=FILE, if the server asks for one",
	}
}

// Cause says in a few words why a connection was not made, without the
// addresses that the system puts into its errors.
func Cause(err error) string {
	var dial *net.OpError
	var name *net.DNSError
	var timeout net.Error
	switch {
	case err == nil:
		return "no answer"
	case errors.As(err, &name) && name.IsNotFound:
		return "there is no host of that name"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &dial) && dial.Err != nil:
		return dial.Err.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it hung up"
	}
	return err.Error()
}

// Wait waits for a while, or until ctx ends, whose error it then returns.
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
