package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/ncw/swift/v2"
	b2 "github.com/rclone/rclone/backend/b2/api"
	webdav "github.com/rclone/rclone/backend/webdav/api"
	rclone "github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"
	"google.golang.org/api/googleapi"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store"
)

// tries is how often something that failed in passing is done in all. Whoever
// uploads goes on trying after that, with longer rests.
const tries = 4

// again does something that may fail in passing, and says of its last error
// what follows from it.
func (s *Store) again(ctx context.Context, operation, name string, do func(context.Context) error) error {
	rest := s.o.Rest
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%s %s in %s: %w", operation, name, s.at, err)
		}
		err := s.problem(ctx, operation, name, do(ctx))
		if err == nil || ctx.Err() == nil && !isBusy(err) {
			s.busy.over()
		}
		if err == nil || ctx.Err() != nil || final(err) || !s.worth(err, n) {
			return err
		}
		timer := time.NewTimer(rest/2 + rand.N(rest)) //nolint:gosec // jitter needs no secrecy
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		rest *= 2
	}
}

// worth reports whether something that failed so, n times, is to be done again.
func (s *Store) worth(err error, n int) bool {
	if isBusy(err) {
		return s.busy.lasts() < busyRests*s.o.Rest && n < busyTries
	}
	return n < tries && spool.AsError(err).Class == spool.Transient
}

// final: there is no sense in doing it again at once.
func final(err error) bool {
	var body *bodyError
	return errors.As(err, &body) || errors.Is(err, store.ErrNotFound)
}

// problem says what an error of rclone means for what happens next.
func (s *Store) problem(ctx context.Context, operation, name string, err error) error {
	var known *spool.Error
	var body *bodyError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s %s in %s: %w", operation, name, s.at, ctx.Err())
	case errors.As(err, &known), errors.As(err, &body):
		return err
	case missing(err):
		return s.notFound(operation, name)
	}
	wrapped := fmt.Errorf("%s %s in %s: %w", operation, name, s.at, err)
	why := s.classify(err)
	if deepest := innermost(err); why.Code == awayCode || why.Code == troubleCode || why.Code == busyCode {
		why.Reason += ": " + deepest.Error()
	}
	if why.Code == refusedCode {
		s.forget() // they may be renewed in the meantime
	}
	why.Err = wrapped
	return why
}

// classify finds out what a person, or time, can do about an error.
func (s *Store) classify(err error) *spool.Error {
	status, code := answer(err)
	switch {
	case errors.Is(err, rclone.ErrorDirNotFound), code == "NoSuchBucket", code == "ContainerNotFound":
		return noBucket(s.at)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), status == http.StatusInsufficientStorage,
		status == http.StatusRequestEntityTooLarge, fullCodes[code]:
		return full(s.at)
	case refusedCodes[code], status == http.StatusUnauthorized, status == http.StatusForbidden:
		return refused(s.at, code)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, rclone.ErrorPermissionDenied), errors.Is(err, syscall.EROFS),
		status == http.StatusMethodNotAllowed:
		return readOnly(s.at)
	case status == 0 && unreachable(err):
		return away(s.at)
	case status == 0 && timedOut(err):
		return mute(s.at)
	}
	busy := !s.o.ReadOnly && (busyStatus(status) || busyCodes[code])
	e := &spool.Error{
		Class: spool.Transient, Code: troubleCode, Reason: "the store " + s.at.String() + " does not answer as it should",
		Hint: "Spool tries again by itself",
	}
	if status != 0 {
		e.Reason = fmt.Sprintf("the store %s answers with status %d %s", s.at, status, http.StatusText(status))
	}
	if busy {
		e.Class, e.Code, e.Hint = spool.Environment, busyCode, "look at its server: it may be overloaded or in trouble; a run goes on by itself"
	}
	if retry, found := fserrors.RetryAfterErrorTime(err), fserrors.IsRetryAfterError(err); found {
		e.After = time.Until(retry)
		if busy {
			e.After = min(e.After, longestBusy)
		}
	}
	return e
}

// refusedCodes are what S3 calls credentials that are wrong, or no longer
// right.
var refusedCodes = set(
	"AccessDenied", "AccountProblem", "AllAccessDisabled", "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId",
	"InvalidToken", "RequestTimeTooSkewed", "SignatureDoesNotMatch", "TokenRefreshRequired", "UnauthorizedAccess",
)

// fullCodes are what S3 servers call a store that takes no more.
var fullCodes = set("QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "EntityTooLarge")

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, name := range names {
		m[name] = true
	}
	return m
}

// answer is the HTTP status of a server's answer, 0 when there was none, and
// the word that it has for the error.
func answer(err error) (status int, code string) {
	var coded interface{ ErrorCode() string }      // S3's
	var answered interface{ HTTPStatusCode() int } // S3's, too
	if errors.As(err, &coded) {
		code = coded.ErrorCode()
	}
	if errors.As(err, &answered) {
		return answered.HTTPStatusCode(), code
	}
	var ofSwift *swift.Error
	var ofDAV *webdav.Error
	var ofB2 *b2.Error
	var ofGoogle *googleapi.Error
	var ofAzure *azcore.ResponseError
	switch {
	case errors.As(err, &ofSwift):
		status = ofSwift.StatusCode
	case errors.As(err, &ofDAV):
		status = ofDAV.StatusCode
	case errors.As(err, &ofB2):
		status, code = ofB2.Status, ofB2.Code
	case errors.As(err, &ofGoogle):
		status = ofGoogle.Code
	case errors.As(err, &ofAzure):
		status, code = ofAzure.StatusCode, ofAzure.ErrorCode
	}
	return status, code
}

// innermost is the cause of all, which names no addresses with secrets.
func innermost(err error) error {
	for {
		cause := errors.Unwrap(err)
		if cause == nil {
			return err
		}
		err = cause
	}
}

// connectError: a connection was not made, or the server did not let us in.
type connectError struct{ error }

func (e *connectError) Unwrap() error { return e.error }

// unreachable: nobody was spoken to.
func unreachable(err error) bool {
	var connect *connectError
	if errors.As(err, &connect) {
		return true
	}
	var lookup *net.DNSError
	var dial *net.OpError
	return errors.As(err, &lookup) || errors.As(err, &dial) && dial.Op == "dial" ||
		errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}

// timedOut: somebody was spoken to, who said nothing for too long.
func timedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// missing: there is no object of that name.
func missing(err error) bool {
	return errors.Is(err, rclone.ErrorObjectNotFound) || errors.Is(err, rclone.ErrorIsDir) || errors.Is(err, rclone.ErrorNotAFile)
}

const (
	awayCode    = "dest-away"
	troubleCode = "store-trouble"
	busyCode    = "dest-busy"
)

// away: the store cannot be reached, or its server lets nobody in.
func away(at spool.RemotePath) *spool.Error {
	return &spool.Error{
		Class: spool.Environment, Code: awayCode, Reason: "the store " + at.String() + " cannot be reached",
		Hint: "look at its server, at the network, and at the remote " + at.Remote + " in rclone config; a run goes on by itself",
	}
}

// mute: the server takes connections and what is sent, and says nothing.
func mute(at spool.RemotePath) *spool.Error {
	return &spool.Error{
		Class: spool.Environment, Code: "dest-mute", Reason: "the store " + at.String() + " takes connections, and does not answer",
		Hint: "look at its server: it may hang; a run goes on by itself",
	}
}

// another: the store is not the one that it was. Another disk may lie behind
// its server now.
func another(at spool.RemotePath) *spool.Error {
	return &spool.Error{
		Class: spool.Environment, Code: "dest-another", Reason: "the store " + at.String() + " is not the one that it was: its " + tokenName + " is another one",
		Hint: "look whether the remote " + at.Remote + " still names the same server and disk; a run goes on by itself",
	}
}

const refusedCode = "dest-refused"

func refused(at spool.RemotePath, code string) *spool.Error {
	reason := "the store " + at.String() + " refuses the credentials of the remote " + at.Remote
	if code != "" {
		reason += " (" + code + ")"
	}
	return &spool.Error{
		Class: spool.Environment, Code: refusedCode, Reason: reason,
		Hint: "renew them (rclone config), or let them read, write, list and delete there; a run goes on when they are right",
	}
}

func readOnly(at spool.RemotePath) *spool.Error {
	return &spool.Error{
		Class: spool.Environment, Code: "dest-read-only", Reason: "the store " + at.String() + " cannot be written",
		Hint: "let the user of the remote " + at.Remote + " write there, or name another destination with --to",
	}
}

func full(at spool.RemotePath) *spool.Error {
	return &spool.Error{
		Class: spool.Environment, Code: "no-space", Reason: "the store " + at.String() + " takes no more: it is full, or a quota is reached",
		Hint: "make room there; Spool goes on by itself",
	}
}

func noBucket(at spool.RemotePath) *spool.Error {
	return &spool.Error{
		Class: spool.Environment, Code: "no-bucket", Reason: "there is no bucket or folder " + at.String(),
		Hint: "look at the name, or make it; Spool makes no buckets",
	}
}

func onlyRead(at spool.RemotePath, kind string) *spool.Error {
	return &spool.Error{
		Class: spool.Permanent, Code: "store-only-read", Reason: "nothing can be published to " + at.String() + ": a store of the type " + kind + " can only be read",
		Hint: "name another destination with --to",
	}
}

func notAFolder(at spool.RemotePath) error {
	return &spool.Error{
		Class: spool.Permanent, Code: "dest-not-a-folder", Reason: at.String() + " is a file, not a folder",
		Hint: "name a folder with --to",
	}
}

// changed: what the store has is not what was sent.
func changed(at spool.RemotePath, what string) error {
	return &spool.Error{
		Class: spool.Transient, Code: "store-changed-bytes", Reason: "the store " + at.String() + " " + what,
		Hint: "look at the store; the upload is tried again",
	}
}
