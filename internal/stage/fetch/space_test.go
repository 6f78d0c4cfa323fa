package fetch

import (
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/download"
)

// What a source needs at once is what lies between the first byte that is
// needed and the end of the window that ends next.
func TestAtOnce(t *testing.T) {
	span := func(from, to int64) spool.Span { return spool.Span{From: from, To: to} }
	for name, c := range map[string]struct {
		windows []spool.Span
		want    int64
	}{
		"nothing":                          {nil, 100},
		"one after the other":              {[]spool.Span{span(100, 200), span(200, 350), span(350, 400)}, 250},
		"sound beside the pictures":        {[]spool.Span{span(100, 200), span(200, 300), span(300, 400), span(110, 290), span(290, 400)}, 280},
		"sound behind all pictures":        {[]spool.Span{span(1000, 1100), span(1100, 1200), span(100, 500), span(500, 900)}, 500},
		"sound of which a bit lies behind": {[]spool.Span{span(100, 500), span(500, 900), span(110, 1000)}, 990},
	} {
		n := download.Needed{Windows: c.windows, Keep: spool.Spans{span(0, 100)}}
		if got := atOnce(n); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
