package ladder

import (
	"fmt"
	"strings"
	"time"

	"github.com/spool-video/spool"
)

// Coded is what a source's own coded pictures are like, as far as copying them
// depends on it. What Choose knows from the facts is not among it.
type Coded struct {
	// Refused is why copying them is out of the question, when that was found
	// before anything else here is known: the container does not say where each
	// picture lies, or its parameters cannot be published.
	Refused string

	Profile     int // profile_idc
	Level       int // level_idc
	Chroma      int // chroma_format_idc
	BitDepth    int
	Progressive bool
	FullRange   bool

	Constant bool // each picture is shown for one frame of the output, none is missing
	Cut      bool // some are not shown: an edit list begins or ends within them
	Outlived bool // the sound goes on after the last of them
	Open     bool // some are shown before the key frame that they follow in the file
	// Gap is the longest time from one key frame to the next.
	Gap time.Duration
	// Peak is the highest rate of a segment, in bits per second.
	Peak int
}

const (
	// above is how far above its cap the peak of a copied rung may be: that of
	// an encoded one, whose buffer holds a second, comes as far.
	above = 1.15
	// highestLevel is what players promise to decode: 5.2.
	highestLevel = 52
)

// The profiles that every player decodes: Baseline, Main, High.
var plainProfiles = map[int]bool{66: true, 77: true, 100: true}

// Copy decides whether the highest rung is copied, and says why or why not.
// longest is how far apart key frames may be. The rungs that it gets stay as
// they are.
func Copy(rungs []spool.Rung, facts spool.Facts, c Coded, longest time.Duration) []spool.Rung {
	out := append([]spool.Rung{}, rungs...)
	for i := range out {
		top := &out[i]
		if top.Action == spool.SkipRung {
			continue
		}
		if !own(*top, facts.Video) {
			return out // it is scaled, and says so
		}
		if why := encoded(*top, facts.Video, c, longest); why != "" {
			top.Why += "; encoded: " + why
			return out
		}
		top.Action = spool.CopyRung
		top.Why = fmt.Sprintf("good as it is: H.264 of at most %s, key frames up to %s apart", rate(c.Peak), seconds(c.Gap))
		return out
	}
	return out
}

// MayCopy reports whether the highest rung has the size of the source's own
// pictures and these are H.264, so that it is worth a look whether they can be
// copied.
func MayCopy(rungs []spool.Rung, facts spool.Facts) bool {
	made := Made(rungs)
	return len(made) > 0 && own(made[0], facts.Video) && facts.Video.Codec == "h264"
}

// own reports whether a rung has the size of the source's pictures.
func own(r spool.Rung, v *spool.VideoStream) bool {
	if v == nil {
		return false
	}
	w, h := v.Display()
	return r.Width == w && r.Height == h
}

// encoded says why a rung of the source's own size is encoded; "" when it can
// be copied. What is known from the facts comes first.
func encoded(top spool.Rung, v *spool.VideoStream, c Coded, longest time.Duration) string {
	for _, reason := range []struct {
		holds bool
		words string
	}{
		{v.Codec != "h264", "the source is " + codecName(v.Codec)},
		{v.Rotation != 0, "the pictures are turned"},
		{v.SAR.Known() && v.SAR.Num != v.SAR.Den, "the pixels are not square"},
		{v.Interlaced, "interlaced"},
		{v.BitDepth > 8, profileName(v)},
		{v.HDR(), "HDR"},
		{strings.HasPrefix(v.PixFmt, "yuv422") || strings.HasPrefix(v.PixFmt, "yuvj422"), "4:2:2"},
		{strings.HasPrefix(v.PixFmt, "yuv444") || strings.HasPrefix(v.PixFmt, "yuvj444"), "4:4:4"},
		{c.Refused != "", c.Refused},
		{c.Chroma != 1, "its colours are not 4:2:0"},
		{c.BitDepth != 8 || !plainProfiles[c.Profile], profileName(v)},
		{c.Level > highestLevel, fmt.Sprintf("level %.1f", float64(c.Level)/10)},
		{!c.Progressive, "coded for interlaced pictures"},
		{c.FullRange || v.Range == "pc" || strings.HasPrefix(v.PixFmt, "yuvj"), "colours of full range"},
		{c.Cut, "an edit list leaves out some of its pictures"},
		{!c.Constant, "variable frame rate"},
		{c.Open, "open GOPs"},
		{c.Outlived, "its sound goes on after the pictures"},
		{c.Gap > longest, fmt.Sprintf("its key frames are up to %s apart", seconds(c.Gap))},
		{float64(c.Peak) > above*float64(top.MaxRate), fmt.Sprintf("up to %s, where %s are the cap", rate(c.Peak), rate(top.MaxRate))},
	} {
		if reason.holds {
			return reason.words
		}
	}
	return ""
}

// profileName is how people call a profile: "High 10".
func profileName(v *spool.VideoStream) string {
	if v.Profile == "" || v.Profile == "unknown" {
		return "a profile of H.264 that few players know"
	}
	return v.Profile
}

func codecName(codec string) string {
	names := map[string]string{
		"hevc": "HEVC", "vp8": "VP8", "vp9": "VP9", "av1": "AV1", "mpeg4": "MPEG-4 Part 2",
		"mpeg2video": "MPEG-2", "mpeg1video": "MPEG-1", "prores": "ProRes",
	}
	if name, known := names[codec]; known {
		return name
	}
	return codec
}

func rate(bitsPerSecond int) string {
	if bitsPerSecond < 1_000_000 {
		return fmt.Sprintf("%d kbit/s", (bitsPerSecond+999)/1000)
	}
	return fmt.Sprintf("%.1f Mbit/s", float64(bitsPerSecond)/1e6)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3g s", d.Seconds()) }
