package tap

import (
	"strconv"
	"strings"

	"github.com/spool-video/spool"
)

// parseRange reads a Range header (RFC 9110, section 14.2) for a file of size
// bytes: "bytes=5-", "bytes=5-9" or "bytes=-5". False when there is none or
// when it may be ignored: other units, several ranges, nonsense. An empty span
// is a range that lies beyond the end.
func parseRange(header string, size int64) (spool.Span, bool) {
	set, ok := strings.CutPrefix(header, "bytes=")
	if !ok {
		return spool.Span{}, false
	}
	first, last, ok := strings.Cut(strings.TrimSpace(set), "-")
	if !ok {
		return spool.Span{}, false
	}
	if first == "" {
		n, ok := digits(last)
		return spool.Span{From: max(size-n, 0), To: size}, ok
	}
	from, ok := digits(first)
	if !ok {
		return spool.Span{}, false
	}
	to := size
	if last != "" {
		at, ok := digits(last)
		if !ok || at < from {
			return spool.Span{}, false
		}
		to = min(at+1, size)
	}
	if from >= to {
		return spool.Span{}, true
	}
	return spool.Span{From: from, To: to}, true
}

// digits reads a number of at most 18 digits, without a sign.
func digits(s string) (int64, bool) {
	if len(s) == 0 || len(s) > 18 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
