// Package storyboard is what a video looks like at a glance: small pictures of
// it, laid side by side in JPEGs, the tiles, and a WebVTT file that says which
// of them shows which time. A player shows them over its seek bar.
//
// A cue's text is the tile's name and the place of a picture in it, as a media
// fragment: "00000-1a2b3c4d.jpg#xywh=160,0,160,90" (W3C Media Fragments URI 1.0,
// section 4.2.2).
package storyboard

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"strings"
	"time"
)

// Where a storyboard lies below a revision, and what its parts are served as.
const (
	Folder    = "storyboard"
	IndexName = "index.vtt"
	IndexType = "text/vtt"
	TileType  = "image/jpeg"
)

const (
	// Columns is how many pictures lie side by side in a tile, and how many rows
	// it has at most.
	Columns = 5
	// PerTile is how many pictures a tile holds at most.
	PerTile = Columns * Columns
	// Most is how many pictures a storyboard has at most: 24 tiles.
	Most = 24 * PerTile
	// longSide is the longer side of a picture, in pixels.
	longSide = 160
)

// dense is the length up to which a video has a picture every two seconds;
// above, every five at most, and Most of them at most.
const dense = 2 * time.Minute

// Every is the shortest time between two pictures of a video that long.
func Every(length time.Duration) time.Duration {
	if length <= dense {
		return 2 * time.Second
	}
	return max(5*time.Second, length/(Most-1))
}

// Dense reports whether pictures are wanted that lie within segments.
func Dense(length time.Duration) bool { return length <= dense }

// Size gives the size of the pictures of a video, in pixels: of its shape, 160
// on the longer side, and never larger than the video.
func Size(width, height int) (w, h int) {
	w, h = max(width, 1), max(height, 1)
	if long := max(w, h); long > longSide {
		w, h = even(w*longSide, long), even(h*longSide, long)
	}
	return w, h
}

// even is the even number that is nearest to a quotient, at least 2.
func even(a, b int) int { return max(2, 2*((a+b)/(2*b))) }

// Grid is how a tile of n pictures is laid out.
func Grid(n int) (columns, rows int) {
	return min(n, Columns), (n + Columns - 1) / Columns
}

// Cue says what a part of the video looks like.
type Cue struct {
	Start, End time.Duration
	Tile       string // name of the JPEG, beside the index
	Place      image.Rectangle
}

// Lay gives the places of a tile's pictures, in their order.
func Lay(n, width, height int) []image.Rectangle {
	places := make([]image.Rectangle, n)
	for i := range places {
		at := image.Pt(i%Columns*width, i/Columns*height)
		places[i] = image.Rectangle{Min: at, Max: at.Add(image.Pt(width, height))}
	}
	return places
}

// Encode writes the index.
func Encode(cues []Cue) []byte {
	var out bytes.Buffer
	out.WriteString("WEBVTT\n")
	for _, c := range cues {
		p := c.Place
		fmt.Fprintf(&out, "\n%s --> %s\n%s#xywh=%d,%d,%d,%d\n", clock(c.Start), clock(c.End), c.Tile, p.Min.X, p.Min.Y, p.Dx(), p.Dy())
	}
	return out.Bytes()
}

// clock writes a time as WebVTT does, rounded to milliseconds.
func clock(t time.Duration) string {
	ms := t.Round(time.Millisecond).Milliseconds()
	return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}

// ErrSyntax is wrapped by the errors of Parse.
var ErrSyntax = errors.New("not a storyboard")

// Parse reads an index as Encode writes it.
func Parse(text []byte) ([]Cue, error) {
	blocks := strings.Split(strings.TrimRight(string(text), "\n"), "\n\n")
	if blocks[0] != "WEBVTT" {
		return nil, fmt.Errorf("%w: it does not begin with WEBVTT", ErrSyntax)
	}
	cues := make([]Cue, 0, len(blocks)-1)
	for i, block := range blocks[1:] {
		c, ok := parseCue(block)
		if !ok {
			return nil, fmt.Errorf("%w: cue %d cannot be read", ErrSyntax, i+1)
		}
		cues = append(cues, c)
	}
	return cues, nil
}

func parseCue(block string) (Cue, bool) {
	times, text, _ := strings.Cut(block, "\n")
	start, end, _ := strings.Cut(times, " --> ")
	tile, place, _ := strings.Cut(text, "#xywh=")
	c := Cue{Tile: tile}
	var x, y, w, h int
	if _, err := fmt.Sscanf(place, "%d,%d,%d,%d", &x, &y, &w, &h); err != nil {
		return Cue{}, false
	}
	var fromOK, toOK bool
	c.Start, fromOK = parseClock(start)
	c.End, toOK = parseClock(end)
	c.Place = image.Rect(x, y, x+w, y+h)
	// What is written again and differs was not written so.
	return c, fromOK && toOK && tile != "" && string(Encode([]Cue{c})) == "WEBVTT\n\n"+block+"\n"
}

func parseClock(s string) (time.Duration, bool) {
	var h, m, sec, ms int64
	if _, err := fmt.Sscanf(s, "%d:%d:%d.%d", &h, &m, &sec, &ms); err != nil || h < 0 || h > 1e6 {
		return 0, false
	}
	return time.Duration(((h*60+m)*60+sec)*1000+ms) * time.Millisecond, true
}
