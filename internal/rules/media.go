package rules

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/spool-video/spool/internal/survey"
	"github.com/spool-video/spool/internal/survey/stream"
)

// neighbours calls f for each pair of segments without a discontinuity between
// them.
func neighbours(l *survey.List, f func(before, p *survey.Part)) {
	for i := 1; i < len(l.Parts); i++ {
		before, p := &l.Parts[i-1], &l.Parts[i]
		if before.Known && p.Known && !p.Discontinuity {
			f(before, p)
		}
	}
}

// tracksStay is rule 19: what a segment holds is what the one before held.
func tracksStay(j judge, l *survey.List) {
	neighbours(l, func(before, p *survey.Part) {
		if a, b := shape(before), shape(p); a != b {
			j.differs(at(l, p.Line), "the tracks change, and there is no EXT-X-DISCONTINUITY", a, b)
		}
	})
}

func shape(p *survey.Part) string {
	tracks := []string{string(p.Media.Container)}
	for _, r := range p.Media.Runs {
		tracks = append(tracks, fmt.Sprintf("%s %s %d", r.Track.Kind, r.Track.Entry, r.Track.ID))
	}
	return strings.Join(tracks, ", ")
}

// parametersStay is rule 19 for encoding parameters, which SHOULD be marked.
func parametersStay(j judge, l *survey.List) {
	neighbours(l, func(before, p *survey.Part) {
		for _, r := range p.Media.Runs {
			for _, b := range before.Media.Runs {
				if b.Track.ID == r.Track.ID && b.Track.Entry == r.Track.Entry && !bytes.Equal(b.Track.Config, r.Track.Config) {
					j.says(at(l, p.Line), "the encoding parameters of its %s change, and there is no EXT-X-DISCONTINUITY", r.Track.Kind)
				}
			}
		}
	})
}

// beginsWithIDR is rule 30: pictures of a segment need none of another.
func beginsWithIDR(j judge, l *survey.List, p *survey.Part) {
	if r := p.Media.Find(stream.Video); r != nil && !r.IDR {
		j.says(at(l, p.Line), "the segment begins with %s", r.First)
	}
}

// inMP4 are formats that only fragmented MP4 may hold.
var inMP4 = []string{"hvc1", "hev1", "dvh1", "dvhe", "av01", "fLaC", "alac"}

// wrapped is rule 33: the container is one for the format.
func wrapped(j judge, l *survey.List, p *survey.Part) {
	for _, r := range p.Media.Runs {
		if p.Media.Container != stream.MP4 && slices.Contains(inMP4, r.Track.Entry) {
			j.says(at(l, p.Line), "%s is in %s", r.Track.Entry, p.Media.Container)
		}
	}
}

// h264Limits is rule 34: at most High profile, level 5.2.
func h264Limits(j judge, s spot, t stream.Track) {
	const high, most = 100, 52
	if !strings.HasPrefix(t.Entry, "avc") {
		return
	}
	if t.Picture.Profile > high {
		j.differs(s, "the H.264 profile is above High", nil, t.Picture.Profile)
	}
	if t.Picture.Level > most {
		j.differs(s, "the H.264 level is above 5.2", nil, fmt.Sprintf("%.1f", float64(t.Picture.Level)/10))
	}
}

// hevcLimits is rule 35: at most Main 10, level 5.1.
func hevcLimits(j judge, s spot, t stream.Track) {
	const main10, most = 2, 153
	if t.Kind != stream.Video || !slices.Contains(inMP4[:4], t.Entry) {
		return
	}
	if t.Picture.Profile > main10 {
		j.differs(s, "the HEVC profile is above Main 10", nil, t.Picture.Profile)
	}
	if t.Picture.Level > most {
		j.differs(s, "the HEVC level is above 5.1", nil, fmt.Sprintf("%.1f", float64(t.Picture.Level)/30))
	}
}

// av1Limits is rule 36: at most level 6.2, whose index is 18.
func av1Limits(j judge, s spot, t stream.Track) {
	if t.Entry == "av01" && t.Picture.Level > 18 {
		j.differs(s, "the AV1 level is above 6.2", nil, fmt.Sprintf("index %d", t.Picture.Level))
	}
}

// setsInInit is rule 37: parameter sets are in the sample description.
func setsInInit(j judge, s spot, t stream.Track) {
	if slices.Contains([]string{"avc3", "hev1", "dvhe"}, t.Entry) {
		j.says(s, "the sample entry is %s, whose parameter sets may be among the samples", t.Entry)
	}
}

// progressive is rule 38: pictures are whole, and 60 a second at most.
func progressive(j judge, s spot, r stream.Run) {
	if r.Track.Kind != stream.Video {
		return
	}
	if r.Track.Picture.Interlaced {
		j.says(s, "the pictures are interlaced")
	}
	if rate := float64(r.Track.Timescale) / float64(max(r.Frame, 1)); r.Samples > 1 && r.Frame > 0 && rate > 60.1 {
		j.differs(s, "there are more than 60 pictures a second", nil, fmt.Sprintf("%.3f", rate))
	}
}

// Transfer functions of ITU-T H.273.
const (
	transferPQ  = 16
	transferHLG = 18
)

// rangeOf is the VIDEO-RANGE of a track.
func rangeOf(t stream.Track) string {
	switch t.Picture.Colour[1] {
	case transferPQ:
		return "PQ"
	case transferHLG:
		return "HLG"
	}
	return "SDR"
}

// pictures is the first track of pictures of a playlist, or nil.
func pictures(l *survey.List) *stream.Run { return firstRun(l, stream.Video) }

func firstRun(l *survey.List, kind stream.Kind) *stream.Run {
	if l == nil {
		return nil
	}
	for i := range l.Parts {
		if r := l.Parts[i].Media.Find(kind); r != nil {
			return r
		}
	}
	return nil
}

// sameColours is rule 39: variants of one range have one colour space.
func sameColours(j judge) {
	first := map[string]*stream.Run{}
	for _, l := range j.Lists {
		r := pictures(l)
		if r == nil || l.IFrames {
			continue
		}
		kind := rangeOf(r.Track)
		if first[kind] == nil {
			first[kind] = r
		} else if a, b := first[kind].Track.Picture.Colour, r.Track.Picture.Colour; a != b {
			j.differs(at(l, 0), "the colours are not those of the first variant", a, b)
		}
	}
}

// hasSDR is rule 40: HDR does not stand alone.
func hasSDR(j judge) {
	ranges := map[string]bool{}
	for _, v := range j.Variants {
		if r := pictures(v.List); r != nil && !v.IFrames {
			ranges[rangeOf(r.Track)] = true
		}
	}
	if (ranges["PQ"] || ranges["HLG"]) && !ranges["SDR"] {
		j.says(at(j.Root, 0), "there are HDR variants, and none of SDR")
	}
}

// whole is rule 41: no segment ends before its samples do.
func whole(j judge, l *survey.List, p *survey.Part) {
	for _, r := range p.Media.Runs {
		if r.Partial && !l.IFrames && !l.AsIFrames {
			j.says(at(l, p.Line), "the segment ends before its last sample does")
			return
		}
	}
	if p.Media.Container == stream.MP4 && p.Map == nil && len(p.Media.Runs) > 0 {
		j.says(at(l, p.Line), "no EXT-X-MAP stands before a segment of fragmented MP4")
	}
}

// apart is rule 44: pictures and sound are in files of their own.
func apart(j judge, l *survey.List) {
	for i := range l.Parts {
		if m := l.Parts[i].Media; m.Find(stream.Video) != nil && m.Find(stream.Audio) != nil {
			j.says(at(l, l.Parts[i].Line), "pictures and sound are in one segment")
			return
		}
	}
}

// hasStereo is rule 45: where there is sound, there is stereo AAC.
func hasStereo(j judge) {
	heard := false
	for _, l := range j.Lists {
		r := firstRun(l, stream.Audio)
		if r == nil {
			continue
		}
		heard = true
		if r.Track.Entry == "mp4a" && r.Track.Sound.Channels <= 2 {
			return
		}
	}
	if heard {
		j.says(at(j.Root, 0), "there is sound, but no stereo AAC")
	}
}

// oneSound is rule 46: one stream of sound a segment.
func oneSound(j judge, l *survey.List, p *survey.Part) {
	n := 0
	for _, r := range p.Media.Runs {
		if r.Track.Kind == stream.Audio {
			n++
		}
	}
	if n > 1 {
		j.differs(at(l, p.Line), "the segment holds several streams of sound", nil, n)
	}
}

// explicitSBR is rule 47: what is declared as HE-AAC says so in its
// configuration, where there is one.
func explicitSBR(j judge, s spot, v survey.Variant) {
	declared := strings.Split(v.Get("CODECS"), ",")
	if !slices.Contains(declared, "mp4a.40.5") && !slices.Contains(declared, "mp4a.40.29") {
		return
	}
	for _, l := range j.played(v) {
		const lc = 2
		r := firstRun(l, stream.Audio)
		if r != nil && l.Parts[0].Media.Container == stream.MP4 && r.Track.Sound.Object == lc && r.Track.Sound.Rate <= 24000 {
			j.says(s, "%s is declared as HE-AAC, and its configuration says AAC-LC", l.Name)
		}
	}
}

// cutsPriming is rule 48: one edit-list entry, which cuts what the encoder put
// before the sound.
func cutsPriming(j judge, s spot, t stream.Track) {
	if t.Kind != stream.Audio || t.Entry != "mp4a" || t.MovieScale == 0 {
		return
	}
	switch {
	case len(t.Edits) != 1:
		j.differs(s, "the edit list of AAC does not have one entry, so its priming is not cut as it should be", nil, fmt.Sprint(len(t.Edits), " entries"))
	case t.Edits[0].MediaTime <= 0:
		j.says(s, "the edit list of AAC cuts no priming, so the sound is late")
	}
}

// loudness is rule 50: loudness is told of all sound or of none. Whether sounds
// of which nothing is told are equally loud, no file says.
func loudness(j judge) {
	var silent []*survey.List
	var telling *survey.List
	for _, l := range j.Lists {
		r := firstRun(l, stream.Audio)
		switch {
		case r == nil || r.Track.MovieScale == 0: // only fragmented MP4 has a place for it
		case r.Track.Loudness:
			telling = l
		default:
			silent = append(silent, l)
		}
	}
	for _, l := range silent {
		if telling != nil {
			j.says(at(l, 0), "the loudness of its sound is not told, and that of %s is", telling.Name)
		}
	}
}

// captions is rule 51 for one variant: captions are declared where they are.
func captions(j judge, s spot, v survey.Variant) {
	if v.List == nil {
		return
	}
	has := false
	read := false
	for i := range v.List.Parts {
		if r := v.List.Parts[i].Media.Find(stream.Video); r != nil {
			read, has = true, has || r.Captions
		}
	}
	if !read {
		return
	}
	switch declared := v.Get("CLOSED-CAPTIONS"); {
	case has && (declared == "" || declared == "NONE"):
		j.says(s, "the pictures hold closed captions, which the variant does not declare")
	case !has && declared == "":
		j.says(s, "there are no closed captions, and CLOSED-CAPTIONS=NONE is not there")
	}
}

// sameNone is rule 51: NONE is on all variants or on none.
func sameNone(j judge) {
	none, other := 0, 0
	for _, v := range j.Variants {
		switch {
		case v.IFrames:
		case v.Get("CLOSED-CAPTIONS") == "NONE":
			none++
		case v.Has("CLOSED-CAPTIONS"):
			other++
		}
	}
	if none > 0 && other > 0 {
		j.says(at(j.Root, 0), "CLOSED-CAPTIONS=NONE is on some variants, and others have captions")
	}
}

// allDecodes is rule 90: as many pictures come out as there are samples. A
// decoder of sound may hold back a packet or two of priming.
func allDecodes(j judge, l *survey.List, p *survey.Part) {
	samples, held := map[stream.Kind]int{}, map[stream.Kind]int{}
	for _, r := range p.Media.Runs {
		samples[r.Track.Kind] += r.Samples
		if r.Track.Kind == stream.Audio {
			held[stream.Audio] += 2
			if r.Track.Entry != "mp4a" {
				held[stream.Audio] = 1 << 20 // a packet of MPEG-TS may hold any number of frames of it
			}
		}
	}
	for kind, n := range p.Decoded {
		if off := samples[kind] - n; off > held[kind] || -off > held[kind] {
			j.differs(at(l, p.Line), "not all of its "+string(kind)+" decodes", samples[kind], n)
		}
	}
}
