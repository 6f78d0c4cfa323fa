package spool_test

import (
	"testing"

	"github.com/spool-video/spool"
)

func TestGCD(t *testing.T) {
	for _, c := range []struct{ a, b, want int64 }{
		{44100, 48000, 300},
		{48000, 44100, 300},
		{30000, 1001, 1},
		{25, 25, 25},
		{0, 512, 512}, // of the first of many
		{512, 0, 512},
		{0, 0, 0},
	} {
		if got := spool.GCD(c.a, c.b); got != c.want {
			t.Errorf("GCD(%d, %d) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
