package brokertest

import (
	"net"
	"sync"
	"testing"
)

// Imposter lets speak do the talking at an address, with each that connects,
// until speak returns: a server that cannot be had any more, say, because it is
// too old.
func Imposter(tb testing.TB, speak func(net.Conn)) (address string) {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	var speaking sync.WaitGroup
	tb.Cleanup(func() {
		_ = l.Close() // and the loop below ends
		mu.Lock()
		for _, c := range conns {
			_ = c.Close() // it may have ended
		}
		mu.Unlock()
		speaking.Wait()
	})
	speaking.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			speaking.Go(func() {
				defer c.Close() //nolint:errcheck // all is said
				speak(c)
			})
		}
	})
	return l.Addr().String()
}
