package download

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/disk"
)

// diskFault is an error of our own disk, as one that a person can act on.
func diskFault(op, path string, cause error) error {
	cause = withoutPath(cause)
	dir := filepath.Dir(path)
	e := &spool.Error{Class: spool.Environment, Err: cause}
	switch {
	case errors.Is(cause, syscall.ENOSPC), errors.Is(cause, syscall.EDQUOT):
		e.Code = "no-space"
		e.Reason = fmt.Sprintf("no space left in %s (%s free)", sanitise(dir), freeIn(dir))
		e.Hint = "make room there, or choose another folder"
	case errors.Is(cause, syscall.EFBIG):
		e.Code = "file-too-large"
		e.Reason = fmt.Sprintf("%s cannot hold a file this large", sanitise(dir))
		e.Hint = "choose a folder on another file system, or raise the file size limit"
	case errors.Is(cause, os.ErrPermission), errors.Is(cause, syscall.EROFS):
		e.Code = "not-writable"
		e.Reason = fmt.Sprintf("cannot %s files in %s", op, sanitise(dir))
		e.Hint = "make the folder writable, or choose another one"
	case errors.Is(cause, os.ErrNotExist):
		e.Code = "folder-missing"
		e.Reason = fmt.Sprintf("the folder %s is not there", sanitise(dir))
		e.Hint = "make the folder, or mount what should be there"
	default:
		e.Code = "disk"
		e.Reason = fmt.Sprintf("cannot %s a file in %s", op, sanitise(dir))
		e.Hint = "look at the disk"
	}
	return e
}

// withoutPath drops the path from an error of package os: it is said already.
func withoutPath(err error) error {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		return pe.Err
	}
	if le, ok := errors.AsType[*os.LinkError](err); ok {
		return le.Err
	}
	return err
}

// freeIn is how many bytes may still be written in dir, in words.
func freeIn(dir string) string {
	free, err := disk.Free(dir)
	if err != nil {
		return "an unknown amount"
	}
	return amount(free)
}

func amount(n int64) string {
	switch {
	case n < 1e6:
		return fmt.Sprintf("%d kB", n/1000)
	case n < 1e9:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// netFault is an error of asking or of reading, as one that a person can act
// on. ctx is the one that the watch may have ended.
func (t *transfer) netFault(ctx context.Context, err error) error {
	if e, ok := errors.AsType[*spool.Error](err); ok {
		return e
	}
	// The text of a url.Error repeats the URL with its secrets.
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	host := sanitise(t.target.Host)
	const later = "it may be the server or the network; try again later, it goes on with what is here"
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errStalled):
		e := transient("stalled", fmt.Sprintf("%s sent nothing for %v%s", host, orInt(t.client.Stall, defaultStall), t.at()))
		e.Hint = later
		return e
	case errors.Is(cause, errSlow):
		e := transient("too-slow", fmt.Sprintf("%s sent less than %d bytes/s", host, orInt(t.client.MinRate, defaultMinRate)))
		e.Hint = later
		return e
	}
	if e := t.dialFault(host, err); e != nil {
		return e
	}
	if e := tlsFault(host, err); e != nil {
		return e
	}
	e := transient("connection-lost", "the connection to "+host+" was lost"+t.at())
	e.Hint = later
	if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		e.Err = err
	}
	return e
}

// codeNoHost is the error of a name that does not exist.
const codeNoHost = "no-such-host"

// codeExpired is the error of a link that brought a part of the file, and is
// refused now.
const codeExpired = "link-expired"

// dialFault is an error of finding or calling a host; nil when it is none.
func (t *transfer) dialFault(host string, err error) *spool.Error {
	if de, ok := errors.AsType[*net.DNSError](err); ok {
		return t.lookupFault(host, de)
	}
	oe, ok := errors.AsType[*net.OpError](err)
	if !ok || oe.Op != "dial" {
		return nil
	}
	e := transient(codeUnreachable, host+" cannot be reached")
	for _, no := range []error{syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN} {
		if errors.Is(err, no) {
			e.Reason += ": " + no.Error()
			e.Hint = "check the address and that the server is up"
			return t.blame(e)
		}
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		e = transient("refused", host+" refused the connection")
	case oe.Timeout():
		e = transient("connect-timeout", host+" did not answer in time")
	}
	e.Err = oe.Err
	e.Hint = "check the address and that the server is up"
	return e
}

// lookupFault is an error of looking a name up. A name that does not exist is
// wrong, unless its host was there before: some name servers say so of every
// name when they can ask nobody.
func (t *transfer) lookupFault(host string, err *net.DNSError) *spool.Error {
	if err.IsNotFound && !err.IsTemporary && !err.IsTimeout && t.part.held() == 0 && !t.client.reach.knows(t.target.Host) {
		return &spool.Error{
			Class: spool.Permanent, Code: codeNoHost, Reason: "there is no host " + host,
			Hint: "check the address for typing errors, and the network",
		}
	}
	e := transient(codeDNS, "the name "+host+" cannot be resolved")
	e.Hint, e.Err = "check the address for typing errors, and the network", err
	return t.blame(e)
}

// blame makes something to be waited for of what our network is to blame for.
func (t *transfer) blame(e *spool.Error) *spool.Error {
	if t.client.reach.away(t.target.Host) {
		e.Class = spool.Environment
		e.Hint = "look at this machine's network and its name servers, and at the address; it goes on by itself"
	}
	return e
}

func tlsFault(host string, err error) *spool.Error {
	// An alert of either side comes as an operation of this name.
	oe, ok := errors.AsType[*net.OpError](err)
	alert := ok && (oe.Op == "remote error" || oe.Op == "local error")
	_, header := errors.AsType[tls.RecordHeaderError](err)
	e := &spool.Error{Class: spool.Permanent, Code: "tls", Err: err}
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		e.Reason = "the certificate of " + host + " is not valid"
		e.Hint = "check the address and this machine's clock; a private authority must be known to the system"
		e.Err = bad.Err
		if _, ok := errors.AsType[x509.HostnameError](bad.Err); ok {
			e.Reason = "the certificate of " + host + " is for another host"
		}
		return e
	}
	switch {
	case header:
		e.Reason, e.Hint = host+" does not speak TLS", "try http:// in place of https://"
	case alert:
		e.Reason, e.Hint = host+" refused a TLS connection", "the server may be too old, or may want a client certificate"
	default:
		return nil
	}
	return e
}

// statusFault is what an HTTP status that brings no file means.
func (t *transfer) statusFault(resp *http.Response) error {
	code := resp.StatusCode
	e := &spool.Error{
		Class: spool.Permanent, Code: fmt.Sprintf("http-%d", code),
		Reason: fmt.Sprintf("%s answered %s", redact(t.target), status(code)),
		Hint:   "open the address in a browser and look what it says",
	}
	switch {
	case t.part.held() > 0 && (code == 401 || code == 403 || code == 404 || code == 410):
		e.Code = codeExpired
		e.Reason = fmt.Sprintf("the link expired%s: %s answered %s", t.at(), sanitise(t.target.Host), status(code))
		e.Hint = "add the video again with a fresh link"
	case code == http.StatusNotFound || code == http.StatusGone:
		e.Hint = "check the link; the file is not there (any more)"
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		e.Hint = "the link may have expired, or may need a login"
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code == http.StatusTooEarly, code >= 500:
		e.Class = spool.Transient
		e.After = retryAfter(resp.Header, time.Now())
		e.Hint = "the server is busy; it is tried again"
	}
	return e
}

func status(code int) string {
	if text := http.StatusText(code); text != "" {
		return fmt.Sprintf("%d (%s)", code, text)
	}
	return fmt.Sprint(code)
}

func transient(code, reason string) *spool.Error {
	return &spool.Error{Class: spool.Transient, Code: code, Reason: reason}
}
