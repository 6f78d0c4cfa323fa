package cmaf_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/cmaf"
)

// checkIFrames holds the I-frames of a segment of GOPs of 25 pictures against
// what it was written of: each is media by itself, as a range and as a still.
func checkIFrames(t *testing.T, init, segment []byte, gops []cmaf.Fragment) {
	t.Helper()
	found, err := cmaf.IFrames(segment)
	if err != nil || len(found) != len(gops) {
		t.Fatalf("%d I-frames, %v", len(found), err)
	}
	for n, i := range found {
		if i.Frame != n*25 {
			t.Errorf("I-frame %d is frame %d", n, i.Frame)
		}
		still, err := cmaf.Still(segment, i)
		if err != nil {
			t.Fatal(err)
		}
		for what, media := range map[string][]byte{"range": segment[i.Offset : i.Offset+i.Size], "still": still} {
			r := cmaf.NewReader(bytes.NewReader(append(bytes.Clone(init), media...)))
			f, err := r.Next()
			if err != nil || len(f.Samples) != 1 || !bytes.Equal(f.Samples[0].Data, gops[n].Samples[0].Data) || f.Decode != uint64(100+i.Frame)*512 {
				t.Errorf("I-frame %d as a %s: decode time %d, %d samples, %v", n, what, f.Decode, len(f.Samples), err)
			}
			if want := map[string]uint32{"range": 512, "still": 25 * 512}[what]; len(f.Samples) > 0 && f.Samples[0].Duration != want {
				t.Errorf("I-frame %d as a %s lasts %d ticks", n, what, f.Samples[0].Duration)
			}
		}
	}
	for _, cut := range []int{1, 30, len(segment) / 2, len(segment) - 1} {
		if _, err := cmaf.IFrames(segment[:cut]); !errors.Is(err, cmaf.ErrMalformed) {
			t.Errorf("of %d bytes: %v", cut, err)
		}
	}
	for _, at := range []int64{-1, 0, 29, int64(len(segment)), int64(len(segment)) + 1} {
		if _, err := cmaf.Still(segment, spool.IFrame{Offset: at}); !errors.Is(err, cmaf.ErrMalformed) {
			t.Errorf("a still at %d: %v", at, err)
		}
	}
}
