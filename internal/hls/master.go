package hls

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Master is a multivariant playlist.
type Master struct {
	Version     int
	Independent bool     // EXT-X-INDEPENDENT-SEGMENTS
	SessionKeys []string // URIs of EXT-X-SESSION-KEYs of AES-128: what players may fetch before any media playlist
	Audio       []Rendition
	Subtitles   []Rendition
	Variants    []Variant // the first is where players begin
	IFrames     []IFrames
}

// IFrames is one EXT-X-I-FRAME-STREAM-INF: a list of pictures to look for a
// place by.
type IFrames struct {
	Bandwidth     int    // bits per second, measured as that of variants
	Average       int    // bits per second
	Codec         string // RFC 6381
	Width, Height int    // pixels
	VideoRange    string // "SDR"
	URI           string
}

// Rendition is one EXT-X-MEDIA, of TYPE=AUDIO or SUBTITLES.
type Rendition struct {
	Group      string
	Name       string // as people read it: "English"
	Language   string // RFC 5646: "en", "und"
	Default    bool
	Autoselect bool
	// Characteristics are media characteristic tags, separated by commas:
	// "public.accessibility.describes-video".
	Characteristics string
	Channels        int  // of audio
	Forced          bool // of subtitles
	URI             string
}

// Variant is one EXT-X-STREAM-INF.
type Variant struct {
	Bandwidth  int      // bits per second: the measured peak with the heaviest audio
	Average    int      // bits per second
	Codecs     []string // RFC 6381, of everything the variant plays
	Width      int      // pixels; 0 for audio alone
	Height     int      // pixels; 0 for audio alone
	FrameRate  float64  // frames per second, to 3 decimals; 0 for audio alone
	VideoRange string   // "SDR"; "" for audio alone
	Audio      string   // group, or ""
	Subtitles  string   // group, or ""
	NoCaptions bool     // CLOSED-CAPTIONS=NONE
	URI        string
}

// FirstRate is the average rate, in bits per second, that the first variant
// should be near to (rule 70).
const FirstRate = 2_000_000

// NameKey names the key of the first segments, so that players can fetch it
// together with the media playlists (rule 107). A URI that is relative means
// another address in each playlist: it is not named.
func (m *Master) NameKey(uri string) {
	if strings.HasPrefix(uri, "/") || strings.Contains(uri, "://") {
		m.SessionKeys = []string{uri}
	}
}

// Order puts the variant whose average rate is nearest to FirstRate first and
// the others after it, the heaviest first.
func Order(variants []Variant) {
	slices.SortStableFunc(variants, func(a, b Variant) int { return cmp.Compare(b.Average, a.Average) })
	first := 0
	for i, v := range variants {
		if distance(v.Average) < distance(variants[first].Average) {
			first = i
		}
	}
	if first == 0 {
		return
	}
	v := variants[first]
	copy(variants[1:first+1], variants[:first])
	variants[0] = v
}

func distance(rate int) int {
	return max(rate-FirstRate, FirstRate-rate)
}

// Encode writes the playlist, audio renditions first.
func (m Master) Encode() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-VERSION:%d\n", m.Version)
	if m.Independent {
		b.WriteString("#EXT-X-INDEPENDENT-SEGMENTS\n")
	}
	for _, uri := range m.SessionKeys {
		if uri == "" || !quotable(uri) {
			return nil, fmt.Errorf("encode master playlist: the URI of a session key cannot be quoted")
		}
		fmt.Fprintf(&b, "#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"%s\"\n", uri)
	}
	for _, r := range m.Audio {
		if err := r.encode(&b, "AUDIO"); err != nil {
			return nil, fmt.Errorf("encode master playlist: audio %s: %w", r.URI, err)
		}
	}
	for _, r := range m.Subtitles {
		if err := r.encode(&b, "SUBTITLES"); err != nil {
			return nil, fmt.Errorf("encode master playlist: subtitles %s: %w", r.URI, err)
		}
	}
	for _, v := range m.Variants {
		if err := v.encode(&b); err != nil {
			return nil, fmt.Errorf("encode master playlist: variant %s: %w", v.URI, err)
		}
	}
	for _, i := range m.IFrames {
		if err := i.encode(&b); err != nil {
			return nil, fmt.Errorf("encode master playlist: I-frames %s: %w", i.URI, err)
		}
	}
	return b.Bytes(), nil
}

func (i IFrames) encode(b *bytes.Buffer) error {
	for _, s := range []string{i.Codec, i.VideoRange, i.URI} {
		if s == "" || !quotable(s) {
			return fmt.Errorf("%q cannot be quoted", s)
		}
	}
	if i.Bandwidth <= 0 || i.Average <= 0 || i.Width <= 0 || i.Height <= 0 {
		return fmt.Errorf("rates and size must be known")
	}
	fmt.Fprintf(b, "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=%d,AVERAGE-BANDWIDTH=%d,CODECS=\"%s\",RESOLUTION=%dx%d,VIDEO-RANGE=%s,URI=\"%s\"\n",
		i.Bandwidth, i.Average, i.Codec, i.Width, i.Height, i.VideoRange, i.URI)
	return nil
}

func (r Rendition) encode(b *bytes.Buffer, kind string) error {
	for _, s := range []string{r.Group, r.Name, r.Language, r.URI} {
		if s == "" || !quotable(s) {
			return fmt.Errorf("%q cannot be quoted", s)
		}
	}
	if !quotable(r.Characteristics) {
		return fmt.Errorf("%q cannot be quoted", r.Characteristics)
	}
	fmt.Fprintf(b, "#EXT-X-MEDIA:TYPE=%s,GROUP-ID=\"%s\",NAME=\"%s\",LANGUAGE=\"%s\",DEFAULT=%s,AUTOSELECT=%s",
		kind, r.Group, r.Name, r.Language, yesNo(r.Default), yesNo(r.Autoselect))
	if r.Forced {
		b.WriteString(",FORCED=YES")
	}
	if r.Characteristics != "" {
		fmt.Fprintf(b, ",CHARACTERISTICS=\"%s\"", r.Characteristics)
	}
	if r.Channels > 0 {
		fmt.Fprintf(b, ",CHANNELS=\"%d\"", r.Channels)
	}
	fmt.Fprintf(b, ",URI=\"%s\"\n", r.URI)
	return nil
}

func (v Variant) encode(b *bytes.Buffer) error {
	codecs := strings.Join(v.Codecs, ",")
	for _, s := range []string{codecs, v.Audio, v.Subtitles, v.VideoRange} {
		if !quotable(s) {
			return fmt.Errorf("%q cannot be quoted", s)
		}
	}
	if !standsAlone(v.URI) {
		return fmt.Errorf("URI cannot stand on a line")
	}
	if codecs == "" || v.Bandwidth <= 0 || v.Average <= 0 {
		return fmt.Errorf("codecs and rates must be known")
	}
	fmt.Fprintf(b, "#EXT-X-STREAM-INF:BANDWIDTH=%d,AVERAGE-BANDWIDTH=%d,CODECS=\"%s\"", v.Bandwidth, v.Average, codecs)
	if v.Width > 0 {
		fmt.Fprintf(b, ",RESOLUTION=%dx%d", v.Width, v.Height)
	}
	if v.FrameRate > 0 {
		fmt.Fprintf(b, ",FRAME-RATE=%.3f", v.FrameRate)
	}
	if v.VideoRange != "" {
		fmt.Fprintf(b, ",VIDEO-RANGE=%s", v.VideoRange)
	}
	if v.Audio != "" {
		fmt.Fprintf(b, ",AUDIO=\"%s\"", v.Audio)
	}
	if v.Subtitles != "" {
		fmt.Fprintf(b, ",SUBTITLES=\"%s\"", v.Subtitles)
	}
	if v.NoCaptions {
		b.WriteString(",CLOSED-CAPTIONS=NONE")
	}
	fmt.Fprintf(b, "\n%s\n", v.URI)
	return nil
}

func yesNo(b bool) string {
	if b {
		return "YES"
	}
	return "NO"
}
