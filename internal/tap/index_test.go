package tap_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/tap"
)

// TestIndexIsThatOfFFmpeg: what is planned from the moov box is what would be
// planned from the whole file.
func TestIndexIsThatOfFFmpeg(t *testing.T) {
	tools, err := ffmpeg.Find(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range corpus {
		t.Run(f.name, func(t *testing.T) {
			path := f.make(t)
			facts, err := ffmpeg.Probe(t.Context(), tools, path)
			if err != nil {
				t.Fatal(err)
			}
			got, err := readMovie(t, path).Index(facts)
			if f.whole {
				if !errors.Is(err, tap.ErrUnsupported) {
					t.Errorf("got %v, want that only the whole file tells", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want, err := ffmpeg.Index(t.Context(), tools, path, facts, false)
			if err != nil {
				t.Fatal(err)
			}
			if off := got.End - want.End; off >= 0 && off <= f.guessed {
				got.End = want.End
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("differs (-ffmpeg +tap):\n%s", d)
			}
		})
	}
}
