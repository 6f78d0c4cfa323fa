// Package guard decides which addresses Spool may fetch from. A URL is judged
// before it is asked for, and again at every redirect; the address that its
// name turned out to have is judged when it is dialled, so that a name cannot
// be looked up for one answer and dialled for another.
package guard

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
)

// Policy says what may be fetched from. The zero value allows public addresses
// only: what those may reach who are not sitting at this machine.
type Policy struct {
	Private bool           // this machine, and its own network, too
	Allowed []netip.Prefix // these addresses, whatever they are

	resolver *net.Resolver // nil: the system's
}

// Codes of the errors, all of class permanent.
const (
	CodeAddress = "address-refused" // the policy does not allow it
	CodePort    = "port-refused"    // it belongs to another protocol
	CodeHost    = "host-refused"    // a number that is read differently by different programs
	CodeScheme  = "bad-scheme"      // neither http nor https
	CodeNoHost  = "bad-url"         // it names no host, or no port
)

// Check judges what a URL says by itself: its scheme, its port, and its host
// where that is an address. Errors are *spool.Error.
func (p Policy) Check(u *url.URL) error {
	host := u.Hostname()
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return refuse(CodeScheme, "a source cannot be fetched by "+show(u.Scheme+":"), "give an http or https URL, or a local path")
	case host == "":
		return refuse(CodeNoHost, "the URL names no host", "check it for typing errors")
	}
	if text := u.Port(); text != "" {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || port == 0 {
			return refuse(CodeNoHost, "the URL's port is "+show(text)+", which is none", "a port is a number from 1 to 65535")
		}
		if slices.Contains(foreignPorts, uint16(port)) {
			return refuse(CodePort, fmt.Sprintf("%s is not asked: its port belongs to another protocol than HTTP", show(u.Host)),
				"serve the file on another port")
		}
	}
	addr, err := netip.ParseAddr(host)
	if err == nil {
		return p.judge(host, addr)
	}
	if isNumber(host) {
		return refuse(CodeHost, fmt.Sprintf("the host %s is a number that different programs read differently", show(host)),
			"write an address as four decimal numbers with points between them")
	}
	return nil
}

// isNumber: a host is an address by the rules of old, though not in the usual
// form: 2130706433, 0x7f.1, 127.1, 127.0.0.1 with a point behind it. A name's
// last part is never a number.
func isNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	digits := "0123456789"
	if hex, found := strings.CutPrefix(last, "0x"); found {
		last, digits = hex, "0123456789abcdef"
	}
	return strings.Trim(last, digits) == ""
}

// judge decides about an address that a host has.
func (p Policy) judge(host string, addr netip.Addr) error {
	shown := show(host)
	if host != addr.String() {
		shown = fmt.Sprintf("%s is at %s, which", shown, addr)
	}
	addr = bare(addr)
	allowed := slices.ContainsFunc(p.Allowed, func(in netip.Prefix) bool { return in.Contains(addr) })
	hint := fmt.Sprintf("--allow-cidr %s allows this one", netip.PrefixFrom(addr, addr.BitLen()))
	switch {
	case allowed:
		return nil
	case slices.Contains(metadata, addr):
		return refuse(CodeAddress, shown+" is where a cloud keeps the secrets of its machines: it is not asked", hint)
	case addr.IsMulticast(), addr == broadcast:
		return refuse(CodeAddress, shown+" is the address of many, which no file is fetched from", "check it for typing errors")
	case p.Private || public(addr):
		return nil
	}
	return refuse(CodeAddress, shown+" is not on the public network, and is not asked", hint+", --allow-private all of them")
}

const (
	dialTimeout  = 30 * time.Second
	keepAlive    = 30 * time.Second
	mostHeaders  = 256 << 10 // bytes of an answer's head
	mostRedirect = 5
)

// Transport is one that dials only what the policy allows. It compresses
// nothing. A proxy of the environment is used only where private addresses are
// allowed: what is behind one cannot be judged here.
func (p Policy) Transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = p.dial
	t.DisableCompression = true
	t.MaxResponseHeaderBytes = mostHeaders
	if !p.Private {
		t.Proxy = nil
	}
	return t
}

// dial connects to the first address of a host that answers. One that the
// policy does not allow is never sent a packet.
func (p Policy) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive, Resolver: p.resolver, Control: func(_, found string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(found)
		if err != nil {
			return err
		}
		return p.judge(host, at.Addr())
	}}
	return dialer.DialContext(ctx, network, address)
}

// Client is for small questions: at most five redirects, each judged, and no
// secrets for another host. Its idle connections are its owner's to close.
func (p Policy) Client() *http.Client {
	return &http.Client{Transport: checked{p, p.Transport()}, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > mostRedirect {
			return refuse("redirect-loop", fmt.Sprintf("the server redirected %d times", len(via)), "open the address in a browser; it may need a login or cookies")
		}
		for _, before := range via {
			if !SameOrigin(before.URL, r.URL) {
				r.Header = WithoutSecrets(r.Header)
			}
		}
		return nil
	}}
}

// checked judges every request, the redirected ones, too.
type checked struct {
	policy Policy
	next   *http.Transport
}

// RoundTrip sends a request that the policy allows.
func (c checked) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := c.policy.Check(r.URL); err != nil {
		return nil, err
	}
	return c.next.RoundTrip(r)
}

// CloseIdleConnections is for http.Client's method of that name.
func (c checked) CloseIdleConnections() { c.next.CloseIdleConnections() }

func refuse(code, reason, hint string) *spool.Error {
	return &spool.Error{Class: spool.Permanent, Code: code, Reason: reason, Hint: hint}
}

// show is a part of a URL as it may be shown.
func show(s string) string { return plaintext.Cut(plaintext.Sanitize(s), 100) }
