package spool_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
)

// Spans say of every byte what a map of bytes says.
func TestSpansAgreeWithAMap(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test that can be repeated
		const size = 60
		var have [size]bool
		var s spool.Spans
		for range 12 {
			from := r.Int64N(size)
			add := spool.Span{From: from, To: min(from+r.Int64N(10), size)}
			before := append(spool.Spans(nil), s...)
			next := s.Add(add)
			if diff := cmp.Diff(before, s); diff != "" {
				t.Fatalf("seed %d: Add changed its receiver: %s", seed, diff)
			}
			s = next
			for i := add.From; i < add.To; i++ {
				have[i] = true
			}
		}
		var n, at int64
		for i := range int64(size) {
			if s.Has(spool.Span{From: i, To: i + 1}) != have[i] {
				t.Fatalf("seed %d: byte %d of %v", seed, i, s)
			}
			if have[i] {
				n++
			}
		}
		for _, e := range s {
			if e.Len() == 0 || e.From <= at && at > 0 {
				t.Fatalf("seed %d: %v are not sorted apart", seed, s)
			}
			at = e.To
		}
		if s.Len() != n {
			t.Fatalf("seed %d: %d bytes, want %d", seed, s.Len(), n)
		}
		for i := range int64(size) {
			m := s.Missing(spool.Span{From: i, To: size})
			for j := i; j < m.From; j++ {
				if !have[j] {
					t.Fatalf("seed %d: byte %d of %v is missing before %v", seed, j, s, m)
				}
			}
			for j := m.From; j < m.To; j++ {
				if have[j] {
					t.Fatalf("seed %d: byte %d of %v is not missing: %v", seed, j, s, m)
				}
			}
			if m.Len() > 0 && m.To < size && !have[m.To] {
				t.Fatalf("seed %d: %v ends too early in %v", seed, m, s)
			}
		}
	}
}

// What is cut out, and what lies within, is byte by byte what it should be.
func TestSpansCutAndIn(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // a test that can be repeated
		const size = 40
		var s spool.Spans
		for range 5 {
			from := r.Int64N(size)
			s = s.Add(spool.Span{From: from, To: min(from+r.Int64N(12), size)})
		}
		from := r.Int64N(size)
		part := spool.Span{From: from, To: from + r.Int64N(15)}
		before := append(spool.Spans(nil), s...)
		cut, in := s.Cut(part), s.In(part)
		for i := range int64(size) {
			b := spool.Span{From: i, To: i + 1}
			inside := part.From <= i && i < part.To
			if cut.Has(b) != (s.Has(b) && !inside) || in.Has(b) != (s.Has(b) && inside) {
				t.Fatalf("seed %d: byte %d of %v without and within %v: %v, %v", seed, i, s, part, cut, in)
			}
		}
		if diff := cmp.Diff(s, cut.With(in)) + cmp.Diff(cut, s.Without(in)) + cmp.Diff(before, s); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
}
