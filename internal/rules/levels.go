package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spool-video/spool/internal/survey"
	"github.com/spool-video/spool/internal/survey/stream"
)

// highProfile is profile_idc of High.
const highProfile = 100

func isH264(t stream.Track) bool { return strings.HasPrefix(t.Entry, "avc") && t.Picture.Profile > 0 }

func isHEVC(t stream.Track) bool {
	return t.Kind == stream.Video && slices.Contains(inMP4[:4], t.Entry) && t.Picture.Profile > 0
}

// profiles are names of profile_idc of H.264.
var profiles = map[int]string{66: "Baseline", 77: "Main", 88: "Extended", 100: "High", 110: "High 10", 122: "High 4:2:2", 244: "High 4:4:4"}

func profile(p stream.Picture) string { return cmp.Or(profiles[p.Profile], fmt.Sprint(p.Profile)) }

// tenths shows level_idc of H.264.
func tenths(level int) string { return fmt.Sprintf("%.1f", float64(level)/10) }

// h264Limits is rule 34: at most High profile, level 5.2.
func h264Limits(j judge, s spot, t stream.Track) {
	const most = 52
	if !isH264(t) {
		return
	}
	if t.Picture.Profile > highProfile {
		j.differs(s, "the H.264 profile is above High", nil, profile(t.Picture))
	}
	if t.Picture.Level > most {
		j.differs(s, "the H.264 level is above 5.2", nil, tenths(t.Picture.Level))
	}
}

// h264Devices is rule 34 for what not all devices play: above level 5.0 Macs,
// above 5.1 televisions.
func h264Devices(j judge, s spot, t stream.Track) {
	const mac, television, most = 50, 51, 52
	switch level := t.Picture.Level; {
	case !isH264(t) || level > most: // told as such
	case level > television:
		j.differs(s, "the H.264 level is above 5.1, and no Apple TV or Mac promises to play it", nil, tenths(level))
	case level > mac:
		j.differs(s, "the H.264 level is above 5.0, and no Mac promises to play it", nil, tenths(level))
	}
}

// h264Profile is rule 34: High is better than Baseline and Main, and every
// player has it.
func h264Profile(j judge) {
	for _, l := range j.shown() {
		if t := pictures(l).Track; isH264(t) && t.Picture.Profile < highProfile {
			j.differs(at(l, l.Parts[0].Line), "the H.264 profile is below High, which needs fewer bits", nil, profile(t.Picture))
		}
	}
}

// shown are the playlists of pictures of variants, each once.
func (j judge) shown() (all []*survey.List) {
	if len(j.Variants) == 0 && pictures(j.Root) != nil {
		return []*survey.List{j.Root}
	}
	for _, v := range j.Variants {
		if !v.IFrames && pictures(v.List) != nil && !slices.Contains(all, v.List) {
			all = append(all, v.List)
		}
	}
	return all
}

// h264ForMost is rule 34: where there is H.264, some of it is for modest
// devices: High, level 4.1.
func h264ForMost(j judge) {
	const modest = 41
	seen := false
	for _, l := range j.shown() {
		if t := pictures(l).Track; isH264(t) {
			if seen = true; t.Picture.Profile <= highProfile && t.Picture.Level <= modest {
				return
			}
		}
	}
	if seen {
		j.says(at(j.Root, 0), "no variant of H.264 is of High profile and level 4.1 or less")
	}
}

// limits are what ITU-T H.264 table A-1 allows at a level: macroblocks a
// second, macroblocks a picture, macroblocks that are kept, and kbit/s, which
// High profile has a quarter more of.
type limits struct{ level, rate, size, kept, kbps int }

var h264Levels = []limits{
	{10, 1485, 99, 396, 64},
	{11, 3000, 396, 900, 192},
	{12, 6000, 396, 2376, 384},
	{13, 11880, 396, 2376, 768},
	{20, 11880, 396, 2376, 2000},
	{21, 19800, 792, 4752, 4000},
	{22, 20250, 1620, 8100, 4000},
	{30, 40500, 1620, 8100, 10000},
	{31, 108000, 3600, 18000, 14000},
	{32, 216000, 5120, 20480, 20000},
	{40, 245760, 8192, 32768, 20000},
	{41, 245760, 8192, 32768, 50000},
	{42, 522240, 8704, 34816, 50000},
	{50, 589824, 22080, 110400, 135000},
	{51, 983040, 36864, 184320, 240000},
	{52, 2073600, 36864, 184320, 240000},
}

// neededLevel is the lowest level that allows pictures of these kinds.
func neededLevel(p stream.Picture, perSecond float64, bitRate int) int {
	for _, l := range h264Levels {
		if p.Blocks <= l.size && float64(p.Blocks)*perSecond <= float64(l.rate)*1.01 && p.Blocks*p.Kept <= l.kept && bitRate <= l.kbps*1250 {
			return l.level
		}
	}
	return 0 // none does
}

// h264Needed is rule 34: a level that is higher than needed keeps devices from
// playing what they could. The buffer that an encoder counted on is told
// nowhere, so that less than a whole level is not judged.
func h264Needed(j judge) {
	const whole = 10
	for _, l := range j.shown() {
		r := pictures(l)
		if !isH264(r.Track) || r.Track.Picture.Blocks == 0 || r.Track.Picture.Interlaced { // which low levels do not have
			continue
		}
		peak, _, ok := rates(l)
		for _, v := range j.Variants {
			if v.List == l {
				peak = max(peak, v.Bandwidth)
			}
		}
		_, perSecond := pace(l)
		needed := neededLevel(r.Track.Picture, perSecond, peak)
		if ok && needed > 0 && r.Track.Picture.Level >= needed+whole {
			j.differs(at(l, l.Parts[0].Line), "the H.264 level is higher than size, rate and bit rate of the pictures need", tenths(r.Track.Picture.Level), tenths(needed))
		}
	}
}

// hevcLimits is rule 35: at most Main 10, level 5.1.
func hevcLimits(j judge, s spot, t stream.Track) {
	const main10, most = 2, 153
	if !isHEVC(t) {
		return
	}
	if t.Picture.Profile > main10 {
		j.differs(s, "the HEVC profile is above Main 10", nil, t.Picture.Profile)
	}
	if t.Picture.Level > most {
		j.differs(s, "the HEVC level is above 5.1", nil, fmt.Sprintf("%.1f", float64(t.Picture.Level)/30))
	}
}

// hevcForMost is rule 35: where there is HEVC, some of it is for modest
// devices: Main tier, level 4.0.
func hevcForMost(j judge) {
	const modest = 120
	seen := false
	for _, l := range j.shown() {
		if t := pictures(l).Track; isHEVC(t) {
			if seen = true; t.Picture.Level <= modest && !t.Picture.HighTier {
				return
			}
		}
	}
	if seen {
		j.says(at(j.Root, 0), "no variant of HEVC is of Main tier and level 4.0 or less")
	}
}

// av1Limits is rule 36: at most level 6.2, whose index is 18.
func av1Limits(j judge, s spot, t stream.Track) {
	if t.Entry == "av01" && t.Picture.Level > 18 {
		j.differs(s, "the AV1 level is above 6.2", nil, fmt.Sprintf("index %d", t.Picture.Level))
	}
}
