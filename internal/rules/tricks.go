package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spool-video/spool/internal/survey"
	"github.com/spool-video/spool/internal/survey/m3u8"
	"github.com/spool-video/spool/internal/survey/stream"
)

// onlyIFrames is rule 80: an I-frame variant leads to an I-frame playlist.
func onlyIFrames(j judge, s spot, v survey.Variant) {
	if v.List != nil && v.List.Missing == "" && !v.List.IFrames {
		j.says(s, "%s has no EXT-X-I-FRAMES-ONLY", bare(v.URI))
	}
}

// hasIFrames is rule 80: there are I-frame playlists.
func hasIFrames(j judge) {
	seen := false
	for _, v := range j.Variants {
		if v.IFrames {
			return
		}
		seen = seen || pictures(v.List) != nil
	}
	if seen {
		j.says(at(j.Root, 0), "there is no EXT-X-I-FRAME-STREAM-INF")
	}
}

// iFrameDurations is rule 81: an EXTINF leads to the next I-frame.
func iFrameDurations(j judge, l *survey.List) {
	if !l.IFrames {
		return
	}
	neighbours(l, func(before, p *survey.Part) {
		a, b := before.Media.Find(stream.Video), p.Media.Find(stream.Video)
		if a == nil || b == nil {
			return
		}
		from := stream.Time(a.Start, a.Track.Timescale)
		to := stream.Time(b.Start, b.Track.Timescale)
		if d := since(from, to, p.Media.Container); (d - before.Duration).Abs() > frame(j.Package) {
			j.differs(at(l, before.Line), "EXTINF is not the time to the next I-frame", seconds(before.Duration), seconds(d))
		}
	})
}

// iFramesSpan is rule 81: the last I-frame is shown to the end, so that I-frames
// last as long as the pictures.
func iFramesSpan(j judge) {
	var longest time.Duration
	for _, l := range j.Lists {
		if isStream(l) && l.Ended && pictures(l) != nil {
			longest = max(longest, l.Length())
		}
	}
	for _, l := range j.Lists {
		if l.IFrames && l.Ended && l.Missing == "" && longest > 0 && (l.Length()-longest).Abs() > frame(j.Package)+rounding {
			j.differs(at(l, 0), "the I-frames do not last as long as the pictures", seconds(l.Length()), seconds(longest))
		}
	}
}

// iFramesForAll is rule 83: where there are I-frames of H.264 to be had, some of
// them are, since every player shows these.
func iFramesForAll(j judge) {
	h264 := func(v survey.Variant) bool { return strings.Contains(v.Get("CODECS"), "avc") }
	some, want, have := false, false, false
	for _, v := range j.Variants {
		some = some || v.IFrames
		want = want || !v.IFrames && h264(v)
		have = have || v.IFrames && h264(v)
	}
	if some && want && !have {
		j.says(at(j.Root, 0), "there is no I-frame playlist of H.264")
	}
}

// iFramesInSDR is rule 83: not all I-frames are HDR, which not every screen
// shows.
func iFramesInSDR(j judge) {
	some, sdr := false, false
	for _, v := range j.Variants {
		if r := pictures(v.List); v.IFrames && r != nil {
			some, sdr = true, sdr || rangeOf(r.Track) == "SDR"
		}
	}
	if some && !sdr {
		j.says(at(j.Root, 0), "there is no I-frame playlist of SDR")
	}
}

// iFramesDense is rule 83, for Apple: I-frames are there in several rates, and
// one of the playlists has one a second.
func iFramesDense(j judge) {
	if !slices.Contains(j.asked, Apple) {
		return
	}
	n, most := 0, 0.0
	for _, v := range j.Variants {
		if v.IFrames && v.List != nil && len(v.List.Segments) > 0 {
			n++
			most = max(most, float64(len(v.List.Segments))/max(v.List.Length().Seconds(), 1e-3))
		}
	}
	if n == 1 {
		j.says(at(j.Root, 0), "there is one I-frame playlist only")
	}
	if n > 0 && most < 0.95 {
		j.differs(at(j.Root, 0), "no I-frame playlist has a picture a second", nil, fmt.Sprintf("%.3g a second", most))
	}
}

// iFrameRange is rule 82: a range holds one whole I-frame with its header.
func iFrameRange(j judge, l *survey.List, p *survey.Part) {
	if !l.IFrames || p.Range == nil {
		return
	}
	r := p.Media.Find(stream.Video)
	switch {
	case r == nil:
		j.says(at(l, p.Line), "the byte range does not begin with a moof, or with packets")
	case p.Media.Container == stream.MP4 && len(r.Keys) > 0 && r.Keys[0].Size > p.Range.Length:
		j.differs(at(l, p.Line), "the byte range ends before the I-frame does", p.Range.Length, r.Keys[0].Size)
	case p.Media.Container == stream.MP4 && p.Map != nil && p.Map.URI == p.URI && p.Map.Range != nil && p.Range.Offset < p.Map.Range.Offset+p.Map.Range.Length:
		j.says(at(l, p.Line), "the byte range holds some of the init section")
	}
}

// iFrameAttributes is rule 84: attributes of I-frame variants.
func iFrameAttributes(j judge, s spot, v survey.Variant) {
	if v.URI == "" {
		j.says(s, "EXT-X-I-FRAME-STREAM-INF has no URI")
	}
	for _, name := range []string{"FRAME-RATE", "AUDIO", "SUBTITLES", "CLOSED-CAPTIONS"} {
		if v.Has(name) {
			j.says(s, "%s: EXT-X-I-FRAME-STREAM-INF has %s", bare(v.URI), name)
		}
	}
}

// imageSequence is rule 85: pictures for seeking, each a JPEG.
func imageSequence(j judge) {
	const width = 400
	seen := 0
	for _, v := range j.Variants {
		if !v.IFrames || v.Get("CODECS") != "mjpg" {
			continue
		}
		s := at(j.Root, v.Line)
		if seen++; seen > 1 {
			j.says(s, "%s: there is an image sequence already", bare(v.URI))
		}
		if v.Width != width {
			j.differs(s, bare(v.URI)+": the image sequence is not 400 pixels wide", v.Width, nil)
		}
		if v.List == nil || v.List.Missing != "" || len(v.List.Segments) == 0 {
			continue
		}
		if slices.ContainsFunc(v.List.Segments, func(e m3u8.Segment) bool { return e.Key != nil }) {
			j.says(at(v.List, 0), "the image sequence is encrypted")
		}
		if each := v.List.Length() / time.Duration(len(v.List.Segments)); each < time.Second-frame(j.Package) || each > 2*time.Second+frame(j.Package) {
			j.differs(at(v.List, 0), "the image sequence does not show a picture every 1 to 2 s", seconds(each), nil)
		}
	}
}

// timestampMap is rule 86: cue times are tied to those of the media.
func timestampMap(j judge, l *survey.List, p *survey.Part) {
	if p.Media.Container == stream.VTT && !p.Media.Mapped {
		j.says(at(l, p.Line), "the segment has no X-TIMESTAMP-MAP")
	}
}

// cuesCarryOn is rule 87: a cue over the end of a segment is in the next one.
func cuesCarryOn(j judge, l *survey.List) {
	var until time.Duration
	for i := range l.Parts {
		p := &l.Parts[i]
		until += p.Duration
		if p.Media.Container != stream.VTT || i+1 == len(l.Parts) || !l.Parts[i+1].Known || p.Discontinuity {
			continue
		}
		for _, c := range p.Media.Cues {
			carried := slices.ContainsFunc(l.Parts[i+1].Media.Cues, func(n stream.Cue) bool { return n == c })
			if c.End > until+rounding && c.Start < until && !carried {
				j.differs(at(l, p.Line), fmt.Sprintf("a cue is shown to %s, beyond the segment's end at %s, and is not in the next one", seconds(c.End), seconds(until)), nil, nil)
			}
		}
	}
}

// subtitlesSpan is rule 88: subtitles last as long as the pictures.
func subtitlesSpan(j judge) {
	var longest time.Duration
	for _, l := range j.Lists {
		if isStream(l) && l.Ended {
			longest = max(longest, l.Length())
		}
	}
	for _, l := range j.Lists {
		if l.Missing == "" && l.Ended && (l.AsText || textual(l)) && l.Length() < longest-time.Second {
			j.differs(at(l, 0), "the subtitles do not span the whole content", seconds(l.Length()), seconds(longest))
		}
	}
}

// forcedInRegular is rule 88: who reads all subtitles of a language reads the
// forced ones among them.
func forcedInRegular(j judge) {
	for _, forced := range j.Renditions {
		if forced.Get("TYPE") != "SUBTITLES" || forced.Get("FORCED") != "YES" || forced.List == nil {
			continue
		}
		for _, regular := range j.Renditions {
			if regular.Get("FORCED") != "YES" && regular.Get("TYPE") == "SUBTITLES" && regular.List != nil && regular.List != forced.List &&
				regular.Get("GROUP-ID") == forced.Get("GROUP-ID") && regular.Get("LANGUAGE") == forced.Get("LANGUAGE") {
				j.cuesOf(forced.List, regular)
			}
		}
	}
}

// cuesOf tells of the first cue of a forced track that a regular one has not.
func (j judge) cuesOf(forced *survey.List, regular survey.Rendition) {
	all := map[string]bool{}
	for i := range regular.List.Parts {
		if !regular.List.Parts[i].Known {
			return
		}
		for _, c := range regular.List.Parts[i].Media.Cues {
			all[words(c)] = true
		}
	}
	for i := range forced.Parts {
		for _, c := range forced.Parts[i].Media.Cues {
			if !all[words(c)] {
				j.says(at(forced, forced.Parts[i].Line), "a forced cue, at %v, is not among the subtitles %q of the same language", c.Start, regular.Get("NAME"))
				return
			}
		}
	}
}

// words is a cue without its settings, which may differ.
func words(c stream.Cue) string {
	_, text, _ := strings.Cut(c.Text, "\n")
	return fmt.Sprint(c.Start, " ", c.End, " ", strings.TrimSpace(text))
}

// imsc is how CODECS names subtitles of IMSC1.
const imsc = "stpp.ttml.im1t"

// namesIMSC is rule 89: a player has to know of IMSC1 before it chooses.
func namesIMSC(j judge, s spot, v survey.Variant) {
	if v.Get("CODECS") == "" {
		return
	}
	for _, l := range j.heard(v, "SUBTITLES") {
		r := firstRun(l, stream.Text)
		if r != nil && r.Track.Entry == "stpp" && !slices.Contains(strings.Split(v.Get("CODECS"), ","), imsc) {
			j.differs(s, bare(v.URI)+": CODECS does not name the subtitles", v.Get("CODECS"), imsc)
			return
		}
	}
}
