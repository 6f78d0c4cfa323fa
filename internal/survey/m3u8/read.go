package m3u8

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// reader is the state of Read.
type reader struct {
	scope   Scope
	list    Playlist
	next    Segment // what is known of the segment whose URI has not come yet
	timed   bool    // its EXTINF was there
	key     *Key
	init    *Map
	bitRate int
	variant *Variant // waits for its URI
}

// Scope is where the variables of a playlist come from, besides itself.
type Scope struct {
	Imported map[string]string // what the multivariant playlist defines
	Query    url.Values        // of the playlist's address
}

// Read understands a playlist that needs nothing from elsewhere.
func Read(text []byte) Playlist { return Scope{}.Read(text) }

// Read understands a playlist as far as it can be understood.
func (s Scope) Read(text []byte) Playlist {
	r := reader{scope: s, list: Playlist{Version: 1, lastByURI: map[string]int64{}, Defined: map[string]string{}}}
	r.list.Tags = r.split(text)
	for _, t := range r.list.Tags {
		if t.Name == "" {
			r.uri(t)
			continue
		}
		if r.variant != nil {
			r.wrong(r.variant.Line, 60, "EXT-X-STREAM-INF has no URI right after it")
			r.list.Variants = append(r.list.Variants, *r.variant)
			r.variant = nil
		}
		if read := readers[t.Name]; read != nil {
			read(&r, t)
		}
	}
	if r.timed {
		r.wrong(r.next.Line, 18, "no URI follows EXTINF")
	}
	if r.variant != nil {
		r.wrong(r.variant.Line, 60, "no URI follows EXT-X-STREAM-INF")
		r.list.Variants = append(r.list.Variants, *r.variant)
	}
	return r.list
}

// readers say what a tag means. What is not among them is kept as a tag only.
var readers = map[string]func(*reader, Tag){
	"EXT-X-VERSION":            func(r *reader, t Tag) { r.whole(t, &r.list.Version, 1, 5) },
	"EXT-X-TARGETDURATION":     func(r *reader, t Tag) { r.whole(t, &r.list.Target, 1, 6) },
	"EXT-X-MEDIA-SEQUENCE":     func(r *reader, t Tag) { r.whole(t, &r.list.Sequence, 0, 3) },
	"EXT-X-BITRATE":            func(r *reader, t Tag) { r.whole(t, &r.bitRate, 0, 22) },
	"EXT-X-ENDLIST":            func(r *reader, _ Tag) { r.list.Ended = true },
	"EXT-X-I-FRAMES-ONLY":      func(r *reader, _ Tag) { r.list.IFrames = true },
	"EXT-X-DISCONTINUITY":      func(r *reader, _ Tag) { r.next.Discontinuity = true },
	"EXT-X-GAP":                func(r *reader, _ Tag) { r.next.Gap = true },
	"EXT-X-MEDIA":              func(r *reader, t Tag) { r.list.Renditions = append(r.list.Renditions, t) },
	"EXT-X-PLAYLIST-TYPE":      (*reader).kind,
	"EXTINF":                   (*reader).inf,
	"EXT-X-BYTERANGE":          (*reader).byteRange,
	"EXT-X-KEY":                (*reader).newKey,
	"EXT-X-SESSION-KEY":        (*reader).sessionKey,
	"EXT-X-MAP":                (*reader).newMap,
	"EXT-X-PROGRAM-DATE-TIME":  (*reader).clock,
	"EXT-X-STREAM-INF":         (*reader).streamInf,
	"EXT-X-I-FRAME-STREAM-INF": (*reader).iFrameInf,
}

func (r *reader) wrong(line, rule int, text string) {
	r.list.Problems = append(r.list.Problems, Problem{Line: line, Rule: rule, Text: text})
}

// uri ends a segment or a variant.
func (r *reader) uri(t Tag) {
	if r.variant != nil {
		r.variant.URI = t.Value
		r.list.Variants = append(r.list.Variants, *r.variant)
		r.variant = nil
		return
	}
	if !r.timed {
		r.wrong(t.Line, 18, "a URI stands without EXTINF or EXT-X-STREAM-INF before it")
		if r.list.Multivariant() {
			return
		}
	}
	s := r.next
	s.Line, s.URI, s.Key, s.Map, s.BitRate = t.Line, t.Value, r.key, r.init, r.bitRate
	if s.Range != nil {
		if s.Range.Offset < 0 {
			if last, known := r.list.lastByURI[t.Value]; known {
				s.Range.Offset = last
			} else {
				r.wrong(t.Line, 18, "EXT-X-BYTERANGE has no offset, and no range of this file came before")
				s.Range.Offset = 0
			}
		}
		r.list.lastByURI[t.Value] = s.Range.Offset + s.Range.Length
	}
	r.list.Segments = append(r.list.Segments, s)
	r.next, r.timed = Segment{}, false
}

func (r *reader) inf(t Tag) {
	if r.timed {
		r.wrong(t.Line, 18, "EXTINF stands where a URI is due")
	}
	text, _, comma := strings.Cut(t.Value, ",")
	d, ok := seconds(text)
	if !ok || !comma {
		r.wrong(t.Line, 18, "EXTINF is not a duration and a comma")
	}
	r.next.Duration, r.next.Line, r.timed = d, t.Line, true
}

func (r *reader) kind(t Tag) {
	if t.Value != "VOD" && t.Value != "EVENT" {
		r.wrong(t.Line, 13, "EXT-X-PLAYLIST-TYPE is neither VOD nor EVENT")
	}
	r.list.Type = t.Value
}

func (r *reader) clock(t Tag) {
	at, err := time.Parse("2006-01-02T15:04:05.999999999Z07:00", t.Value)
	if err != nil {
		at, err = time.Parse("2006-01-02T15:04:05.999999999Z0700", t.Value)
	}
	if err != nil {
		r.wrong(t.Line, 21, "EXT-X-PROGRAM-DATE-TIME is no date and time of ISO 8601")
	}
	r.next.Clock = at
}

func (r *reader) byteRange(t Tag) {
	if r.next.Range != nil {
		r.wrong(t.Line, 18, "a segment has two byte ranges")
	}
	r.next.Range = r.rangeOf(t.Line, t.Value)
}

// rangeOf reads "length@offset"; the offset is -1 when it is left out.
func (r *reader) rangeOf(line int, text string) *Range {
	length, offset, explicit := strings.Cut(text, "@")
	got := Range{Offset: -1}
	var ok, ok2 bool
	got.Length, ok = number(length)
	if ok2 = !explicit; explicit {
		got.Offset, ok2 = number(offset)
	}
	if !ok || !ok2 {
		r.wrong(line, 18, "the byte range is not LENGTH or LENGTH@OFFSET")
		return nil
	}
	return &got
}

func (r *reader) newMap(t Tag) {
	m := &Map{Line: t.Line, URI: t.Get("URI"), Key: r.key}
	if m.URI == "" || !t.Attrs["URI"].Quoted {
		r.wrong(t.Line, 41, "EXT-X-MAP has no quoted URI")
	}
	if t.Has("BYTERANGE") {
		if m.Range = r.rangeOf(t.Line, t.Get("BYTERANGE")); m.Range != nil {
			m.Range.Offset = max(m.Range.Offset, 0)
			r.list.lastByURI[m.URI] = m.Range.Offset + m.Range.Length
		}
	}
	r.init = m
}

func (r *reader) newKey(t Tag) {
	r.key = r.keyOf(t)
}

func (r *reader) sessionKey(t Tag) {
	if k := r.keyOf(t); k != nil {
		r.list.SessionKeys = append(r.list.SessionKeys, *k)
	}
}

// keyOf reads a key; nil for METHOD=NONE.
func (r *reader) keyOf(t Tag) *Key {
	k := &Key{Line: t.Line, Method: t.Get("METHOD"), URI: t.Get("URI"), Format: "identity"}
	if k.Method == "NONE" {
		return nil
	}
	if f := t.Get("KEYFORMAT"); f != "" {
		k.Format = f
	}
	if !t.Has("IV") {
		return k
	}
	text := strings.ToLower(t.Get("IV"))
	digits, prefixed := strings.CutPrefix(text, "0x")
	b, err := hex.DecodeString(strings.Repeat("0", max(0, 32-len(digits))) + digits)
	if err != nil || len(b) != 16 || !prefixed || t.Attrs["IV"].Quoted {
		r.wrong(t.Line, 101, "IV is not 0x and at most 32 hexadecimal digits")
		return k
	}
	k.IV = (*[16]byte)(b)
	return k
}

func (r *reader) streamInf(t Tag) {
	v := r.variantOf(t)
	r.variant = &v
}

func (r *reader) iFrameInf(t Tag) {
	v := r.variantOf(t)
	v.IFrames, v.URI = true, t.Get("URI")
	r.list.Variants = append(r.list.Variants, v)
}

func (r *reader) variantOf(t Tag) Variant {
	v := Variant{Tag: t}
	for name, to := range map[string]*int{"BANDWIDTH": &v.Bandwidth, "AVERAGE-BANDWIDTH": &v.Average} {
		if n, ok := number(t.Get(name)); ok && n > 0 && n < 1<<40 && !t.Attrs[name].Quoted {
			*to = int(n)
		} else if t.Has(name) {
			r.wrong(t.Line, 60, name+" is not a positive whole number")
		}
	}
	if t.Has("RESOLUTION") {
		width, height, _ := strings.Cut(t.Get("RESOLUTION"), "x")
		w, ok := number(width)
		h, ok2 := number(height)
		if !ok || !ok2 || w > 1<<20 || h > 1<<20 {
			r.wrong(t.Line, 65, "RESOLUTION is not WIDTHxHEIGHT")
		}
		v.Width, v.Height = int(w), int(h)
	}
	if t.Has("FRAME-RATE") {
		rate, err := strconv.ParseFloat(t.Get("FRAME-RATE"), 64)
		if _, ok := seconds(t.Get("FRAME-RATE")); !ok || err != nil || rate <= 0 {
			r.wrong(t.Line, 66, "FRAME-RATE is not a positive decimal number")
		} else {
			v.FrameRate = rate
		}
	}
	return v
}

// whole reads a tag's decimal integer of at least least.
func (r *reader) whole(t Tag, to *int, least int64, rule int) {
	n, ok := number(t.Value)
	if !ok || n < least || n > 1<<31-1 {
		r.wrong(t.Line, rule, fmt.Sprintf("%s is not a whole number from %d up", t.Name, least))
		return
	}
	*to = int(n)
}

// number reads decimal digits alone, at most 18 of them.
func number(s string) (int64, bool) {
	if s == "" || len(s) > 18 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// seconds reads digits, and after a point any number more.
func seconds(s string) (time.Duration, bool) {
	whole, fraction, point := strings.Cut(s, ".")
	sec, ok := number(whole)
	if !ok || sec > 1<<30 || point && strings.Trim(fraction, "0123456789") != "" {
		return 0, false
	}
	nanos, ok := number((fraction + "000000000")[:9])
	return time.Duration(sec)*time.Second + time.Duration(nanos), ok
}
