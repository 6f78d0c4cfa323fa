// Package estimate says beforehand what publishing a video will cost: bytes
// and core-hours. It is arithmetic on what was measured once, good for
// planning a night and not for a bill.
package estimate

import (
	"time"

	"github.com/spool-video/spool"
)

// Cost is what publishing a video will take.
type Cost struct {
	Bytes    int64         `json:"bytes"`    // published
	CoreTime time.Duration `json:"coreTime"` // of one core, for all rungs and the sound
}

// Add sums two costs.
func (c Cost) Add(o Cost) Cost { return Cost{c.Bytes + o.Bytes, c.CoreTime + o.CoreTime} }

// Measured with x264 r3095 at preset medium, capped CRF 23, on 1080p24 film:
// what a core needs for a million pixels of one frame, and for a second of sound.
const (
	encodeMegapixel = 24 * time.Millisecond
	decodeMegapixel = 2500 * time.Microsecond
	encodeSound     = 40 * time.Millisecond
)

// surround is how many channels a track has that is published in stereo and in
// 5.1.
const surround = 6

// usualShare is what capped CRF spends of its cap on the average of film.
const usualShare = 0.6

// presets are the costs of x264's presets, where medium is 1.
var presets = map[string]float64{
	"ultrafast": 0.12, "superfast": 0.17, "veryfast": 0.33, "faster": 0.55, "fast": 0.8, "medium": 1,
	"slow": 1.7, "slower": 3.4, "veryslow": 6, "placebo": 12,
}

// Measured with MPEG-TS: each packet of 188 bytes holds 184, and a picture takes
// headers and stuffing besides; packed audio has smaller headers than MP4.
const (
	packets      = 188.0 / 184
	picture      = 160 // bytes
	packedSound  = 0.97
	containerTS  = "ts"
	usualMaxRate = 60 // pictures a second that are published at most
)

// Of is the cost of a source of this length with the rungs that are made, at a
// preset and in a container.
func Of(facts spool.Facts, rungs []spool.Rung, length time.Duration, settings spool.Settings) Cost {
	var c Cost
	if facts.Video != nil {
		c = pictures(facts, rungs, length, settings.Preset)
	}
	if settings.Container == containerTS {
		c.Bytes = int64(float64(c.Bytes)*packets) + wrapping(facts, rungs, length)
	}
	for _, a := range facts.Audio {
		bitsPerSecond, cost := 128_000.0, float64(encodeSound)
		if a.Channels >= surround {
			bitsPerSecond, cost = bitsPerSecond+320_000, cost*(1+surround/2)
		}
		if settings.Container == containerTS {
			bitsPerSecond *= packedSound
		}
		c.Bytes += int64(length.Seconds() * bitsPerSecond / 8)
		c.CoreTime += time.Duration(length.Seconds() * cost)
	}
	return c
}

// wrapping is what headers and stuffing of all pictures take, in bytes.
func wrapping(facts spool.Facts, rungs []spool.Rung, length time.Duration) int64 {
	if facts.Video == nil {
		return 0
	}
	made := 0
	for _, r := range rungs {
		if r.Action != spool.SkipRung {
			made++
		}
	}
	return int64(length.Seconds() * min(facts.Video.FrameRate.Float(), usualMaxRate) * picture * float64(made))
}

func pictures(facts spool.Facts, rungs []spool.Rung, length time.Duration, preset string) Cost {
	v := facts.Video
	frames := length.Seconds() * min(v.FrameRate.Float(), usualMaxRate)
	factor := presets[preset]
	if factor == 0 {
		factor = 1
	}
	var cost Cost
	encoded := 0.0 // million pixels a frame, of all rungs
	for _, r := range rungs {
		capped := int64(length.Seconds() * float64(r.MaxRate) / 8)
		switch r.Action {
		case spool.EncodeRung:
			cost.Bytes += int64(usualShare * float64(capped))
			encoded += megapixels(r.Width, r.Height)
		case spool.CopyRung:
			// The source's own pictures: they are most of it, and no more than the cap.
			cost.Bytes += min(facts.Size, capped)
		case spool.SkipRung:
		}
	}
	if encoded > 0 {
		cost.CoreTime = time.Duration(frames * (megapixels(v.Width, v.Height)*float64(decodeMegapixel) + encoded*factor*float64(encodeMegapixel)))
	}
	return cost
}

func megapixels(width, height int) float64 { return float64(width) * float64(height) / 1e6 }
