package rules

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

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

// pacesStay is rule 19: neither the rate of pictures nor the channels of sound
// change unmarked. A segment whose pictures last unequally has no rate.
func pacesStay(j judge, l *survey.List) {
	neighbours(l, func(before, p *survey.Part) {
		a, b := before.Media.Find(stream.Video), p.Media.Find(stream.Video)
		if a != nil && b != nil && a.Steady && b.Steady && a.Samples > 2 && b.Samples > 2 && !l.IFrames {
			was, is := float64(a.Track.Timescale)/float64(max(a.Frame, 1)), float64(b.Track.Timescale)/float64(max(b.Frame, 1))
			if is > was*1.01 || was > is*1.01 {
				j.differs(at(l, p.Line), "the rate of pictures changes, and there is no EXT-X-DISCONTINUITY", fmt.Sprintf("%.3f", was), fmt.Sprintf("%.3f", is))
			}
		}
		a, b = before.Media.Find(stream.Audio), p.Media.Find(stream.Audio)
		if a != nil && b != nil && a.Track.Sound.Channels != b.Track.Sound.Channels {
			j.differs(at(l, p.Line), "the channels of sound change, and there is no EXT-X-DISCONTINUITY", a.Track.Sound.Channels, b.Track.Sound.Channels)
		}
	})
}

// breaks are the times at which a playlist has discontinuities.
func breaks(l *survey.List) (all []time.Duration) {
	var at time.Duration
	for _, s := range l.Segments {
		if s.Discontinuity {
			all = append(all, at)
		}
		at += s.Duration
	}
	return all
}

// breaksAtOnce is rule 19: discontinuities stand at the same times in all
// playlists of pictures and sound.
func breaksAtOnce(j judge) {
	j.toFirst(func(first, l *survey.List) {
		const near = 100 * time.Millisecond // segments of sound end where packets do
		if !slices.EqualFunc(breaks(first), breaks(l), func(a, b time.Duration) bool { return (a - b).Abs() <= near }) {
			j.differs(at(l, 0), "the discontinuities are not where those of "+first.Name+" are", fmt.Sprint(breaks(l)), fmt.Sprint(breaks(first)))
		}
	})
}

// toFirst compares each playlist of pictures and sound with the first one, of
// those that are complete.
func (j judge) toFirst(compare func(first, other *survey.List)) {
	var first *survey.List
	for _, l := range j.Lists {
		switch {
		case !isStream(l) || l.Growing():
		case first == nil:
			first = l
		default:
			compare(first, l)
		}
	}
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
	const usac = 42
	for _, r := range p.Media.Runs {
		if p.Media.Container != stream.MP4 && r.Track.Sound.Object == usac {
			j.says(at(l, p.Line), "xHE-AAC is in %s", p.Media.Container)
		}
		if p.Media.Container != stream.MP4 && slices.Contains(inMP4, r.Track.Entry) {
			j.says(at(l, p.Line), "%s is in %s", r.Track.Entry, p.Media.Container)
		}
	}
}

// common are the formats that HLS players know.
var common = []string{
	"avc1", "avc3", "hvc1", "hev1", "dvh1", "dvhe", "av01", "mp4a", "latm", "ac-3", "ec-3", "ac-4", "mp3", "fLaC", "alac", "packed", "wvtt", "stpp",
}

// commonFormat is rule 33 for formats that are none of HLS.
func commonFormat(j judge, s spot, t stream.Track) {
	if t.Entry != "" && t.Kind != stream.Other && !slices.Contains(common, t.Entry) {
		j.says(s, "its %s is %s, which few players of HLS know", t.Kind, t.Entry)
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
			if r.Track.Entry != "mp4a" || r.Packets {
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
