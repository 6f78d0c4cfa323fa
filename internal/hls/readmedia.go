package hls

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// mediaReader is the state of ParseMedia.
type mediaReader struct {
	media    Media
	seen     map[string]bool
	duration *time.Duration // of the next URI
	bytes    *Range         // of the next URI
	key      *Key           // of the segments from here on
	keyed    bool           // some key was there
	minimum  int            // the version that the tags need
}

// once are the tags that may occur only once (rule 3).
var once = map[string]bool{
	"#EXT-X-VERSION": true, "#EXT-X-TARGETDURATION": true, "#EXT-X-MEDIA-SEQUENCE": true,
	"#EXT-X-DISCONTINUITY-SEQUENCE": true, "#EXT-X-ENDLIST": true, "#EXT-X-PLAYLIST-TYPE": true,
	"#EXT-X-I-FRAMES-ONLY": true, "#EXT-X-INDEPENDENT-SEGMENTS": true, "#EXT-X-START": true,
}

// foreign are media tags whose meaning this package does not know; passing
// them over would misread the playlist.
var foreign = map[string]bool{
	"#EXT-X-DISCONTINUITY": true, "#EXT-X-DISCONTINUITY-SEQUENCE": true,
	"#EXT-X-GAP": true, "#EXT-X-PART": true, "#EXT-X-SKIP": true, "#EXT-X-DEFINE": true,
}

// ParseMedia reads a media playlist as strictly as the rules about playlist
// text are. Its errors are *SyntaxError. Tags that nobody knows are passed
// over; discontinuities and the like are refused, and so are byte ranges but
// for those of I-frames.
func ParseMedia(text []byte) (Media, error) {
	lines, err := scan(text)
	if err != nil {
		return Media{}, err
	}
	r := mediaReader{seen: map[string]bool{}, media: Media{Version: 1}, minimum: 1}
	last := line{number: 1}
	for _, l := range lines {
		if err := r.line(l); err != nil {
			return Media{}, err
		}
		last = l
	}
	return r.media, r.finish(last)
}

func (r *mediaReader) finish(last line) error {
	switch {
	case r.duration != nil || r.bytes != nil:
		return last.errorf(18, "EXTINF without a URI after it")
	case !r.seen["#EXT-X-TARGETDURATION"]:
		return last.errorf(6, "no EXT-X-TARGETDURATION")
	case r.media.Version < r.minimum:
		return last.errorf(5, "EXT-X-VERSION is %d, the tags need %d", r.media.Version, r.minimum)
	}
	for i, s := range r.media.Segments {
		if tooLong(s.Duration, r.media.Target) {
			return last.errorf(7, "segment %d is %v long, more than the target of %d s", i, s.Duration, r.media.Target)
		}
	}
	return nil
}

func (r *mediaReader) line(l line) error {
	if l.name == "" {
		return r.uri(l)
	}
	if once[l.name] && r.seen[l.name] {
		return l.errorf(3, "%s is there twice", l.name)
	}
	r.seen[l.name] = true
	switch l.name {
	case "#EXT-X-VERSION":
		return l.whole(&r.media.Version, 1, 5)
	case "#EXT-X-TARGETDURATION":
		return l.whole(&r.media.Target, 1, 6)
	case "#EXT-X-MEDIA-SEQUENCE":
		return l.whole(&r.media.Sequence, 0, 3)
	case "#EXT-X-PLAYLIST-TYPE":
		r.media.VOD, r.media.Event = l.value == "VOD", l.value == "EVENT"
		if !r.media.VOD && !r.media.Event {
			return l.errorf(13, "PLAYLIST-TYPE is neither VOD nor EVENT")
		}
	case "#EXT-X-START":
		return r.start(l)
	case "#EXT-X-INDEPENDENT-SEGMENTS":
		r.media.Independent = true
	case "#EXT-X-ENDLIST":
		r.media.Ended = true
	case "#EXT-X-MAP":
		return r.initSection(l)
	case "#EXT-X-KEY":
		return r.newKey(l)
	case "#EXTINF":
		return r.inf(l)
	case "#EXT-X-I-FRAMES-ONLY":
		r.media.IFrames = true
		r.minimum = max(r.minimum, 4)
	case "#EXT-X-BYTERANGE":
		return r.byteRange(l)
	case "#EXT-X-MEDIA", "#EXT-X-STREAM-INF", "#EXT-X-I-FRAME-STREAM-INF", "#EXT-X-SESSION-KEY", "#EXT-X-SESSION-DATA", "#EXT-X-CONTENT-STEERING":
		return l.errorf(4, "%s does not belong in a media playlist", l.name)
	}
	if foreign[l.name] {
		return l.errorf(4, "%s is not supported", l.name)
	}
	return nil
}

// start reads where players begin. Offsets other than 0 are read and not kept.
func (r *mediaReader) start(l line) error {
	list, err := l.attributes()
	if err != nil {
		return err
	}
	offset, negative := strings.CutPrefix(list["TIME-OFFSET"].text, "-")
	seconds, ok := parseSeconds(offset)
	if !ok || list["TIME-OFFSET"].quoted {
		return l.errorf(24, "TIME-OFFSET is not a decimal number")
	}
	r.media.FromStart = seconds == 0 && !negative
	return nil
}

func (r *mediaReader) uri(l line) error {
	if r.duration == nil {
		return l.errorf(18, "a URI without EXTINF")
	}
	r.media.Segments = append(r.media.Segments, Segment{URI: l.value, Duration: *r.duration, Key: r.key, Range: r.bytes})
	r.duration, r.bytes = nil, nil
	return nil
}

// byteRange reads which part of its segment an I-frame is.
func (r *mediaReader) byteRange(l line) error {
	length, offset, there := strings.Cut(l.value, "@")
	n, ok := parseInt(length)
	at, ok2 := parseInt(offset)
	switch {
	case !r.media.IFrames:
		return l.errorf(4, "EXT-X-BYTERANGE is supported for I-frames only")
	case !there || !ok || !ok2 || n == 0 || r.bytes != nil:
		return l.errorf(18, "EXT-X-BYTERANGE is not one length@offset")
	}
	r.bytes = &Range{Offset: int64(at), Length: int64(n)}
	return nil
}

func (r *mediaReader) inf(l line) error {
	if r.duration != nil {
		return l.errorf(18, "EXTINF without a URI after it")
	}
	seconds, _, comma := strings.Cut(l.value, ",")
	d, ok := parseSeconds(seconds)
	if !ok || !comma {
		return l.errorf(18, "EXTINF is not a duration and a comma")
	}
	if strings.Contains(seconds, ".") {
		r.minimum = max(r.minimum, 3)
	}
	r.duration = &d
	return nil
}

func (r *mediaReader) initSection(l line) error {
	list, err := l.attributes()
	if err != nil {
		return err
	}
	uri := list["URI"]
	switch {
	case !uri.quoted || uri.text == "":
		return l.errorf(41, "EXT-X-MAP has no quoted URI")
	case r.media.Map != "" || len(r.media.Segments) > 0:
		return l.errorf(41, "EXT-X-MAP is not the only one before the first segment")
	case r.keyed:
		return l.errorf(102, "EXT-X-MAP comes after a key, so its file would be encrypted")
	}
	if _, ranged := list["BYTERANGE"]; ranged {
		return l.errorf(18, "EXT-X-MAP with BYTERANGE is not supported")
	}
	r.media.Map = uri.text
	r.minimum = max(r.minimum, 6)
	return nil
}

func (r *mediaReader) newKey(l line) error {
	list, err := l.attributes()
	if err != nil {
		return err
	}
	r.keyed = true
	switch method := list["METHOD"]; {
	case method.text == "NONE" && len(list) == 1:
		r.key = nil
		return nil
	case method.text == "NONE":
		return l.errorf(106, "METHOD=NONE with other attributes")
	case method.text != "AES-128" || method.quoted:
		return l.errorf(106, "METHOD is neither NONE nor AES-128")
	}
	uri := list["URI"]
	if !uri.quoted || uri.text == "" {
		return l.errorf(106, "EXT-X-KEY has no quoted URI")
	}
	if format, ok := list["KEYFORMAT"]; ok && format.text != "identity" {
		return l.errorf(106, "KEYFORMAT is not identity")
	}
	r.key = &Key{URI: uri.text}
	iv, ok := list["IV"]
	if !ok {
		return nil
	}
	r.minimum = max(r.minimum, 2)
	digits, prefixed := strings.CutPrefix(strings.ToLower(iv.text), "0x")
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) != 16 || !prefixed || iv.quoted {
		return l.errorf(101, "IV is not 0x and 32 hexadecimal digits")
	}
	r.key.IV = (*[16]byte)(b)
	return nil
}

// whole reads a tag's decimal integer of at least least.
func (l line) whole(to *int, least, rule int) error {
	n, ok := parseInt(l.value)
	if !ok || n < least {
		return l.errorf(rule, "%s is not a whole number from %d up", l.name, least)
	}
	*to = n
	return nil
}

// parseInt reads decimal digits alone, at most 15 of them.
func parseInt(s string) (int, bool) {
	if len(s) > 15 || strings.ContainsFunc(s, notDigit) {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// parseSeconds reads digits, and after a point up to nine more.
func parseSeconds(s string) (time.Duration, bool) {
	whole, fraction, point := strings.Cut(s, ".")
	if (point && fraction == "") || len(fraction) > 9 || len(whole) > 8 {
		return 0, false
	}
	seconds, ok := parseInt(whole)
	if !ok {
		return 0, false
	}
	nanos, ok := parseInt((fraction + "000000000")[:9])
	return time.Duration(seconds)*time.Second + time.Duration(nanos), ok
}

func notDigit(r rune) bool { return r < '0' || r > '9' }
