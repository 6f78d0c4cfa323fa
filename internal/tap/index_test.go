package tap_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/tap"
)

// TestIndexIsThatOfFFmpeg: what is planned from the moov box is what would be
// planned from the whole file.
func TestIndexIsThatOfFFmpeg(t *testing.T) {
	for _, f := range corpus {
		t.Run(f.name, func(t *testing.T) { sameIndex(t, f.make(t), f.whole, f.guessed) })
	}
}

// find finds ffmpeg and ffprobe once.
var find = sync.OnceValues(func() (ffmpeg.Tools, error) { return ffmpeg.Find(context.Background(), "", "", "") })

// sameIndex compares the index of a film with ffmpeg's; with whole set there
// must be none. The end may be up to guessed ticks later than ffmpeg's.
func sameIndex(t *testing.T, path string, whole bool, guessed int64) {
	t.Helper()
	tools, err := find()
	if err != nil {
		t.Fatal(err)
	}
	facts, err := ffmpeg.Probe(t.Context(), tools, path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readMovie(t, path).Index(facts)
	if whole {
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
	if off := got.End - want.End; off >= 0 && off <= guessed {
		got.End = want.End
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("differs (-ffmpeg +tap):\n%s", d)
	}
}
