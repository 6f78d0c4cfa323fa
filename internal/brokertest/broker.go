// Package brokertest starts real message brokers on 127.0.0.1 for tests:
// Redis, RabbitMQ and NATS as Debian has them. Each has ports and a folder of its own, can be killed, started again and robbed of its data, and ends with
// its test.
package brokertest

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/process"
)

// startTime only ends what hangs: RabbitMQ takes five seconds, and on a busy
// machine many times that.
const startTime = 5 * time.Minute

// Broker is a server of a test.
type Broker struct {
	Address string // host:port
	Dir     string // all its data

	command process.Command
	kill    context.CancelFunc
	child   *process.Process
}

// Redis starts a server whose log is on disk and synced, with more settings as
// on its command line.
func Redis(tb testing.TB, settings ...string) *Broker {
	tb.Helper()
	dir, port := tb.TempDir(), freePort(tb)
	args := append([]string{
		"--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always",
	}, settings...)
	return run(tb, &Broker{Address: "127.0.0.1:" + port, Dir: dir, command: process.Command{Path: find(tb, "redis-server"), Args: args}})
}

// NATS starts Debian's server, an old one, with more settings as on its
// command line.
func NATS(tb testing.TB, settings ...string) *Broker {
	tb.Helper()
	dir, port := tb.TempDir(), freePort(tb)
	args := append([]string{"-a", "127.0.0.1", "-p", port, "-js", "-sd", dir}, settings...)
	return run(tb, &Broker{Address: "127.0.0.1:" + port, Dir: dir, command: process.Command{Path: find(tb, "nats-server"), Args: args}})
}

// Kill ends the server at once, as kill -9 does.
func (b *Broker) Kill(tb testing.TB) {
	tb.Helper()
	// A server that its script started aside leaves word of its process.
	files, _ := filepath.Glob(filepath.Join(b.Dir, "data", "*.pid")) // the pattern is good
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
	}
	b.kill()
	_ = b.child.Wait() // it was killed
}

// Start starts a server that was killed, on the same address.
func (b *Broker) Start(tb testing.TB) {
	tb.Helper()
	var ctx context.Context
	ctx, b.kill = context.WithCancel(context.Background())
	b.command.Grace = time.Nanosecond // no time to tidy up
	child, err := process.Start(ctx, b.command)
	if err != nil {
		b.kill()
		tb.Fatal(err)
	}
	b.child = child
	if err := listening(tb.Context(), b.Address); err != nil {
		b.kill()
		tb.Fatalf("start %s: %v: %v", b.command.Path, err, child.Wait())
	}
}

// Wipe takes away the data of a server that was killed.
func (b *Broker) Wipe(tb testing.TB) {
	tb.Helper()
	if err := os.RemoveAll(b.Dir); err != nil {
		tb.Fatal(err)
	}
	if err := os.MkdirAll(b.Dir, 0o700); err != nil {
		tb.Fatal(err)
	}
}

func run(tb testing.TB, b *Broker) *Broker {
	tb.Helper()
	b.Start(tb)
	tb.Cleanup(func() { b.Kill(tb) })
	return b
}

// find skips a test whose server is not installed.
func find(tb testing.TB, program string) string {
	tb.Helper()
	// RabbitMQ's script in PATH changes the user, and the server is then nobody's child.
	for _, dir := range []string{"/usr/lib/rabbitmq/bin", ""} {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path
		}
	}
	tb.Skip(program + " is not installed")
	return ""
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

// listening waits until something listens at an address.
func listening(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var dialer net.Dialer
	for {
		c, err := dialer.DialContext(ctx, "tcp4", address)
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
