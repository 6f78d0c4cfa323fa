package rules

import (
	"cmp"
	"fmt"
	"mime"
	"slices"

	"github.com/spool-video/spool/internal/survey"
	"github.com/spool-video/spool/internal/survey/m3u8"
	"github.com/spool-video/spool/internal/survey/stream"
)

// mapIsKeyed is rule 102: a key before EXT-X-MAP encrypts the init section, and
// has an IV.
func mapIsKeyed(j judge, l *survey.List) {
	seen := map[int]bool{}
	for i := range l.Parts {
		m := l.Parts[i].Map
		if m == nil || seen[m.Line] || m.Key == nil || m.Key.Method != "AES-128" {
			continue
		}
		seen[m.Line] = true
		if m.Key.IV == nil {
			j.says(at(l, m.Line), "EXT-X-MAP stands behind a key that has no IV")
		}
		if l.Parts[i].Init != nil && l.Parts[i].InitSize%16 != 0 {
			j.says(at(l, m.Line), "EXT-X-MAP stands behind a key, and its init section is not encrypted")
		}
	}
}

// cbcs is rule 103: how samples are encrypted.
func cbcs(j judge, s spot, t stream.Track) {
	p := t.Protection
	if p == nil {
		return
	}
	if p.Scheme != "cbcs" {
		j.differs(s, "samples are not encrypted by cbcs", nil, p.Scheme)
	}
	if t.Kind == stream.Video && (p.Crypt != 1 || p.Skip != 9) {
		j.differs(s, "pictures are not encrypted in the pattern 1:9", nil, fmt.Sprintf("%d:%d", p.Crypt, p.Skip))
	}
	if t.Kind == stream.Audio && p.Skip != 0 {
		j.differs(s, "sound is not encrypted as a whole", nil, fmt.Sprintf("%d:%d", p.Crypt, p.Skip))
	}
}

// sampledMarked is rule 104: SAMPLE-AES is said by the playlist and, in MPEG-TS,
// by the stream types, or by neither.
func sampledMarked(j judge, l *survey.List, p *survey.Part) {
	if p.Media.Container != stream.TS || len(p.Media.Runs) == 0 {
		return
	}
	said := p.Key != nil && p.Key.Method == "SAMPLE-AES"
	marked := slices.ContainsFunc(p.Media.Runs, func(r stream.Run) bool { return r.Track.Sampled })
	switch {
	case said && !marked:
		j.says(at(l, p.Line), "the key is of SAMPLE-AES, and no stream is marked as encrypted so (stream types 0xdb, 0xcf, 0xc1, 0xc2)")
	case marked && !said:
		j.says(at(l, p.Line), "its streams are marked as encrypted by SAMPLE-AES, and no EXT-X-KEY says so")
	}
}

// sampleIVs is rule 105: each sample's IV can be found.
func sampleIVs(j judge, s spot, r stream.Run) {
	if p := r.Track.Protection; p != nil && !p.ConstantIV && !r.HasSenc {
		j.says(s, "its samples are encrypted, and there is neither senc nor saiz with saio")
	}
}

// noGroups is rule 105 for televisions: older ones that take AirPlay do not know
// groups of samples in what is encrypted.
func noGroups(j judge, s spot, r stream.Run) {
	if r.Track.Protection != nil && r.Grouped && slices.Contains(j.asked, Television) {
		j.says(s, "its samples are encrypted, and it holds sgpd or sbgp, which older televisions do not read")
	}
}

// methods are those of rule 106.
var methods = []string{"AES-128", "SAMPLE-AES", "SAMPLE-AES-CTR"}

// keyAttributes is rule 106: what a key has to say.
func keyAttributes(j judge, l *survey.List) {
	for _, t := range l.Tags {
		if t.Name != "EXT-X-KEY" && t.Name != "EXT-X-SESSION-KEY" {
			continue
		}
		s, method := at(l, t.Line), t.Get("METHOD")
		switch {
		case method == "NONE" && t.Name == "EXT-X-KEY":
			if len(t.Attrs) > 1 {
				j.says(s, "METHOD=NONE stands beside other attributes")
			}
		case method == "NONE":
		case !slices.Contains(methods, method):
			j.says(s, "METHOD is none of NONE, AES-128 and SAMPLE-AES: %q", method)
		case t.Get("URI") == "":
			j.says(s, "the key has no URI")
		}
	}
}

// sameKey are the attributes in which a session key is like the EXT-X-KEY of its
// URI, and what they are when they are not there.
var sameKey = []struct{ name, usually string }{{"METHOD", ""}, {"KEYFORMAT", "identity"}, {"KEYFORMATVERSIONS", "1"}}

// keyTags are the EXT-X-KEYs of all playlists, by the address of the key, with
// the playlists that have them.
func (j judge) keyTags() map[string]map[*survey.List][]m3u8.Tag {
	all := map[string]map[*survey.List][]m3u8.Tag{}
	for _, l := range j.Lists {
		for _, t := range l.Tags {
			if t.Name != "EXT-X-KEY" || t.Get("METHOD") == "NONE" || t.Get("URI") == "" {
				continue
			}
			address := l.Address(t.Get("URI"))
			if all[address] == nil {
				all[address] = map[*survey.List][]m3u8.Tag{}
			}
			all[address][l] = append(all[address][l], t)
		}
	}
	return all
}

// sessionKeys is rule 107: session keys are like the keys of the segments.
func sessionKeys(j judge) {
	all := j.keyTags()
	seen := map[string]bool{}
	for _, t := range j.Root.Tags {
		if t.Name != "EXT-X-SESSION-KEY" {
			continue
		}
		s := at(j.Root, t.Line)
		if t.Get("METHOD") == "NONE" {
			j.says(s, "EXT-X-SESSION-KEY has METHOD=NONE")
			continue
		}
		identity := t.Get("URI") + "\x00" + t.Get("IV")
		for _, a := range sameKey {
			identity += "\x00" + cmp.Or(t.Get(a.name), a.usually)
		}
		if seen[identity] {
			j.says(s, "the same EXT-X-SESSION-KEY stands there twice")
		}
		seen[identity] = true
		for l, keys := range all[j.Root.Address(t.Get("URI"))] {
			if name, here, there := unlike(t, keys); name != "" {
				j.differs(s, fmt.Sprintf("the %s of EXT-X-SESSION-KEY is not that of the same key in %s", name, l.Name), here, there)
			}
		}
	}
}

// unlike is in what a session key differs from all keys of its URI in a
// playlist, of which there may be several for players of several kinds.
func unlike(session m3u8.Tag, keys []m3u8.Tag) (name, here, there string) {
	for _, key := range keys {
		name = ""
		for _, a := range sameKey {
			if x, y := cmp.Or(session.Get(a.name), a.usually), cmp.Or(key.Get(a.name), a.usually); x != y && name == "" {
				name, here, there = a.name, x, y
			}
		}
		if name == "" {
			return "", "", ""
		}
	}
	return name, here, there
}

// sessionKeysNamed is rule 107: a key that variants share is named by
// EXT-X-SESSION-KEY, of which no other key is. Of keys that change one is
// enough: the others are fetched when they are due.
func sessionKeysNamed(j judge) {
	all := j.keyTags()
	named := false
	for _, t := range j.Root.Tags {
		if t.Name != "EXT-X-SESSION-KEY" || t.Get("METHOD") == "NONE" {
			continue
		}
		used := len(all[j.Root.Address(t.Get("URI"))]) > 0
		if named = named || used; !used {
			j.says(at(j.Root, t.Line), "no segment has the key of EXT-X-SESSION-KEY")
		}
	}
	if named || !j.Root.Multivariant() {
		return
	}
	for _, users := range all {
		if len(users) > 1 {
			j.says(at(j.Root, 0), "playlists share a key, and there is no EXT-X-SESSION-KEY, by which players could fetch it early")
			return
		}
	}
}

// knownLevel is rule 108 for one variant: HDCP-LEVEL is one that is known, and
// fits the size of what FairPlay protects.
func knownLevel(j judge, s spot, v survey.Variant) {
	const fairPlay, hd = "com.apple.streamingkeydelivery", 1080
	level := v.Get("HDCP-LEVEL")
	switch {
	case !v.Has("HDCP-LEVEL"):
		return
	case !slices.Contains([]string{"NONE", "TYPE-0", "TYPE-1"}, level):
		j.differs(s, bare(v.URI)+": HDCP-LEVEL is none of NONE, TYPE-0 and TYPE-1", level, nil)
		return
	case v.List == nil || v.Height == 0:
		return
	}
	want := "TYPE-0"
	if min(v.Width, v.Height) > hd {
		want = "TYPE-1"
	}
	for _, seg := range v.List.Segments {
		if seg.Key != nil && seg.Key.Format == fairPlay && min(v.Width, v.Height) >= 720 && level != want {
			j.differs(s, bare(v.URI)+": HDCP-LEVEL is not what FairPlay asks for at this size", level, want)
			return
		}
	}
}

// levelsApart is rule 108: who may not show the one must not have its key.
func levelsApart(j judge) {
	levels := map[string]string{} // by the address of a key
	for _, v := range j.Variants {
		if v.List == nil || v.IFrames {
			continue
		}
		for _, seg := range v.List.Segments {
			if seg.Key == nil {
				continue
			}
			key := v.List.Address(seg.Key.URI)
			own := cmp.Or(v.Get("HDCP-LEVEL"), "NONE")
			if level, seen := levels[key]; seen && level != own {
				j.differs(at(j.Root, v.Line), bare(v.URI)+": it has the key of a variant of another HDCP-LEVEL", own, level)
				break
			}
			levels[key] = own
		}
	}
}

// playlistTypes are the media types of playlists.
var playlistTypes = []string{"application/vnd.apple.mpegurl", "audio/mpegurl", "application/x-mpegurl"}

// delivery is rule 109 for playlists.
func delivery(j judge, l *survey.List) {
	if !j.ByHTTP {
		return
	}
	if kind, _, err := mime.ParseMediaType(l.File.Type); err != nil || !slices.Contains(playlistTypes, kind) {
		j.differs(at(l, 0), "the server does not name the media type of playlists", l.File.Type, nil)
	}
	const worth = 1400 // bytes: what does not fit into one packet
	if l.File.Encoding == "" && l.File.Size > worth {
		j.says(at(l, 0), "the server does not compress the playlist")
	}
}

// mediaTypes are those of segments.
var mediaTypes = map[stream.Container][]string{
	stream.MP4:    {"video/iso.segment", "video/mp4", "audio/mp4", "application/mp4"},
	stream.TS:     {"video/mp2t"},
	stream.Packed: {"audio/aac", "audio/aacp", "audio/mpeg", "audio/ac3", "audio/eac3"},
	stream.VTT:    {"text/vtt", "text/plain"},
}

// direct is rule 109 for segments.
func direct(j judge, l *survey.List, p *survey.Part) {
	if !j.ByHTTP {
		return
	}
	if p.File.Redirected {
		j.says(at(l, p.Line), "the server redirects the segment")
	}
	kind, _, err := mime.ParseMediaType(p.File.Type)
	if want := mediaTypes[p.Media.Container]; len(want) > 0 && (err != nil || !slices.Contains(want, kind)) {
		j.differs(at(l, p.Line), "the server does not name the media type of "+string(p.Media.Container), p.File.Type, nil)
	}
}
