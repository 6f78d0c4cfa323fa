package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/survey"
	"github.com/spool-video/spool/internal/survey/m3u8"
)

// once are the tags of rule 3.
var once = []string{
	"EXT-X-VERSION", "EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE", "EXT-X-ENDLIST",
	"EXT-X-PLAYLIST-TYPE", "EXT-X-I-FRAMES-ONLY", "EXT-X-INDEPENDENT-SEGMENTS", "EXT-X-START",
}

// onceOnly is rule 3: tags of a whole playlist are there once.
func onceOnly(j judge, l *survey.List) {
	seen := map[string]bool{}
	for _, t := range l.Tags {
		if seen[t.Name] && slices.Contains(once, t.Name) {
			j.says(at(l, t.Line), "%s is there twice", t.Name)
		}
		seen[t.Name] = true
	}
}

// The tags of rule 4.
var (
	ofMedia = []string{
		"EXTINF", "EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE", "EXT-X-ENDLIST",
		"EXT-X-PLAYLIST-TYPE", "EXT-X-I-FRAMES-ONLY", "EXT-X-BYTERANGE", "EXT-X-DISCONTINUITY", "EXT-X-KEY", "EXT-X-MAP",
		"EXT-X-PROGRAM-DATE-TIME", "EXT-X-GAP", "EXT-X-BITRATE", "EXT-X-DATERANGE",
	}
	ofMultivariant = []string{
		"EXT-X-STREAM-INF", "EXT-X-I-FRAME-STREAM-INF", "EXT-X-MEDIA", "EXT-X-SESSION-DATA", "EXT-X-SESSION-KEY", "EXT-X-CONTENT-STEERING",
	}
)

// unmixed is rule 4: a playlist is of one kind.
func unmixed(j judge, l *survey.List) {
	foreign, kind := ofMultivariant, "media"
	if l.Multivariant() {
		foreign, kind = ofMedia, "multivariant"
	}
	for _, t := range l.Tags {
		if slices.Contains(foreign, t.Name) {
			j.says(at(l, t.Line), "%s does not belong in a %s playlist", t.Name, kind)
		}
	}
	if l != j.Root && l.Multivariant() {
		j.says(at(l, 0), "a variant leads to a multivariant playlist")
	}
}

// version is rule 5: the version is at least what the tags need.
func version(j judge, l *survey.List) {
	needed, what := 1, ""
	for _, t := range l.Tags {
		if n := neededBy(t, l.IFrames); n > needed {
			needed, what = n, t.Name
		}
	}
	if l.Version < needed {
		j.differs(at(l, l.First("EXT-X-VERSION").Line), fmt.Sprintf("%s needs version %d", what, needed), l.Version, nil)
	}
}

// neededBy is the version that a tag needs, rfc8216bis section 8.
func neededBy(t m3u8.Tag, iFrames bool) int {
	needed := 1
	need := func(version int, when bool) {
		if when {
			needed = max(needed, version)
		}
	}
	switch t.Name {
	case "EXTINF":
		duration, _, _ := strings.Cut(t.Value, ",")
		need(3, strings.Contains(duration, "."))
	case "EXT-X-BYTERANGE", "EXT-X-I-FRAMES-ONLY":
		need(4, true)
	case "EXT-X-MAP":
		need(5, true)
		need(6, !iFrames)
	case "EXT-X-KEY":
		need(2, t.Has("IV"))
		need(5, t.Has("KEYFORMAT") || t.Has("KEYFORMATVERSIONS") || t.Get("METHOD") == "SAMPLE-AES")
	case "EXT-X-MEDIA":
		need(7, strings.HasPrefix(t.Get("INSTREAM-ID"), "SERVICE"))
	case "EXT-X-DEFINE":
		need(8, true)
		need(11, t.Has("QUERYPARAM"))
	}
	need(12, slices.ContainsFunc(t.Names(), func(name string) bool { return strings.HasPrefix(name, "REQ-") }))
	return needed
}

// hasTarget is rule 6: there is a target duration.
func hasTarget(j judge, l *survey.List) {
	if !l.Has("EXT-X-TARGETDURATION") {
		j.says(at(l, 0), "there is no EXT-X-TARGETDURATION")
	}
}

// fitsTarget is rule 7: a rounded EXTINF is at most the target duration.
func fitsTarget(j judge, l *survey.List) {
	if l.Target == 0 {
		return
	}
	for _, s := range l.Segments {
		if (s.Duration+time.Second/2)/time.Second > time.Duration(l.Target) {
			j.differs(at(l, s.Line), "the segment is longer than the target duration", fmt.Sprintf("%d s", l.Target), seconds(s.Duration))
		}
	}
}

// fitsUnrounded is rule 7: up to version 5 players read the target duration as
// what no segment is longer than.
func fitsUnrounded(j judge, l *survey.List) {
	const rounded = 6
	if l.Target == 0 || l.Version >= rounded {
		return
	}
	for _, s := range l.Segments {
		if s.Duration > time.Duration(l.Target)*time.Second+rounding {
			j.differs(at(l, s.Line), "up to version 5 the target duration is a maximum without rounding, and the segment is longer", fmt.Sprintf("%d s", l.Target), seconds(s.Duration))
			return
		}
	}
}

// usualTarget is rule 9: the target duration is 6 s. It is told once: rule 11
// sees to it that all are the same.
func usualTarget(j judge) {
	for _, l := range j.Lists {
		if isStream(l) && l.Target > 0 {
			if l.Target != 6 {
				j.differs(at(l, l.First("EXT-X-TARGETDURATION").Line), "the target duration is not 6 s", fmt.Sprintf("%d s", l.Target), nil)
			}
			return
		}
	}
}

// sameTarget is rule 11: pictures and sound have one target duration.
func sameTarget(j judge) {
	var first *survey.List
	for _, l := range j.Lists {
		switch {
		case !isStream(l) || l.Target == 0:
		case first == nil:
			first = l
		case l.Target != first.Target:
			j.differs(at(l, l.First("EXT-X-TARGETDURATION").Line), "the target duration is not that of "+first.Name,
				fmt.Sprintf("%d s", l.Target), fmt.Sprintf("%d s", first.Target))
		}
	}
}

// complete is rule 13: what has ended is VOD, and what is VOD has ended.
func complete(j judge, l *survey.List) {
	switch {
	case l.Type == "VOD" && !l.Ended:
		j.says(at(l, 0), "the playlist is VOD and has no EXT-X-ENDLIST")
	case l.Type == "" && l.Ended:
		j.says(at(l, 0), "the playlist has ended and is not marked as VOD")
	}
}

// sameType is rule 14: one type for all.
func sameType(j judge) {
	var first *survey.List
	for _, l := range j.Lists {
		if l.Missing == "" && l.Type != "" && first == nil {
			first = l
		}
	}
	for _, l := range j.Lists {
		if first != nil && l.Missing == "" && l.Type != first.Type {
			j.differs(at(l, 0), "the playlist type is not that of "+first.Name, strconv.Quote(l.Type), strconv.Quote(first.Type))
		}
	}
}

// reachable is rule 18: every playlist that is named is there.
func reachable(j judge, l *survey.List) {
	if l != j.Root {
		return
	}
	for _, v := range j.Variants {
		j.missing(v.Line, v.URI, v.List)
	}
	for _, r := range j.Renditions {
		j.missing(r.Line, r.Get("URI"), r.List)
	}
	for _, m := range j.Lists {
		if m.Missing == "" && len(m.Segments) == 0 && !m.Multivariant() {
			j.says(at(m, 0), "the playlist names no segment")
		}
	}
}

func (j judge) missing(line int, uri string, l *survey.List) {
	switch {
	case uri == "":
	case l == nil:
		j.says(at(j.Root, line), "%q leads nowhere", bare(uri))
	case l.Missing != "":
		j.says(at(j.Root, line), "%s cannot be read: %s", l.Name, l.Missing)
	}
}

// clocks is rule 21: wall-clock times are in all playlists or in none.
func clocks(j judge) {
	var with, without []*survey.List
	for _, l := range j.Lists {
		if l.Missing != "" || l.Multivariant() {
			continue
		}
		if l.Has("EXT-X-PROGRAM-DATE-TIME") {
			with = append(with, l)
			continue
		}
		without = append(without, l)
		if t := l.First("EXT-X-DATERANGE"); t.Line > 0 {
			j.says(at(l, t.Line), "EXT-X-DATERANGE stands in a playlist without EXT-X-PROGRAM-DATE-TIME")
		}
	}
	for _, l := range with[min(len(with), 1):] {
		a, b := with[0].Segments, l.Segments
		if l.Growing() || len(a) == 0 || len(b) == 0 || a[0].Clock.IsZero() || b[0].Clock.IsZero() {
			continue
		}
		if a[0].Clock.Sub(b[0].Clock).Abs() > time.Second {
			j.differs(at(l, b[0].Line), "the date of the first segment is not that of "+with[0].Name, b[0].Clock, a[0].Clock)
		}
	}
	for _, l := range without {
		if len(with) > 0 {
			j.says(at(l, 0), "there is no EXT-X-PROGRAM-DATE-TIME, and %s has it", with[0].Name)
		}
	}
}

// bitRate is rule 22: EXT-X-BITRATE is near to the truth.
func bitRate(j judge, l *survey.List, p *survey.Part) {
	if p.BitRate == 0 || p.Duration <= 0 || p.Range != nil {
		return
	}
	_, rate := hls.Rates([]hls.Weight{{Bytes: p.File.Size, Duration: p.Duration}}, l.Target)
	if declared := p.BitRate * 1000; declared*10 < rate*9 || declared*10 > rate*11 {
		j.differs(at(l, p.Line), "EXT-X-BITRATE is not within 10 %", bits(declared), bits(rate))
	}
}

// startBeforeEdge is rule 24: players do not begin at the very end of a list
// that grows.
func startBeforeEdge(j judge, l *survey.List) {
	t := l.First("EXT-X-START")
	offset, err := strconv.ParseFloat(t.Get("TIME-OFFSET"), 64)
	if t.Line == 0 || err != nil || !l.Growing() {
		return
	}
	if offset < 0 {
		offset += l.Length().Seconds()
	}
	if edge := l.Length().Seconds() - 3*float64(l.Target); offset > max(edge, 0) {
		j.differs(at(l, t.Line), "EXT-X-START lies within three target durations of the end", t.Get("TIME-OFFSET"), nil)
	}
}

func bits(rate int) string { return fmt.Sprintf("%.6g kbit/s", float64(rate)/1000) }
