package spool

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// Ratio is an exact fraction: a frame rate (30000/1001 frames per second), a
// time base (1/90000 seconds per tick) or an aspect (64/45). The zero value
// means unknown.
type Ratio struct {
	Num, Den int64
}

// ParseRatio reads "30000/1001", "16:9" or "25".
func ParseRatio(s string) (Ratio, error) {
	num, den, ok := strings.Cut(strings.Replace(s, ":", "/", 1), "/")
	if !ok {
		den = "1"
	}
	n, err := strconv.ParseInt(num, 10, 64)
	if err != nil {
		return Ratio{}, fmt.Errorf("ratio %q: %w", s, err)
	}
	d, err := strconv.ParseInt(den, 10, 64)
	if err != nil {
		return Ratio{}, fmt.Errorf("ratio %q: %w", s, err)
	}
	return Ratio{n, d}, nil
}

// Known reports whether the ratio is a positive number.
func (r Ratio) Known() bool { return r.Num > 0 && r.Den > 0 }

// Float is the ratio as a floating-point number; 0 when it is unknown.
func (r Ratio) Float() float64 {
	if r.Den == 0 {
		return 0
	}
	return float64(r.Num) / float64(r.Den)
}

// Invert swaps numerator and denominator: a rate becomes a time base.
func (r Ratio) Invert() Ratio { return Ratio{r.Den, r.Num} }

// Duration is n units of the ratio taken as a time base, rounded to the
// nearest nanosecond.
func (r Ratio) Duration(n int64) time.Duration {
	return time.Duration(mulDiv(n, r.Num*int64(time.Second), r.Den, true))
}

// Rescale converts n ticks of time base r to ticks of time base to, rounded
// down (toward minus infinity).
func (r Ratio) Rescale(n int64, to Ratio) int64 {
	return rescale(n, r, to, false)
}

// RescaleNearest converts n ticks of time base r to the nearest tick of time
// base to; a half goes up.
func (r Ratio) RescaleNearest(n int64, to Ratio) int64 {
	return rescale(n, r, to, true)
}

// GCD is the greatest common divisor of two numbers of which neither is
// negative; with 0 it is the other.
func GCD(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func (r Ratio) String() string { return fmt.Sprintf("%d/%d", r.Num, r.Den) }

// MarshalJSON writes the ratio as "num/den".
func (r Ratio) MarshalJSON() ([]byte, error) { return json.Marshal(r.String()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Ratio) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("ratio: %w", err)
	}
	parsed, err := ParseRatio(s)
	if err != nil {
		return err
	}
	*r = parsed
	return nil
}

func rescale(n int64, from, to Ratio, nearest bool) int64 {
	num := new(big.Int).Mul(big.NewInt(from.Num), big.NewInt(to.Den))
	den := new(big.Int).Mul(big.NewInt(from.Den), big.NewInt(to.Num))
	return floorDiv(num.Mul(num, big.NewInt(n)), den, nearest)
}

func mulDiv(n, num, den int64, nearest bool) int64 {
	p := new(big.Int).Mul(big.NewInt(n), big.NewInt(num))
	return floorDiv(p, big.NewInt(den), nearest)
}

// floorDiv divides toward minus infinity, or to the nearest with halves up.
func floorDiv(num, den *big.Int, nearest bool) int64 {
	if den.Sign() == 0 {
		return 0
	}
	if nearest {
		num = new(big.Int).Add(new(big.Int).Lsh(num, 1), den)
		den = new(big.Int).Lsh(den, 1)
	}
	q, m := new(big.Int).DivMod(num, den, new(big.Int))
	_ = m // DivMod is Euclidean: with den > 0 the quotient is the floor.
	return q.Int64()
}
