package spool

import "slices"

// Span is a run of bytes of a source: From is the first, To the one after the
// last.
type Span struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// Len is how many bytes a span holds.
func (s Span) Len() int64 { return max(s.To-s.From, 0) }

// Spans are the bytes of a source that are here: sorted, and neither empty nor
// touching one another. The zero value is none.
type Spans []Span

// Add gives the spans with one more run of bytes. The receiver stays as it is.
func (s Spans) Add(more Span) Spans {
	if more.Len() == 0 {
		return s
	}
	from, _ := slices.BinarySearchFunc(s, more.From, func(e Span, at int64) int { return compare(e.To, at) })
	to := from
	for to < len(s) && s[to].From <= more.To {
		more.From, more.To = min(more.From, s[to].From), max(more.To, s[to].To)
		to++
	}
	return slices.Concat(s[:from], Spans{more}, s[to:])
}

// Has reports whether all bytes of a span are here.
func (s Spans) Has(want Span) bool {
	return want.Len() == 0 || s.After(want.From) >= want.To
}

// After is where the run of bytes that holds at ends, or at itself when that
// byte is not here.
func (s Spans) After(at int64) int64 {
	for _, e := range s {
		if e.From <= at && at < e.To {
			return e.To
		}
	}
	return at
}

// Missing is the first run of bytes of a span that is not here; empty when all
// are.
func (s Spans) Missing(want Span) Span {
	from := s.After(want.From)
	if from >= want.To {
		return Span{}
	}
	to := want.To
	for _, e := range s {
		if e.From > from {
			to = min(to, e.From)
			break
		}
	}
	return Span{from, to}
}

// Len is how many bytes are here.
func (s Spans) Len() int64 {
	var n int64
	for _, e := range s {
		n += e.Len()
	}
	return n
}

// Cut gives the spans without one run of bytes. The receiver stays as it is.
func (s Spans) Cut(less Span) Spans {
	if less.Len() == 0 {
		return s
	}
	var rest Spans
	for _, e := range s {
		for _, left := range [2]Span{{e.From, min(e.To, less.From)}, {max(e.From, less.To), e.To}} {
			if left.Len() > 0 {
				rest = append(rest, left)
			}
		}
	}
	return rest
}

// Without are the bytes that are not among others.
func (s Spans) Without(others Spans) Spans {
	for _, o := range others {
		s = s.Cut(o)
	}
	return s
}

// In are the bytes of a span that are here.
func (s Spans) In(where Span) Spans {
	var within Spans
	for _, e := range s {
		if part := (Span{max(e.From, where.From), min(e.To, where.To)}); part.Len() > 0 {
			within = append(within, part)
		}
	}
	return within
}

// With gives the bytes of both.
func (s Spans) With(more Spans) Spans {
	for _, e := range more {
		s = s.Add(e)
	}
	return s
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
