package rabbitq_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/brokertest"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/rabbitq"
)

// secured: by who trusts the server; not by others.
func secured(t *testing.T, b *brokertest.Broker) {
	trust, other := brokertest.NewTrust(t), brokertest.NewTrust(t)
	way := brokertest.NewTLSWay(t, b.Address, trust.Server)
	empty(t, b)
	q := open(t, "amqps://"+way.Address, queue.Link{TLS: trust.Client})
	defer q.Close()
	if err := q.Send(t.Context(), "a", []byte("sealed")); err != nil {
		t.Fatal(err)
	}
	if d, err := q.Receive(t.Context(), "a"); err != nil || string(d.Body) != "sealed" {
		t.Errorf("got %q, %v", d.Body, err)
	}
	for name, test := range map[string]struct {
		url, code string
		trust     brokertest.Trust
	}{
		"another authority": {"amqps://" + way.Address, queue.CodeTLS, other},
		"no authority":      {"amqps://" + way.Address, queue.CodeTLS, brokertest.Trust{}},
		"no TLS there":      {"amqps://" + b.Address, queue.CodeTLS, trust},
		"files and no TLS":  {"amqp://" + b.Address, queue.CodeURL, trust},
	} {
		_, err := rabbitq.Open(t.Context(), test.url, queue.Link{TLS: test.trust.Client})
		var e *spool.Error
		if !errors.As(err, &e) || e.Code != test.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Methods of AMQP 0-9-1's connection class.
const (
	amqpStart, amqpStartOk, amqpTune, amqpOpen, amqpOpenOk, amqpClose, amqpCloseOk = 10, 11, 30, 40, 41, 50, 51
)

// TestTooOld: both versions are named.
func TestTooOld(t *testing.T) {
	address := brokertest.Imposter(t, func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, 8)); err != nil { // "AMQP" and its version
			return
		}
		short := func(s string) string { return string([]byte{byte(len(s))}) + s }
		long := func(s string) string { return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s }
		say := func(method byte, arguments string) {
			body := "\x00\x0a\x00" + string([]byte{method}) + arguments
			_, _ = io.WriteString(c, "\x01\x00\x00"+long(body)+"\xce")
		}
		say(amqpStart, "\x00\x09"+long(short("version")+"S"+long("3.8.9"))+long("PLAIN")+long("en_US"))
		for {
			head := make([]byte, 7)
			if _, err := io.ReadFull(c, head); err != nil {
				return
			}
			body := make([]byte, binary.BigEndian.Uint32(head[3:])+1)
			if _, err := io.ReadFull(c, body); err != nil {
				return
			}
			switch body[3] {
			case amqpStartOk:
				say(amqpTune, "\x00\x00\x00\x02\x00\x00\x00\x3c")
			case amqpOpen:
				say(amqpOpenOk, short(""))
			case amqpClose:
				say(amqpCloseOk, "")
			}
		}
	})
	_, err := rabbitq.Open(t.Context(), "amqp://"+address, queue.Link{})
	var e *spool.Error
	if !errors.As(err, &e) || e.Code != queue.CodeTooOld || !strings.Contains(e.Reason, "3.8.9") || !strings.Contains(e.Reason, "3.10.0") {
		t.Errorf("got %v", err)
	}
}
