package storyboard_test

import (
	"errors"
	"image"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/storyboard"
)

func TestSizes(t *testing.T) {
	for _, c := range []struct{ width, height, w, h int }{
		{640, 360, 160, 90},
		{360, 640, 90, 160},
		{480, 360, 160, 120},
		{854, 480, 160, 90},
		{320, 136, 160, 68},
		{4096, 64, 160, 2},
		{96, 54, 96, 54},
		{0, 0, 1, 1},
		{160, 160, 160, 160},
	} {
		if w, h := storyboard.Size(c.width, c.height); w != c.w || h != c.h {
			t.Errorf("%dx%d: %dx%d", c.width, c.height, w, h)
		}
	}
}

// However long a video is, its storyboard is bounded, and is not empty.
func TestEvery(t *testing.T) {
	for length := time.Millisecond; length <= 24*time.Hour; length += length/7 + 1 {
		every := storyboard.Every(length)
		if n := int(length/every) + 1; n > storyboard.Most || every < 2*time.Second || storyboard.Dense(length) != (every < 5*time.Second) {
			t.Errorf("%s: every %s", length, every)
		}
	}
}

func cues(n int) []storyboard.Cue {
	all := make([]storyboard.Cue, n)
	for i := range all {
		start := time.Duration(i) * 2002 * time.Millisecond
		all[i] = storyboard.Cue{
			Start: start, End: start + 2002*time.Millisecond,
			Tile: "00000-1a2b3c4d.jpg", Place: storyboard.Lay(storyboard.PerTile, 160, 90)[i%storyboard.PerTile],
		}
	}
	return all
}

func TestIndex(t *testing.T) {
	text := storyboard.Encode(cues(7))
	want := "WEBVTT\n\n00:00:00.000 --> 00:00:02.002\n00000-1a2b3c4d.jpg#xywh=0,0,160,90\n\n00:00:02.002 --> 00:00:04.004\n00000-1a2b3c4d.jpg#xywh=160,0,160,90\n"
	if !strings.HasPrefix(string(text), want) || !strings.HasSuffix(string(text), "#xywh=160,90,160,90\n") {
		t.Errorf("%s", text)
	}
	back, err := storyboard.Parse(text)
	if err != nil || !slices.Equal(back, cues(7)) {
		t.Errorf("%v, %v", back, err)
	}
	for columns, n := range map[image.Point]int{{X: 1, Y: 1}: 1, {X: 5, Y: 1}: 5, {X: 5, Y: 2}: 6, {X: 5, Y: 5}: 25} {
		if x, y := storyboard.Grid(n); x != columns.X || y != columns.Y {
			t.Errorf("%d pictures: %dx%d", n, x, y)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(string(storyboard.Encode(cues(3))))
	f.Add("WEBVTT\n\n00:00:00.000 --> 99999999:99:99.999\na.jpg#xywh=0,0,-1,1\n")
	f.Add("WEBVTT\n\n\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := storyboard.Parse([]byte(text))
		if err != nil {
			if !errors.Is(err, storyboard.ErrSyntax) {
				t.Fatal(err)
			}
			return
		}
		if again := string(storyboard.Encode(all)); strings.TrimRight(again, "\n") != strings.TrimRight(text, "\n") {
			t.Errorf("%q is read as %q", text, again)
		}
	})
}
