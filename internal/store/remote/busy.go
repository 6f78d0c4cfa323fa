package remote

import (
	"net/http"
	"sync"
	"time"

	"github.com/spool-video/spool"
)

// While the server of a destination says that it cannot now, it is asked again
// until it has said nothing else for so many of the first rest, or so often: who
// wanted it pauses then, and nobody else goes on trying.
const (
	busyRests = 50
	busyTries = 7
)

const (
	// longestBusy is the longest wait that such a server may ask for.
	longestBusy = 5 * time.Minute
	// oldNews is how long ago it must have said so to begin anew.
	oldNews = time.Minute
)

// overload is since when a server has said nothing but that it cannot now.
type overload struct {
	mu          sync.Mutex // guards what follows
	since, last time.Time
}

// lasts notes that the server has said so once more, and tells for how long it has.
func (o *overload) lasts() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if now.Sub(o.last) > oldNews {
		o.since = now
	}
	o.last = now
	return now.Sub(o.since)
}

// over notes that it has said something else.
func (o *overload) over() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.since, o.last = time.Time{}, time.Time{}
}

// busyStatus: the server cannot now, and may be able to later. What it never
// will do (501, 505 and the like) is not among them.
func busyStatus(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return status > http.StatusNetworkAuthenticationRequired && status < 600 // what proxies made up
}

// busyCodes are what S3 servers call it, whatever their status.
var busyCodes = set("SlowDown", "ServiceUnavailable", "InternalError", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests")

// isBusy: the server of a destination says that it cannot now.
func isBusy(err error) bool { return err != nil && spool.AsError(err).Code == busyCode }
