package download

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longestRetryAfter caps what a server may ask for.
const longestRetryAfter = time.Hour

// backoff is the wait before the try that follows the given number of them:
// doubled each time, and between half and all of it, so that clients that were
// cut together do not come back together.
func backoff(first time.Duration, tries int) time.Duration {
	d := first
	for i := 1; i < tries && d < longestBackoff; i++ {
		d *= 2
	}
	d = min(d, longestBackoff)
	return d/2 + time.Duration(rand.Int64N(int64(d/2)+1))
}

// retryAfter reads the header of that name, in seconds or as a date, at most
// an hour; 0 when it says nothing that can be understood.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if strings.Trim(text, "0123456789") == "" {
		seconds, err := strconv.ParseInt(text, 10, 32)
		if err != nil { // too large a number
			return longestRetryAfter
		}
		return min(time.Duration(seconds)*time.Second, longestRetryAfter)
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), longestRetryAfter)
}
