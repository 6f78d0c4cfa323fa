package hls

import (
	"strconv"
	"strings"
)

// masterReader is the state of ParseMaster.
type masterReader struct {
	master  Master
	seen    map[string]bool
	variant *Variant // waits for its URI
}

// ParseMaster reads a multivariant playlist as strictly as the rules about
// its text are. Its errors are *SyntaxError. Other renditions than audio are
// passed over.
func ParseMaster(text []byte) (Master, error) {
	lines, err := scan(text)
	if err != nil {
		return Master{}, err
	}
	r := masterReader{seen: map[string]bool{}, master: Master{Version: 1}}
	last := line{number: 1}
	for _, l := range lines {
		if err := r.line(l); err != nil {
			return Master{}, err
		}
		last = l
	}
	return r.master, r.finish(last)
}

func (r *masterReader) finish(last line) error {
	if r.variant != nil {
		return last.errorf(60, "EXT-X-STREAM-INF without a URI after it")
	}
	if len(r.master.Variants) == 0 {
		return last.errorf(60, "no EXT-X-STREAM-INF")
	}
	sounds, err := last.groups(r.master.Audio)
	if err != nil {
		return err
	}
	texts, err := last.groups(r.master.Subtitles)
	if err != nil {
		return err
	}
	for _, v := range r.master.Variants {
		if v.Audio != "" && !sounds[v.Audio] {
			return last.errorf(72, "audio group %q has no EXT-X-MEDIA", v.Audio)
		}
		if v.Subtitles != "" && !texts[v.Subtitles] {
			return last.errorf(72, "group of subtitles %q has no EXT-X-MEDIA", v.Subtitles)
		}
	}
	return nil
}

// groups are the names of the groups that renditions of one type make.
func (l line) groups(renditions []Rendition) (map[string]bool, error) {
	groups := map[string]bool{}
	names := map[[2]string]bool{}
	defaults := map[string]bool{}
	for _, a := range renditions {
		groups[a.Group] = true
		name := [2]string{a.Group, a.Name}
		if names[name] || (a.Default && (defaults[a.Group] || !a.Autoselect)) {
			return nil, l.errorf(73, "group %q: a name twice, two defaults, or a default that is not selected by itself", a.Group)
		}
		names[name] = true
		defaults[a.Group] = defaults[a.Group] || a.Default
	}
	return groups, nil
}

func (r *masterReader) line(l line) error {
	if l.name == "" {
		return r.uri(l)
	}
	if r.variant != nil {
		return l.errorf(60, "EXT-X-STREAM-INF without a URI right after it")
	}
	if once[l.name] && r.seen[l.name] {
		return l.errorf(3, "%s is there twice", l.name)
	}
	r.seen[l.name] = true
	switch l.name {
	case "#EXT-X-VERSION":
		return l.whole(&r.master.Version, 1, 5)
	case "#EXT-X-INDEPENDENT-SEGMENTS":
		r.master.Independent = true
	case "#EXT-X-SESSION-KEY":
		return r.sessionKey(l)
	case "#EXT-X-MEDIA":
		return r.rendition(l)
	case "#EXT-X-STREAM-INF":
		return r.streamInf(l)
	case "#EXT-X-I-FRAME-STREAM-INF":
		return r.iFrames(l)
	case "#EXTINF", "#EXT-X-TARGETDURATION", "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-PLAYLIST-TYPE", "#EXT-X-ENDLIST",
		"#EXT-X-KEY", "#EXT-X-MAP", "#EXT-X-BYTERANGE", "#EXT-X-DISCONTINUITY", "#EXT-X-I-FRAMES-ONLY":
		return l.errorf(4, "%s does not belong in a multivariant playlist", l.name)
	}
	return nil
}

func (r *masterReader) uri(l line) error {
	if r.variant == nil {
		return l.errorf(60, "a URI without EXT-X-STREAM-INF")
	}
	r.variant.URI = l.value
	r.master.Variants = append(r.master.Variants, *r.variant)
	r.variant = nil
	return nil
}

func (r *masterReader) sessionKey(l line) error {
	list, err := l.attributes()
	if err != nil {
		return err
	}
	if uri := list["URI"]; list["METHOD"].text != "AES-128" || !uri.quoted || uri.text == "" {
		return l.errorf(107, "EXT-X-SESSION-KEY is not AES-128 with a quoted URI")
	}
	r.master.SessionKeys = append(r.master.SessionKeys, list["URI"].text)
	return nil
}

func (r *masterReader) rendition(l line) error {
	list, err := l.attributes()
	if err != nil {
		return err
	}
	for _, name := range []string{"GROUP-ID", "NAME"} {
		if a := list[name]; !a.quoted || a.text == "" {
			return l.errorf(73, "EXT-X-MEDIA has no quoted %s", name)
		}
	}
	kind := list["TYPE"].text
	if kind != "AUDIO" && kind != "SUBTITLES" {
		return nil
	}
	out := Rendition{
		Group: list["GROUP-ID"].text, Name: list["NAME"].text, Language: list["LANGUAGE"].text, URI: list["URI"].text,
		Default: list["DEFAULT"].text == "YES", Autoselect: list["AUTOSELECT"].text == "YES",
		Characteristics: list["CHARACTERISTICS"].text, Forced: list["FORCED"].text == "YES",
	}
	if out.Language == "" || out.URI == "" {
		return l.errorf(74, "EXT-X-MEDIA has no LANGUAGE or no URI")
	}
	if channels, ok := list["CHANNELS"]; ok {
		count, _, _ := strings.Cut(channels.text, "/")
		if out.Channels, ok = parseInt(count); !ok || !channels.quoted {
			return l.errorf(74, "CHANNELS does not begin with a number")
		}
	}
	if kind == "AUDIO" {
		r.master.Audio = append(r.master.Audio, out)
	} else {
		r.master.Subtitles = append(r.master.Subtitles, out)
	}
	return nil
}

func (r *masterReader) streamInf(l line) error {
	list, err := l.attributes()
	if err != nil {
		return err
	}
	v, err := l.variant(list)
	if err != nil {
		return err
	}
	v.Audio, v.Subtitles = list["AUDIO"].text, list["SUBTITLES"].text
	v.NoCaptions = list["CLOSED-CAPTIONS"] == attribute{text: "NONE"}
	if rate, there := list["FRAME-RATE"]; there {
		if _, ok := parseSeconds(rate.text); !ok {
			return l.errorf(66, "FRAME-RATE is not a decimal number")
		}
		if v.FrameRate, err = strconv.ParseFloat(rate.text, 64); err != nil || v.FrameRate == 0 {
			return l.errorf(66, "FRAME-RATE is not a positive decimal number")
		}
	}
	r.variant = &v
	return nil
}

// variant reads what variants and lists of I-frames have alike.
func (l line) variant(list map[string]attribute) (v Variant, err error) {
	v.VideoRange = list["VIDEO-RANGE"].text
	var ok bool
	if v.Bandwidth, ok = parseInt(list["BANDWIDTH"].text); !ok || v.Bandwidth == 0 {
		return v, l.errorf(60, "BANDWIDTH is not a positive whole number")
	}
	if v.Average, ok = parseInt(list["AVERAGE-BANDWIDTH"].text); !ok || v.Average == 0 {
		return v, l.errorf(62, "AVERAGE-BANDWIDTH is not a positive whole number")
	}
	codecs := list["CODECS"]
	if !codecs.quoted || codecs.text == "" {
		return v, l.errorf(64, "no quoted CODECS")
	}
	v.Codecs = strings.Split(codecs.text, ",")
	if size, there := list["RESOLUTION"]; there {
		width, height, _ := strings.Cut(size.text, "x")
		v.Width, ok = parseInt(width)
		var ok2 bool
		v.Height, ok2 = parseInt(height)
		if !ok || !ok2 || v.Width == 0 || v.Height == 0 {
			return v, l.errorf(65, "RESOLUTION is not WIDTHxHEIGHT")
		}
	}
	return v, nil
}

func (r *masterReader) iFrames(l line) error {
	list, err := l.attributes()
	if err != nil {
		return err
	}
	v, err := l.variant(list)
	if err != nil {
		return err
	}
	if uri := list["URI"]; !uri.quoted || uri.text == "" {
		return l.errorf(84, "EXT-X-I-FRAME-STREAM-INF has no quoted URI")
	}
	if v.Width == 0 {
		return l.errorf(65, "EXT-X-I-FRAME-STREAM-INF has no RESOLUTION")
	}
	for _, name := range []string{"FRAME-RATE", "AUDIO", "SUBTITLES", "CLOSED-CAPTIONS"} {
		if _, there := list[name]; there {
			return l.errorf(84, "EXT-X-I-FRAME-STREAM-INF has %s", name)
		}
	}
	r.master.IFrames = append(r.master.IFrames, IFrames{
		Bandwidth: v.Bandwidth, Average: v.Average, Codec: strings.Join(v.Codecs, ","),
		Width: v.Width, Height: v.Height, VideoRange: v.VideoRange, URI: list["URI"].text,
	})
	return nil
}
