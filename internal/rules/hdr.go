package rules

import (
	"fmt"
	"strings"

	"github.com/spool-video/spool/internal/survey/stream"
)

// Transfer functions of ITU-T H.273, and the primaries of HDR.
const (
	transferPQ  = 16
	transferHLG = 18
	bt2020      = 9
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

// dolbyVision has colours of its own.
func dolbyVision(t stream.Track) bool { return strings.HasPrefix(t.Entry, "dv") }

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

// knownHDR is rule 40: HDR of HEVC is HDR10, HLG or Dolby Vision. The first two
// have 10 bits and the colours of BT.2020.
func knownHDR(j judge, s spot, t stream.Track) {
	kind := rangeOf(t)
	if kind == "SDR" || !isHEVC(t) || dolbyVision(t) {
		return
	}
	if t.Picture.Depth != 10 || t.Picture.Colour[0] != bt2020 {
		j.differs(s, "it is HDR, and neither HDR10, HLG nor Dolby Vision, which have 10 bits and the primaries of BT.2020 (9)",
			kind, fmt.Sprintf("%d bits, primaries %d", t.Picture.Depth, t.Picture.Colour[0]))
	}
}

// mastered is rule 40: HDR10 says in its sample description how it was graded
// and how bright it gets, where players see it before they choose.
func mastered(j judge, s spot, t stream.Track) {
	if rangeOf(t) != "PQ" || !isHEVC(t) || dolbyVision(t) || t.MovieScale == 0 {
		return
	}
	var missing []string
	if !t.Mastering {
		missing = append(missing, "MDCV")
	}
	if !t.LightLevel {
		missing = append(missing, "CLLI")
	}
	if len(missing) > 0 {
		j.says(s, "the sample description of HDR10 has no %s", strings.Join(missing, " and no "))
	}
}
