package brokertest

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"testing"
)

// Way is a way to a server that can be cut, and be blocked for a while.
type Way struct {
	Address string // host:port, in place of the server's

	mu    sync.Mutex // owns what follows
	open  chan struct{}
	conns []net.Conn
}

// NewWay makes a way to a server, for as long as the test runs.
func NewWay(tb testing.TB, to string) *Way {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return lead(tb, l, to)
}

// NewTLSWay makes a way to a server that has no TLS of its own, by which it has.
func NewTLSWay(tb testing.TB, to string, c *tls.Config) *Way {
	tb.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", c)
	if err != nil {
		tb.Fatal(err)
	}
	return lead(tb, l, to)
}

// lead carries what comes to a listener.
func lead(tb testing.TB, l net.Listener, to string) *Way {
	w := &Way{Address: l.Addr().String(), open: make(chan struct{})}
	close(w.open)
	var running sync.WaitGroup
	tb.Cleanup(func() {
		_ = l.Close() // and the loop below ends
		w.Unblock()
		w.Cut()
		running.Wait()
	})
	running.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", to)
			if err != nil {
				_ = in.Close() // the server is away
				continue
			}
			w.mu.Lock()
			w.conns = append(w.conns, in, out)
			w.mu.Unlock()
			running.Go(func() { w.carry(in, out) })
			running.Go(func() { w.carry(out, in) })
		}
	})
	return w
}

// Cut ends all connections. New ones can be made.
func (w *Way) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range w.conns {
		_ = conn.Close() // it may have ended
	}
	w.conns = nil
}

// Block lets nothing through any more, and tells neither side so: that is how
// a network ends whose cable was pulled.
func (w *Way) Block() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.open:
		w.open = make(chan struct{})
	default: // it is blocked
	}
}

// Unblock lets everything through again, what came meanwhile too.
func (w *Way) Unblock() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.open:
	default:
		close(w.open)
	}
}

// carry ends both connections when one ends.
func (w *Way) carry(to, from net.Conn) {
	defer to.Close()   //nolint:errcheck // a connection that is cut is what this is for
	defer from.Close() //nolint:errcheck // as above
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		w.mu.Lock()
		open := w.open
		w.mu.Unlock()
		<-open
		if _, werr := to.Write(buffer[:n]); err != nil || werr != nil {
			return
		}
	}
}
