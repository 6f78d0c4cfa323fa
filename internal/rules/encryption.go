package rules

import (
	"cmp"
	"fmt"
	"mime"
	"slices"

	"github.com/spool-video/spool/internal/survey"
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
}

// sampleIVs is rule 105: each sample's IV can be found.
func sampleIVs(j judge, s spot, r stream.Run) {
	if p := r.Track.Protection; p != nil && !p.ConstantIV && !r.HasSenc {
		j.says(s, "its samples are encrypted, and there is neither senc nor saiz with saio")
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

// sessionKeys is rule 107: session keys are keys of the segments.
func sessionKeys(j judge) {
	for _, t := range j.Root.Tags {
		if t.Name == "EXT-X-SESSION-KEY" && t.Get("METHOD") == "NONE" {
			j.says(at(j.Root, t.Line), "EXT-X-SESSION-KEY has METHOD=NONE")
		}
	}
	for _, k := range j.Root.SessionKeys {
		used := false
		for _, l := range j.Lists {
			for _, s := range l.Segments {
				used = used || s.Key != nil && l.Address(s.Key.URI) == j.Root.Address(k.URI) && s.Key.Method == k.Method && s.Key.Format == k.Format
			}
		}
		if !used {
			j.says(at(j.Root, k.Line), "no segment has the key of EXT-X-SESSION-KEY")
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
