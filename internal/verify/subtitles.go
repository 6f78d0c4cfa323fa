package verify

import (
	"bytes"
	"fmt"
	"time"

	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/webvtt"
	"github.com/spool-video/spool/internal/wrap"
)

// subtitles checks that the master offers the subtitles of the manifest, and
// gives the rates of the heaviest.
func (c *checker) subtitles(m hls.Master) measured {
	var heaviest measured
	known, offered := map[string]bool{}, map[string]bool{}
	for _, r := range c.manifest.Subtitles {
		got := c.rates(r)
		heaviest.peak, heaviest.average = max(heaviest.peak, got.peak), max(heaviest.average, got.average)
		known[r.Playlist.Name] = true
	}
	for _, s := range m.Subtitles {
		offered[s.URI] = true
		if !known[s.URI] {
			c.fail(MasterName, "72", "subtitles are not in the manifest", s.URI, "")
		}
	}
	for _, r := range c.manifest.Subtitles {
		if !offered[r.Playlist.Name] {
			c.fail(MasterName, "72", "subtitles of the manifest are in no group", "", r.Playlist.Name)
		}
	}
	for _, v := range m.Variants {
		if (v.Subtitles != "") != (len(m.Subtitles) > 0) {
			c.fail(MasterName, "72", v.URI+": it is not offered with the subtitles", v.Subtitles, "")
		}
	}
	return heaviest
}

// cues checks rules 86 and 87: a segment of subtitles says where its times lie,
// and holds the cues that are shown during it.
func (c *checker) cues(r Rendition, number int, text []byte) {
	s := r.Segments[number]
	head := fmt.Sprintf("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:%d,", wrap.Origin(c.manifest.Settings.Container))
	if !bytes.HasPrefix(text, []byte(head)) {
		c.fail(s.Name, "86", "it does not begin with WEBVTT and an X-TIMESTAMP-MAP of its media", "", "")
		return
	}
	cues, err := webvtt.Parse(bytes.NewReader(text))
	if err != nil || len(cues) != s.Units {
		c.fail(s.Name, "plan", "it does not have the cues that were made", fmt.Sprint(s.Units), fmt.Sprint(len(cues)))
		return
	}
	ticks, base := c.manifest.Ticks(r)
	var before int64
	for _, n := range ticks[:number] {
		before += n
	}
	// The times of cues are whole milliseconds.
	from, to := base.Duration(before)-time.Millisecond, base.Duration(before+ticks[number])+time.Millisecond
	for _, cue := range cues {
		if cue.End <= from || cue.Start >= to {
			c.fail(s.Name, "87", "a cue is not shown during the segment", cue.Start.String()+" to "+cue.End.String(), from.String()+" to "+to.String())
			return
		}
	}
}
