package verify

import (
	"bytes"
	"fmt"
	"image"
	_ "image/jpeg" // what tiles are
	"path"
	"time"

	"github.com/spool-video/spool/internal/storyboard"
)

// ruleStoryboard is what a storyboard breaks that would show a player the
// wrong picture, or none.
const ruleStoryboard = "storyboard"

// storyboard holds a storyboard against the video: its cues follow one another
// from beginning to end, and each shows a place that is in a tile.
func (c *checker) storyboard() {
	b := c.manifest.Storyboard
	if b == nil || c.texts[b.Index.Name] == nil {
		return // there is none, or it was reported
	}
	wrong := func(declared, measured, format string, args ...any) {
		c.fail(b.Index.Name, ruleStoryboard, fmt.Sprintf(format, args...), declared, measured)
	}
	cues, err := storyboard.Parse(c.texts[b.Index.Name])
	if err != nil || len(cues) == 0 {
		wrong("", "", "it has no cues that can be read")
		return
	}
	tiles := c.tiles()
	at := time.Duration(0)
	for i, cue := range cues {
		if cue.Start != at || cue.End <= cue.Start {
			wrong(at.String(), cue.Start.String(), "cue %d does not begin where the one before ends", i+1)
			return
		}
		at = cue.End
		bounds, known := tiles[cue.Tile]
		if !known {
			wrong(cue.Tile, "", "cue %d shows a tile that is not of this storyboard", i+1)
			return
		}
		if !bounds.Empty() && (cue.Place.Empty() || !cue.Place.In(bounds)) {
			wrong(cue.Place.String(), bounds.String(), "cue %d shows a place outside its tile", i+1)
			return
		}
	}
	length := time.Duration(c.manifest.Seconds * float64(time.Second)).Round(time.Millisecond)
	if off := at - length; off > time.Millisecond || off < -time.Millisecond {
		wrong(length.String(), at.String(), "it does not last as long as the video")
	}
}

// tiles gives the sizes of the tiles, by name; none of those that were
// reported.
func (c *checker) tiles() map[string]image.Rectangle {
	all := map[string]image.Rectangle{}
	for _, o := range c.manifest.Storyboard.Tiles {
		name := path.Base(o.Name)
		all[name] = image.Rectangle{}
		text := c.texts[o.Name]
		if text == nil {
			continue
		}
		config, format, err := image.DecodeConfig(bytes.NewReader(text))
		if err != nil || format != "jpeg" {
			c.fail(o.Name, ruleStoryboard, "it is no JPEG", "", "")
			continue
		}
		all[name] = image.Rect(0, 0, config.Width, config.Height)
	}
	return all
}
