package rules

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/survey"
	"github.com/spool-video/spool/internal/survey/stream"
)

// heard are the playlists of the renditions of one type that a variant may be
// played with.
func (j judge) heard(v survey.Variant, kind string) []*survey.List {
	var members []*survey.List
	for _, r := range j.Renditions {
		if r.Get("TYPE") == kind && r.Get("GROUP-ID") == v.Get(kind) && v.Has(kind) && r.List != nil && r.List != v.List {
			members = append(members, r.List)
		}
	}
	return members
}

// played are all playlists that a variant may play: its own and those of its
// renditions.
func (j judge) played(v survey.Variant) []*survey.List {
	var all []*survey.List
	if v.List != nil {
		all = append(all, v.List)
	}
	for _, kind := range []string{"AUDIO", "VIDEO", "SUBTITLES"} {
		all = append(all, j.heard(v, kind)...)
	}
	return all
}

// rates measures a playlist; ok is false when some of it could not be read.
func rates(l *survey.List) (peak, average int, ok bool) {
	if l == nil || l.Missing != "" || len(l.Parts) == 0 {
		return 0, 0, false
	}
	var weights []hls.Weight
	for i := range l.Parts {
		if l.Parts[i].File.Size == 0 && !l.Parts[i].Gap {
			return 0, 0, false
		}
		weights = append(weights, hls.Weight{Bytes: l.Parts[i].File.Size, Duration: l.Parts[i].Duration})
	}
	peak, average = hls.Rates(weights, l.Target)
	return peak, average, true
}

// measure gives the rates of a variant with the heaviest rendition of each of
// its groups.
func (j judge) measure(v survey.Variant) (peak, mean int, ok bool) {
	if peak, mean, ok = rates(v.List); !ok {
		return 0, 0, false
	}
	if v.IFrames {
		return peak, mean, true
	}
	for _, kind := range []string{"AUDIO", "VIDEO", "SUBTITLES"} {
		heaviest, mostly := 0, 0
		for _, l := range j.heard(v, kind) {
			p, a, ok := rates(l)
			if !ok {
				return 0, 0, false
			}
			heaviest, mostly = max(heaviest, p), max(mostly, a)
		}
		peak, mean = peak+heaviest, mean+mostly
	}
	return peak, mean, true
}

// bandwidth is rule 60: BANDWIDTH is there, and not less than the peak. A
// hundredth more is rounding of durations.
func bandwidth(j judge, s spot, v survey.Variant) {
	if v.Bandwidth == 0 {
		if !v.Has("BANDWIDTH") {
			j.says(s, "there is no BANDWIDTH")
		}
		return
	}
	if peak, _, ok := j.measure(v); ok && peak > v.Bandwidth+v.Bandwidth/100 {
		j.differs(s, bare(v.URI)+": BANDWIDTH is less than the peak rate", bits(v.Bandwidth), bits(peak))
	}
}

// bandwidthNear is rule 61: BANDWIDTH is not far above the peak.
func bandwidthNear(j judge, s spot, v survey.Variant) {
	if peak, _, ok := j.measure(v); ok && v.Bandwidth > peak+peak/10 {
		j.differs(s, bare(v.URI)+": BANDWIDTH is more than 10 % above the peak rate", bits(v.Bandwidth), bits(peak))
	}
}

// average is rule 62: AVERAGE-BANDWIDTH is within 10 % of the truth.
func average(j judge, s spot, v survey.Variant) {
	if v.Average == 0 {
		j.says(s, "%s: there is no AVERAGE-BANDWIDTH", bare(v.URI))
		return
	}
	if _, mean, ok := j.measure(v); ok && (v.Average > mean+mean/10 || v.Average < mean-mean/10) {
		j.differs(s, bare(v.URI)+": AVERAGE-BANDWIDTH is more than 10 % off", bits(v.Average), bits(mean))
	}
}

// peakToAverage is rule 63: the peak is at most twice the average.
func peakToAverage(j judge, s spot, v survey.Variant) {
	if peak, mean, ok := j.measure(v); ok && mean > 0 && peak > 2*mean {
		j.differs(s, bare(v.URI)+": the peak rate is more than twice the average", nil, fmt.Sprintf("%s and %s", bits(peak), bits(mean)))
	}
}

// codecs is rule 64: CODECS names what is played, no more and no less.
func codecs(j judge, s spot, v survey.Variant) {
	if v.Get("CODECS") == "" {
		j.says(s, "%s: there is no CODECS", bare(v.URI))
		return
	}
	declared := strings.Split(strings.ReplaceAll(v.Get("CODECS"), " ", ""), ",")
	played := j.played(v)
	if v.IFrames {
		played = nil
		if v.List != nil {
			played = append(played, v.List)
		}
	}
	measured, complete := formats(played)
	var missing []string // but for subtitles: see rule 89
	for _, m := range measured {
		if m != "wvtt" && m != imsc && !slices.ContainsFunc(declared, func(d string) bool { return sameFormat(d, m) }) {
			missing = append(missing, m)
		}
	}
	if len(missing) > 0 {
		j.differs(s, bare(v.URI)+": CODECS does not name "+strings.Join(missing, ", "), strings.Join(declared, ","), strings.Join(measured, ","))
	}
	for _, d := range declared {
		if d == "wvtt" { // may be named, and need not
			continue
		}
		if complete && len(missing) == 0 && !slices.ContainsFunc(measured, func(m string) bool { return sameFormat(d, m) }) {
			j.differs(s, bare(v.URI)+": CODECS names "+d+", which is not there", strings.Join(declared, ","), strings.Join(measured, ","))
		}
	}
}

// formats are the formats of some playlists; complete says that nothing in them
// was unknown.
func formats(played []*survey.List) (found []string, complete bool) {
	complete = len(played) > 0
	for _, l := range played {
		complete = complete && l.Missing == "" && len(l.Parts) > 0
		for i := range l.Parts {
			complete = complete && l.Parts[i].Known && (len(l.Parts[i].Media.Runs) > 0 || textual(l))
			for _, r := range l.Parts[i].Media.Runs {
				complete = complete && r.Track.Codec != ""
				if r.Track.Codec != "" && !slices.Contains(found, r.Track.Codec) {
					found = append(found, r.Track.Codec)
				}
			}
		}
	}
	return found, complete
}

// sameFormat compares two names of RFC 6381. The constraint flags of H.264 may
// differ: its profile and level are what players ask for. AAC in MPEG-TS cannot
// say that it is HE-AAC, and the colours of AV1 may be left out.
func sameFormat(declared, measured string) bool {
	d, m := strings.ToLower(declared), strings.ToLower(measured)
	switch {
	case d == m:
		return true
	case strings.HasPrefix(d, "avc") && len(d) == len("avc1.64001f") && len(m) == len(d):
		return d[:7] == m[:7] && d[9:] == m[9:]
	case m == "mp4a.40.2":
		return d == "mp4a.40.5" || d == "mp4a.40.29"
	case m == "mp4a.40.34":
		return d == "mp4a.69" || d == "mp4a.6b"
	case strings.HasPrefix(m, "av01."):
		return strings.HasPrefix(d, m+".")
	case strings.HasPrefix(m, "hvc1."), strings.HasPrefix(m, "hev1."):
		return sameHEVC(d, m)
	}
	return false
}

// sameHEVC compares profile, tier and level; constraint bytes of zeros at the
// end may be left out.
func sameHEVC(declared, measured string) bool {
	d, m := strings.Split(declared, "."), strings.Split(measured, ".")
	return len(d) >= 4 && len(m) >= 4 && slices.Equal(d[:4], m[:4])
}

// resolution is rule 65: RESOLUTION is the size of the pictures.
func resolution(j judge, s spot, v survey.Variant) {
	r := pictures(v.List)
	if r == nil {
		return
	}
	measured := fmt.Sprintf("%dx%d", r.Track.Picture.Width, r.Track.Picture.Height)
	switch {
	case v.Width == 0 && !v.Has("RESOLUTION"):
		j.differs(s, bare(v.URI)+": there is no RESOLUTION", nil, measured)
	case v.Width != r.Track.Picture.Width || v.Height != r.Track.Picture.Height:
		j.differs(s, bare(v.URI)+": RESOLUTION is not the size of the pictures", v.Get("RESOLUTION"), measured)
	}
}

// frameRate is rule 66: FRAME-RATE is that of the pictures.
func frameRate(j judge, s spot, v survey.Variant) {
	r := pictures(v.List)
	if r == nil {
		return
	}
	usual, mean := pace(v.List)
	switch {
	case !v.Has("FRAME-RATE"):
		j.differs(s, bare(v.URI)+": there is no FRAME-RATE", nil, fmt.Sprintf("%.3f", mean))
	case v.FrameRate > 0 && math.Abs(v.FrameRate-mean) > 0.01 && math.Abs(v.FrameRate-usual) > 0.01:
		j.differs(s, bare(v.URI)+": FRAME-RATE is not that of the pictures", v.Get("FRAME-RATE"), fmt.Sprintf("%.3f", mean))
	}
}

// pace is how many pictures a second there are, by the usual distance of two
// and on average.
func pace(l *survey.List) (usual, mean float64) {
	samples, length := 0, time.Duration(0)
	for i := range l.Parts {
		if r := l.Parts[i].Media.Find(stream.Video); r != nil {
			samples += r.Samples
			length += stream.Time(r.Duration, r.Track.Timescale)
			usual = float64(r.Track.Timescale) / float64(max(r.Frame, 1))
		}
	}
	return usual, float64(samples) / max(length.Seconds(), 1e-9)
}

// videoRange is rule 67: VIDEO-RANGE is that of the pictures, and there unless
// all is SDR.
func videoRange(j judge, s spot, v survey.Variant) {
	r := pictures(v.List)
	if r == nil {
		return
	}
	measured := rangeOf(r.Track)
	switch declared := v.Get("VIDEO-RANGE"); {
	case declared == "" && measured != "SDR":
		j.differs(s, bare(v.URI)+": there is no VIDEO-RANGE", nil, measured)
	case declared != "" && declared != measured:
		j.differs(s, bare(v.URI)+": VIDEO-RANGE is not that of the pictures", declared, measured)
	}
}

const independentTag = "EXT-X-INDEPENDENT-SEGMENTS"

// independent is rule 68: the promise is given somewhere.
func independent(j judge) {
	if len(j.Variants) == 0 || j.Root.Has(independentTag) {
		return
	}
	for _, l := range j.Lists {
		if isStream(l) && pictures(l) != nil && !l.Has(independentTag) {
			j.says(at(l, 0), "%s is neither here nor in the multivariant playlist", independentTag)
		}
	}
}

// independentOnTop is rule 68: the promise is given for all at once.
func independentOnTop(j judge) {
	if len(j.Variants) > 0 && !j.Root.Has(independentTag) {
		j.says(at(j.Root, 0), "there is no %s", independentTag)
	}
}

// severalRates is rule 69: players have a choice.
func severalRates(j judge) {
	n := 0
	for _, v := range j.Variants {
		if pictures(v.List) != nil && !v.IFrames {
			n++
		}
	}
	if n == 1 {
		j.says(at(j.Root, 0), "there is one variant of pictures only")
	}
}

// severalLargest is rule 69, for Apple: of the largest size, when that is HD,
// there are two rates.
func severalLargest(j judge) {
	const hd = 720
	if !slices.Contains(j.asked, Apple) {
		return
	}
	largest, n := 0, 0
	for _, l := range j.shown() {
		p := pictures(l).Track.Picture
		switch size := min(p.Width, p.Height); {
		case size > largest:
			largest, n = size, 1
		case size == largest:
			n++
		}
	}
	if largest >= hd && n == 1 {
		j.differs(at(j.Root, 0), "there is one variant only of the largest size", nil, largest)
	}
}

// sameAspect is rule 69: all sizes have one shape, but for even numbers.
func sameAspect(j judge) {
	var first *stream.Run
	for _, v := range j.Variants {
		r := pictures(v.List)
		if r == nil || v.IFrames {
			continue
		}
		if first == nil {
			first = r
			continue
		}
		a, b := first.Track.Picture, r.Track.Picture
		if off := float64(a.Width)*float64(b.Height)/float64(max(a.Height, 1)) - float64(b.Width); math.Abs(off) > 2+float64(b.Width)*2/float64(max(b.Height, 1)) {
			j.differs(at(j.Root, v.Line), bare(v.URI)+": its aspect ratio is not that of the others",
				fmt.Sprintf("%dx%d", a.Width, a.Height), fmt.Sprintf("%dx%d", b.Width, b.Height))
		}
	}
}

// firstVariant is rule 70: players begin with about 2 Mbit/s. Variants with
// another group of sounds are another choice.
func firstVariant(j judge) {
	best, first := survey.Variant{}, survey.Variant{}
	for _, v := range j.Variants {
		if v.IFrames || v.Average == 0 || first.Average != 0 && v.Get("AUDIO") != first.Get("AUDIO") {
			continue
		}
		if first.Average == 0 {
			first, best = v, v
		}
		if distance(v.Average) < distance(best.Average) {
			best = v
		}
	}
	if best.Line != first.Line && best.Average != first.Average {
		j.differs(at(j.Root, first.Line), "the first variant is not the one nearest to 2 Mbit/s, which is "+bare(best.URI), bits(first.Average), bits(best.Average))
	}
}

func distance(rate int) int { return max(rate-hls.FirstRate, hls.FirstRate-rate) }

// cellular is rule 71: there is something to watch where the network is slow.
func cellular(j judge) {
	const most = 192_000
	if !slices.Contains(j.asked, Cellular) {
		return
	}
	for _, v := range j.Variants {
		if !v.IFrames && v.Bandwidth > 0 && v.Bandwidth <= most {
			return
		}
	}
	if len(j.Variants) > 0 {
		j.says(at(j.Root, 0), "there is no variant of at most %s", bits(most))
	}
}

// television is rule 71: nothing is so small that it is unworthy of a large
// screen.
func television(j judge) {
	const least = 145_000
	if !slices.Contains(j.asked, Television) {
		return
	}
	for _, v := range j.Variants {
		s := at(j.Root, v.Line)
		switch {
		case v.IFrames:
		case v.Average > 0 && v.Average <= least:
			j.differs(s, bare(v.URI)+": the rate is too low for a television", bits(v.Average), nil)
		case pictures(v.List) == nil && firstRun(v.List, stream.Audio) != nil:
			j.says(s, "%s: the variant is sound alone", bare(v.URI))
		}
	}
}
