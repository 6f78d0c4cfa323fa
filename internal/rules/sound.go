package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spool-video/spool/internal/survey"
	"github.com/spool-video/spool/internal/survey/stream"
)

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

// aacMost is the highest rate of AAC, in bits per second, by rule 45; 0 where
// nothing is said of it.
func aacMost(channels int, efficient bool) int {
	switch {
	case efficient && channels <= 2:
		return 64_000
	case efficient:
		return 0
	case channels <= 2:
		return 160_000
	case channels == 6:
		return 320_000
	}
	return 0
}

// aacRates is rule 45: AAC has a rate that suits its channels. Quiet sound needs
// little, so that too little is told only where an encoder was asked for it.
func aacRates(j judge, l *survey.List) {
	const least = 32_000
	r := firstRun(l, stream.Audio)
	if r == nil || r.Track.Entry != "mp4a" || r.Track.Sound.Channels == 0 {
		return
	}
	rate, sound := soundRate(l), r.Track.Sound
	efficient := j.efficient(l, sound)
	name := map[bool]string{false: "AAC", true: "HE-AAC"}[efficient]
	s := at(l, l.Parts[0].Line)
	if most := aacMost(sound.Channels, efficient); most > 0 && rate > most+most/10 {
		j.differs(s, fmt.Sprintf("the rate of its %s of %d channels is above the %s that are good", name, sound.Channels, bits(most)), nil, bits(rate))
	}
	if sound.Channels == 2 && !efficient && sound.BitRate > 0 && max(rate, sound.BitRate) < least {
		j.differs(s, fmt.Sprintf("the rate of its stereo AAC is below the %s that are good", bits(least)), bits(sound.BitRate), bits(rate))
	}
}

// soundRate is the average rate of a playlist's sound without what wraps it, in
// bits per second.
func soundRate(l *survey.List) int {
	var bytes int64
	var length time.Duration
	for i := range l.Parts {
		if r := l.Parts[i].Media.Find(stream.Audio); r != nil {
			bytes += r.Bytes
			length += stream.Time(r.Duration, r.Track.Timescale)
		}
	}
	return int(float64(8*bytes) / max(length.Seconds(), 1e-3))
}

// efficient: the sound is HE-AAC, by its configuration or, where that cannot
// say so, by all variants that play it.
func (j judge) efficient(l *survey.List, sound stream.Sound) bool {
	const sbr, ps = 5, 29
	if sound.Object == sbr || sound.Object == ps {
		return true
	}
	declared := false
	for _, v := range j.Variants {
		if v.IFrames || !slices.Contains(j.played(v), l) {
			continue
		}
		if strings.Contains(v.Get("CODECS"), "mp4a.40.2,") || strings.HasSuffix(v.Get("CODECS"), "mp4a.40.2") {
			return false
		}
		declared = declared || strings.Contains(v.Get("CODECS"), "mp4a.40.5") || strings.Contains(v.Get("CODECS"), "mp4a.40.29")
	}
	return declared
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
