package remote_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store/remote"
)

// A server that takes connections and then hangs is not waited for for ever:
// what is being published waits for it as for one that is away, and goes on when
// it answers again.
func TestServerHangs(t *testing.T) {
	t.Parallel()
	f := serve(t)
	var hangs atomic.Bool
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && hangs.Load() {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done() // until the other side gives up
			return
		}
		f.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	s := open(t, f.options("endpoint", front.URL), bucket, remote.Options{Silence: 200 * time.Millisecond})
	hangs.Store(true)
	wantError(t, put(t, s, "v/a", "x"), spool.Environment, "dest-mute")
	hangs.Store(false)
	if err := put(t, s, "v/a", "x"); err != nil {
		t.Errorf("when it answers again: %v", err)
	}
}

// A server may hang before it has read anything.
func TestServerHangsAtFirst(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var taking sync.WaitGroup
	taking.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		taking.Wait()
	})
	options := map[string]string{"type": "s3", "provider": "Other", "endpoint": "http://" + l.Addr().String(), "access_key_id": "a", "secret_access_key": "b"}
	_, err = try(t, options, bucket+"/dest", remote.Options{Silence: 200 * time.Millisecond})
	wantError(t, err, spool.Environment, "dest-mute")
}
