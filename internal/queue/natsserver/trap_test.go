package natsserver_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/brokertest"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/natsq"
	"github.com/spool-video/spool/internal/queue/natsserver"
)

// TestTLS: with a token, by who trusts the server; not by others.
func TestTLS(t *testing.T) {
	trust, other := brokertest.NewTrust(t), brokertest.NewTrust(t)
	s := start(t, natsserver.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Tokens: []string{"secret"}, TLS: trust.Server})
	plain := start(t, natsserver.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	q := connect(t, s.URL(), natsq.Options{Token: "secret", Link: queue.Link{TLS: trust.Client}})
	defer q.Close()
	if err := q.Send(t.Context(), "a", []byte("sealed")); err != nil {
		t.Fatal(err)
	}
	if d, err := q.Receive(t.Context(), "a"); err != nil || string(d.Body) != "sealed" {
		t.Errorf("got %q, %v", d.Body, err)
	}
	for name, test := range map[string]struct {
		url, token, code string
		trust            brokertest.Trust
	}{
		"another authority": {s.URL(), "secret", queue.CodeTLS, other},
		"no authority":      {s.URL(), "secret", queue.CodeTLS, brokertest.Trust{}},
		"another token":     {s.URL(), "wrong", queue.CodeRefused, trust},
		"no TLS there":      {strings.Replace(plain.URL(), "nats:", "tls:", 1), "", queue.CodeSetup, trust},
	} {
		_, err := natsq.Open(t.Context(), test.url, natsq.Options{Token: test.token, Link: queue.Link{TLS: test.trust.Client}})
		var e *spool.Error
		if !errors.As(err, &e) || e.Code != test.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTooOld: both versions are named.
func TestTooOld(t *testing.T) {
	address := brokertest.Imposter(t, func(c net.Conn) {
		_, _ = io.WriteString(c, `INFO {"server_id":"x","version":"2.8.4","proto":1,"max_payload":1048576,"headers":true,"jetstream":true}`+"\r\n")
		for in := bufio.NewScanner(c); in.Scan(); {
			if in.Text() == "PING" {
				_, _ = io.WriteString(c, "PONG\r\n")
			}
		}
	})
	_, err := natsq.Open(t.Context(), "nats://"+address, natsq.Options{})
	var e *spool.Error
	if !errors.As(err, &e) || e.Code != queue.CodeTooOld || !strings.Contains(e.Reason, "2.8.4") || !strings.Contains(e.Reason, "2.9.0") {
		t.Errorf("got %v", err)
	}
}
