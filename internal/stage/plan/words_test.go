package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/grid"
)

// Whoever asks for segments of a length is told when a copied source has its
// key frames elsewhere.
func TestUnevenSegmentsAreSaid(t *testing.T) {
	line := spool.Timeline{Rate: spool.Ratio{Num: 25, Den: 1}, Frames: 1500}
	for _, c := range []struct {
		segment, gop int
		says         string
	}{
		{0, 250, ""},
		{2, 25, ""},
		{2, 100, "up to 4 s instead of 2 s"},
		{10, 250, ""},
		{10, 151, "up to 6.04 s instead of 10 s"},
	} {
		var keys []int
		for k := 0; k < line.Frames; k += c.gop {
			keys = append(keys, k)
		}
		laid, ok := grid.LayCopied(line, keys, c.segment)
		p := &spool.Plan{Timeline: line, Grid: laid, Rungs: []spool.Rung{{Action: spool.CopyRung}}}
		got := strings.Join(uneven(p), "\n")
		if !ok || got == "" != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%d s of key frames every %d: %q, %v", c.segment, c.gop, got, slices.Max(laid.Frames))
		}
		p.Rungs[0].Action = spool.EncodeRung
		if more := uneven(p); more != nil {
			t.Errorf("%d s, encoded: %q", c.segment, more)
		}
	}
}

// Subtitles that are no text are left out, and it is said what they are.
func TestSubtitlesThatAreLeftOut(t *testing.T) {
	var facts spool.Facts
	for _, codec := range []string{"subrip", "hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle", "xsub", "eia_608", "dvb_teletext", "other"} {
		facts.Subtitles = append(facts.Subtitles, spool.SubtitleStream{Codec: codec, Language: "eng"})
	}
	want := []string{"pictures (PGS)", "pictures (VobSub)", "pictures (DVB)", "pictures (XSUB)", "closed captions", "teletext", "neither text nor known"}
	for i := range want {
		want[i] = "subtitles that are " + want[i] + " (eng)"
	}
	if got := leftOut(facts, nil); !slices.Equal(got, want) {
		t.Errorf("left out: %q", got)
	}
}
