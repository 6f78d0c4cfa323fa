package main

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/storyboard"
)

// A storyboard's pictures are those of their times: each shows the number of
// the frame that it stands for. Of a short video they are near to one another,
// of a long one there is one a segment, and of an encrypted one there are none
// unless they are asked for.
func TestStoryboard(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	short := mediatest.Barcode{Name: "short.mp4", Frames: 175, Width: 320, Height: 180, Audio: true}.Make(t)
	long := mediatest.Barcode{Name: "long.mkv", Frames: 650, Rate: "5"}.Make(t)
	h.do(t, exitReady, "run", h.publishAs(t, "short", short), "--sizes", "90,180")
	h.do(t, exitReady, "run", h.publishAs(t, "secret", short), "--keys", h.path("keys"), "--sizes", "90")
	h.do(t, exitReady, "run", h.publishAs(t, "shown", long), "--keys", h.path("keys"), "--storyboard", "always")
	h.do(t, exitReady, "run", h.publishAs(t, "none", short), "--storyboard", "off", "--sizes", "90")
	h.good(t, 4)
	for id, want := range map[string]struct {
		rate, pictures int
		length         time.Duration
	}{
		"short":  {25, 4, 7 * time.Second},
		"shown":  {5, 22, 130 * time.Second},
		"secret": {}, "none": {},
	} {
		boards, err := filepath.Glob(h.path("bucket", id, "r*", "storyboard", "index.vtt"))
		if err != nil || len(boards) != min(want.pictures, 1) {
			t.Fatalf("%s: %v, %v", id, boards, err)
		}
		for _, board := range boards {
			checkBoard(t, board, want.rate, want.pictures, want.length)
		}
	}
}

func checkBoard(t *testing.T, board string, rate, pictures int, length time.Duration) {
	t.Helper()
	text, err := os.ReadFile(board)
	if err != nil {
		t.Fatal(err)
	}
	cues, err := storyboard.Parse(text)
	if err != nil || len(cues) != pictures || cues[len(cues)-1].End != length {
		t.Fatalf("%s: %d cues, %v:\n%s", board, len(cues), err, text)
	}
	for _, cue := range cues {
		content, err := os.ReadFile(filepath.Join(filepath.Dir(board), cue.Tile))
		if err != nil {
			t.Fatal(err)
		}
		tile, err := jpeg.Decode(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := barcode(tile, cue.Place), int(cue.Start.Seconds()*float64(rate)+0.5); got != want {
			t.Errorf("%s: at %s it shows frame %d, want %d", board, cue.Start, got, want)
		}
	}
}

// barcode reads a frame number as mediatest writes it.
func barcode(tile image.Image, place image.Rectangle) int {
	const bars = 12
	number := 0
	for bit := range bars {
		x := place.Min.X + (2*bit+1)*place.Dx()/(2*bars)
		grey, _ := color.GrayModel.Convert(tile.At(x, (place.Min.Y+place.Max.Y)/2)).(color.Gray)
		if grey.Y > 127 {
			number |= 1 << bit
		}
	}
	return number
}
