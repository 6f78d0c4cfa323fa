package page

import (
	"encoding/json"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spool-video/spool"
)

// The types below take from JSON what they understand and are empty for the
// rest: what a site's extractor fills in is of any shape.

// text is a string; a number becomes its digits.
type text string

// UnmarshalJSON never fails.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	var n json.Number
	switch {
	case json.Unmarshal(b, &s) == nil:
		*t = text(strings.ToValidUTF8(s, "\uFFFD"))
	case json.Unmarshal(b, &n) == nil:
		*t = text(n)
	}
	return nil
}

// seconds is a number, or a string of one.
type seconds float64

// UnmarshalJSON never fails.
func (s *seconds) UnmarshalJSON(b []byte) error {
	var n json.Number
	if json.Unmarshal(b, &n) != nil {
		return nil
	}
	if f, err := n.Float64(); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
		*s = seconds(f)
	}
	return nil
}

// duration is never negative and fits a Duration.
func (s seconds) duration() time.Duration {
	const longest = 365 * 24 * 3600
	return time.Duration(min(max(float64(s), 0), longest) * float64(time.Second))
}

// list skips the elements that are no T.
type list[T any] []T

// UnmarshalJSON never fails.
func (l *list[T]) UnmarshalJSON(b []byte) error {
	var raw []json.RawMessage
	if json.Unmarshal(b, &raw) != nil {
		return nil
	}
	for _, r := range raw {
		var v *T
		if json.Unmarshal(r, &v) == nil && v != nil {
			*l = append(*l, *v)
		}
	}
	return nil
}

// names are the keys of an object, sorted.
type names []string

// UnmarshalJSON never fails.
func (n *names) UnmarshalJSON(b []byte) error {
	var raw map[string]json.RawMessage
	if json.Unmarshal(b, &raw) == nil {
		*n = slices.Sorted(maps.Keys(raw))
	}
	return nil
}

// truth is true for true only.
type truth bool

// UnmarshalJSON never fails.
func (t *truth) UnmarshalJSON(b []byte) error {
	*t = string(b) == "true"
	return nil
}

// info is what the tool says of a video, or of a playlist.
type info struct {
	Type       text          `json:"_type"` // "video", "playlist", "multi_video", "url", "url_transparent"
	ID         text          `json:"id"`
	Title      text          `json:"title"`
	Uploader   text          `json:"uploader"`
	Channel    text          `json:"channel"`
	Extractor  text          `json:"extractor"`
	Key        text          `json:"ie_key"` // of an entry: who will extract it
	URL        text          `json:"url"`
	WebpageURL text          `json:"webpage_url"`
	Duration   seconds       `json:"duration"`
	Live       truth         `json:"is_live"`
	LiveStatus text          `json:"live_status"`
	Chapters   list[chapter] `json:"chapters"`
	Subtitles  names         `json:"subtitles"`
	Entries    list[info]    `json:"entries"`
}

type chapter struct {
	Title text    `json:"title"`
	Start seconds `json:"start_time"`
	End   seconds `json:"end_time"`
}

// parseInfo reads one JSON object of the tool; false when it is none.
func parseInfo(b []byte) (info, bool) {
	var v *info
	if json.Unmarshal(b, &v) != nil || v == nil {
		return info{}, false
	}
	return *v, true
}

func (v *info) playlist() bool {
	return v.Type == "playlist" || v.Type == "multi_video"
}

// live: it has no end yet, or no beginning.
func (v *info) live() bool {
	return bool(v.Live) || v.LiveStatus == "is_live" || v.LiveStatus == "is_upcoming"
}

// page gives what we keep. asked is the URL that the tool was given.
func (v *info) page(asked string) spool.Page {
	p := spool.Page{
		Extractor: brief(v.Extractor), ID: brief(v.ID), Title: brief(v.Title), Uploader: brief(v.Uploader),
		URL: asked, Duration: v.Duration.duration(),
	}
	if p.Extractor == "" {
		p.Extractor = brief(v.Key)
	}
	if p.Uploader == "" {
		p.Uploader = brief(v.Channel)
	}
	if web(string(v.WebpageURL)) {
		p.URL = string(v.WebpageURL)
	}
	for _, c := range v.Chapters {
		if start, end := c.Start.duration(), c.End.duration(); end > start {
			p.Chapters = append(p.Chapters, spool.Chapter{Title: brief(c.Title), Start: start, End: end})
		}
	}
	for _, language := range v.Subtitles {
		if language != "live_chat" {
			p.Subtitles = append(p.Subtitles, language)
		}
	}
	return p
}

// pages gives the items of a playlist, those of playlists in it included, each
// with a URL of its own. Items without one are left out.
func (v *info) pages(asked string) []spool.Page {
	if web(string(v.WebpageURL)) {
		asked = string(v.WebpageURL)
	}
	var all []spool.Page
	for i := range v.Entries {
		entry := &v.Entries[i]
		if entry.playlist() && len(entry.Entries) > 0 {
			all = append(all, entry.pages(asked)...)
			continue
		}
		p := entry.page("")
		if p.URL = entry.address(asked); p.URL != "" {
			all = append(all, p)
		}
	}
	return all
}

// address is where an entry can be asked for by itself. An entry that its
// page's extractor found in the page itself has only its media URL.
func (v *info) address(playlist string) string {
	if u := string(v.WebpageURL); web(u) && u != playlist {
		return u
	}
	if u := string(v.URL); web(u) && u != playlist {
		return u
	}
	// youtube-dl and old releases give the bare ID.
	if v.Key == "Youtube" && v.ID != "" {
		return "https://www.youtube.com/watch?v=" + url.QueryEscape(string(v.ID))
	}
	return ""
}

// web reports whether s is an http or https URL.
func web(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

// brief bounds what a page can put into the ledger.
func brief(t text) string {
	const longest = 500
	if runes := []rune(string(t)); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return string(t)
}
