package hls

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spool-video/spool"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// tag is a track's language. Players compare RFC 5646 tags: "en", where files
// say "eng".
func (t Track) tag() language.Tag {
	tag, err := language.Parse(t.Language)
	if err != nil {
		return language.Und
	}
	return tag
}

// Name is what a track is called before it is told from others: its language,
// else its title, and what it is for.
func (t Track) Name() string {
	name := t.title()
	if tag := t.tag(); tag != language.Und {
		name = cmp.Or(display.English.Tags().Name(tag), name)
	}
	if t.Text {
		name = cmp.Or(name, "Subtitles")
	}
	name = cmp.Or(name, "Audio")
	role := roles[t.Role]
	if t.Text && t.Role == spool.Impaired {
		role = "for the hard of hearing"
	}
	if t.Forced {
		role = "forced"
	}
	if role != "" {
		name += " (" + role + ")"
	}
	return name
}

// roles are the words for roles of sound.
var roles = map[spool.Role]string{
	spool.Commentary: "commentary", spool.Described: "audio description", spool.Impaired: "clear speech",
}

// title is the track's own, as it can be quoted.
func (t Track) title() string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r == '"' || !printable(string(r)) {
			return ' '
		}
		return r
	}, t.Title)), " ")
}

// nameTracks gives each track a name of its own, by its number: where names
// are the same, titles tell the tracks apart, else numbers do.
func nameTracks(streams []Stream) map[int]string {
	var tracks []Track
	for _, s := range streams {
		if !slices.ContainsFunc(tracks, func(t Track) bool { return t.Number == s.Track.Number }) {
			tracks = append(tracks, s.Track)
		}
	}
	names, taken := map[int]string{}, map[string]bool{}
	for _, t := range tracks {
		base := t.Name()
		name := base
		if title := t.title(); taken[name] && title != "" && !strings.Contains(name, title) {
			name = t.Name() + ": " + title
		}
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s %d", base, n)
		}
		names[t.Number], taken[name] = name, true
	}
	return names
}
