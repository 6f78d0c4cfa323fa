package download

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spool-video/spool"
)

// No way to a host is waited for, after some tries; a host that is there and
// takes no calls is not.
func TestNobodyCanBeCalled(t *testing.T) {
	for no, want := range map[syscall.Errno]struct {
		class spool.Class
		code  string
	}{
		syscall.ENETUNREACH:  {spool.Environment, "unreachable"},
		syscall.EHOSTUNREACH: {spool.Environment, "unreachable"},
		syscall.ENETDOWN:     {spool.Environment, "unreachable"},
		syscall.ECONNREFUSED: {spool.Transient, "refused"},
		syscall.ETIMEDOUT:    {spool.Transient, "connect-timeout"},
		syscall.EACCES:       {spool.Transient, "unreachable"},
	} {
		r := &undialled{err: os.NewSyscallError("connect", no)}
		c := &Client{Transport: r, Wait: func(context.Context, time.Duration) error { return nil }}
		_, err := c.Get(t.Context(), Request{URL: "http://somewhere/v", Path: filepath.Join(t.TempDir(), "source")}, nil)
		wantFault(t, err, want.code)
		if e := spool.AsError(err); e.Class != want.class || e.Hint == "" || r.tries != defaultAttempts {
			t.Errorf("%v: %+v after %d tries", no, e, r.tries)
		}
	}
}

// A host that alone cannot be reached is away; when nobody beyond our own
// network answers any more, that is.
func TestWhoIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r reach
		want := func(want bool, host string) {
			t.Helper()
			if got := r.away(host); got != want {
				t.Errorf("our network is away, as %s shows: %v", host, got)
			}
			<-time.After(longOutage)
		}
		answered := func(host string, beyond bool) {
			r.answered(host, beyond)
			<-time.After(time.Second)
		}
		want(true, "one") // nobody has answered yet
		answered("nas", false)
		want(true, "one")
		answered("two", true)
		want(false, "one")
		want(true, "two") // it has only begun
		want(true, "two") // and nobody else has been called
		answered("one", true)
		want(false, "two")
		want(true, "one")
		answered("two", true)
		answered("one", true)
		want(true, "one")
		if r.knows("three") || !r.knows("nas") {
			t.Error("who answered is not known, or who did not is")
		}
	})
}

// A name server that knows no name is not believed of a host that was there.
func TestForgottenHost(t *testing.T) {
	c := &Client{Transport: &undialled{err: &net.DNSError{IsNotFound: true}}, Wait: func(context.Context, time.Duration) error { return nil }}
	for _, want := range []struct {
		class spool.Class
		code  string
	}{{spool.Permanent, "no-such-host"}, {spool.Environment, "dns"}} {
		_, err := c.Get(t.Context(), Request{URL: "http://somewhere/v", Path: filepath.Join(t.TempDir(), "source")}, nil)
		wantFault(t, err, want.code)
		if e := spool.AsError(err); e.Class != want.class {
			t.Errorf("%+v, want %v", e, want)
		}
		c.reach.answered("somewhere", false)
	}
}
