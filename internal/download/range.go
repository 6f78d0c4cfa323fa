package download

import (
	"strconv"
	"strings"
)

// contentRange is a Content-Range of bytes (RFC 9110 14.4).
type contentRange struct {
	first, last int64 // inclusive; first is -1 in the form "bytes */total"
	total       int64 // -1 = unknown
}

// parseContentRange reads "bytes 5-9/10", "bytes 5-9/*" and "bytes */10".
func parseContentRange(s string) (contentRange, bool) {
	none := contentRange{}
	unit, rest, ok := strings.Cut(strings.TrimSpace(s), " ")
	if !ok || !strings.EqualFold(unit, "bytes") {
		return none, false
	}
	span, size, ok := strings.Cut(strings.TrimSpace(rest), "/")
	if !ok {
		return none, false
	}
	r := contentRange{first: -1, last: -1, total: -1}
	if size != "*" {
		if r.total, ok = digits(size); !ok {
			return none, false
		}
	}
	if span == "*" {
		return r, r.total >= 0
	}
	first, last, _ := strings.Cut(span, "-")
	var okFirst, okLast bool
	r.first, okFirst = digits(first)
	r.last, okLast = digits(last)
	if !okFirst || !okLast || r.last < r.first || r.total >= 0 && r.last >= r.total {
		return none, false
	}
	return r, true
}

// digits reads a number without a sign.
func digits(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
