package download

import (
	"net"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/guard"
)

// longOutage is how long our network is to blame for a host that cannot be
// reached, whoever else answers: where names are kept for a while, some hosts can
// be called though no name server answers.
const longOutage = 5 * time.Minute

// reach tells a network of this machine that is away from a host that is. The
// two look alike; but while the network is away, nobody else answers, before
// long. The zero value knows nobody.
type reach struct {
	mu    sync.Mutex           // guards what follows
	last  time.Time            // when somebody beyond our own network took a call
	known map[string]bool      // hosts that answered
	lost  map[string]time.Time // hosts that cannot be reached, and since when
}

// answered notes that a host did. beyond: it was called for that, and is not in
// our own network, which may be there while all others are not.
func (r *reach) answered(host string, beyond bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known, r.lost = map[string]bool{}, map[string]time.Time{}
	}
	r.known[host] = true
	delete(r.lost, host)
	if beyond {
		r.last = time.Now()
	}
}

// knows reports whether a host has ever answered.
func (r *reach) knows(host string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known[host]
}

// away reports, of a host that cannot be reached, whether our network is to
// blame, as far as can be told: nobody has taken a call since that began, or it
// has only begun.
func (r *reach) away(host string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	since, before := r.lost[host]
	if !before {
		if r.lost == nil {
			r.known, r.lost = map[string]bool{}, map[string]time.Time{}
		}
		since = time.Now()
		r.lost[host] = since
	}
	return time.Since(since) < longOutage || !r.last.After(since)
}

// ways sets beyond when a new connection is made for a request, and leads out of
// our own network.
func ways(beyond *bool) *httptrace.ClientTrace {
	return &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		at, ok := got.Conn.RemoteAddr().(*net.TCPAddr)
		*beyond = ok && !got.Reused && guard.Public(at.AddrPort().Addr())
	}}
}

// Codes of the errors that our network may be to blame for.
const (
	codeDNS         = "dns"
	codeUnreachable = "unreachable"
)

// ofNetwork: it is our network that is waited for.
func ofNetwork(e *spool.Error) bool {
	return e.Class == spool.Environment && (e.Code == codeDNS || e.Code == codeUnreachable)
}

// passing: it may be over at the next try.
func passing(e *spool.Error) bool { return e.Class == spool.Transient || ofNetwork(e) }
