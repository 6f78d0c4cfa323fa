package guard

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// resolver is one that asks a name server of this test.
func resolver(t *testing.T, answer func(name string) []string) *net.Resolver {
	t.Helper()
	var listen net.ListenConfig
	server, err := listen.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		packet := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(packet)
			if err != nil {
				return
			}
			_, _ = server.WriteTo(respond(packet[:n], answer), from)
		}
	}()
	t.Cleanup(func() { server.Close(); <-ended })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// respond answers one question for A or AAAA records (RFC 1035, section 4).
func respond(query []byte, answer func(name string) []string) []byte {
	const header, recordA, recordAAAA = 12, 1, 28
	at := header
	var labels []string
	for n := int(query[at]); n > 0; n = int(query[at]) {
		labels = append(labels, string(query[at+1:at+1+n]))
		at += 1 + n
	}
	at++
	kind := binary.BigEndian.Uint16(query[at:])
	response := append([]byte(nil), query[:at+4]...)
	var records [][]byte
	for _, text := range answer(strings.ToLower(strings.Join(labels, "."))) {
		addr := netip.MustParseAddr(text)
		if addr.Is4() == (kind == recordA) && (kind == recordA || kind == recordAAAA) {
			records = append(records, addr.AsSlice())
		}
	}
	response[2], response[3] = 0x81, 0x80
	binary.BigEndian.PutUint16(response[6:], uint16(len(records)))
	binary.BigEndian.PutUint32(response[8:], 0) // no other sections
	for _, data := range records {
		response = append(response, 0xc0, header)
		response = binary.BigEndian.AppendUint16(response, kind)
		response = append(response, 0, 1, 0, 0, 0, 0)
		response = binary.BigEndian.AppendUint16(response, uint16(len(data)))
		response = append(response, data...)
	}
	return response
}
