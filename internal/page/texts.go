package page

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spool-video/spool/internal/guard"
)

const (
	// mostTexts is how many languages of subtitles are taken of a page.
	mostTexts = 32
	// mostData is how long subtitles may be that stand in a description, in bytes.
	mostData = 4 << 20
)

// tracks are the subtitles of a description, by language.
type tracks map[string]list[track]

// UnmarshalJSON never fails.
func (t *tracks) UnmarshalJSON(b []byte) error {
	var v map[string]list[track]
	if json.Unmarshal(b, &v) == nil {
		*t = v
	}
	return nil
}

// track is one way to get subtitles.
type track struct {
	format
	Name text `json:"name"`
	Data text `json:"data"`
}

// kinds are the endings of subtitles that can be read, the best first. Without
// one its bytes will say.
var kinds = []string{"vtt", "srt", "ass", "ssa", ""}

// texts gives of each language the best way to get it.
func (o *offer) texts() []Text {
	var all []Text
	for _, language := range slices.Sorted(maps.Keys(o.Subtitles)) {
		if best, ok := o.text(language); ok && len(all) < mostTexts {
			all = append(all, best)
		}
	}
	return all
}

func (o *offer) text(language string) (best Text, ok bool) {
	rank := len(kinds)
	for _, t := range o.Subtitles[language] {
		ext := strings.ToLower(string(t.Ext))
		if strings.HasPrefix(ext, "unknown") {
			ext = ""
		}
		n := slices.Index(kinds, ext)
		if n < 0 || n >= rank {
			continue
		}
		one := Text{Language: brief(text(language)), Name: brief(t.Name), Ext: ext}
		switch header, ok := o.headerFor(t); {
		case t.Data != "" && len(t.Data) <= mostData:
			one.Data = string(t.Data)
		case t.Protocol != "" && t.Protocol != "http" && t.Protocol != "https", bool(t.Fragments), !ok:
			continue
		default:
			one.URL, one.Header = string(t.URL), header
		}
		best, rank = one, n
	}
	return best, rank < len(kinds)
}

// headerFor is what the host of subtitles is to be told: what is said for
// them, else what is said for the video, secrets for its own host alone.
func (o *offer) headerFor(t track) (http.Header, bool) {
	u, err := url.Parse(string(t.URL))
	if err != nil || !web(string(t.URL)) {
		return nil, false
	}
	if len(t.Headers) > 0 || t.Cookies != "" {
		return t.header(u)
	}
	film, err := url.Parse(string(o.URL))
	h, ok := o.header(u)
	if ok && (err != nil || !guard.SameOrigin(film, u)) {
		h = guard.WithoutSecrets(h)
	}
	return h, ok
}
