// Package hosttest starts real storage servers on 127.0.0.1 for tests: an S3
// server, OpenStack Swift, OpenSSH, Samba, Apache for WebDAV and plain files, and one for FTP. Each
// has a port and a folder of its own, and ends with its test. A server is given as the options of a remote that reaches it.
package hosttest

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/process"
)

// startTime is how long a server may take to answer.
const startTime = 30 * time.Second

// need skips a test whose server is not installed.
func need(tb testing.TB, program string) {
	tb.Helper()
	if _, err := exec.LookPath(program); err != nil {
		tb.Skip(program + " is not installed")
	}
}

// freePort is a port on which nothing listens now.
func freePort(tb testing.TB) string {
	tb.Helper()
	var config net.ListenConfig
	l, err := config.Listen(tb.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port) //nolint:forcetypeassert // of a TCP listener
}

// start runs a server until the test ends, and returns when it answers.
func start(tb testing.TB, c process.Command, port string) {
	tb.Helper()
	ctx, kill := context.WithCancel(context.Background())
	c.Grace = time.Second
	child, err := process.Start(ctx, c)
	if err != nil {
		kill()
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		kill()
		_ = child.Wait() // it was told to end
	})
	if err := listening(tb.Context(), port); err != nil {
		kill()
		tb.Fatalf("start %s: %v: %v", c.Path, err, child.Wait())
	}
}

// listening waits until something listens on a port.
func listening(ctx context.Context, port string) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var dialer net.Dialer
	for {
		c, err := dialer.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", port))
		if err == nil {
			return c.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}
