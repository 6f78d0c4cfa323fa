package plan

import (
	"bytes"
	"fmt"
	"math/big"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/grid"
	"github.com/spool-video/spool/internal/tap"
)

const (
	// loudest is the highest average rate of sound that is copied, in bits per
	// second: it goes with every rung, and is not to weigh more than the lowest.
	loudest = 200_000
	// largestPacket is what a packet of AAC may have, in bytes: 6144 bits a
	// channel.
	largestPacket = 2 * 6144 / 8
)

// mayHear reports whether a source's sound is worth a look: AAC that would be
// encoded to the same rate and channels.
func mayHear(facts spool.Facts) bool {
	a := ffmpeg.MainAudio(facts)
	return a != nil && facts.Video != nil && a.Codec == "aac" && a.SampleRate == grid.SampleRate && a.Channels <= channels
}

// hear decides whether the source's own packets of sound are published. The
// plan's pictures are laid, and the sound is on their timeline. A copied sound
// is exact in its place: what it holds before 0 is the grid's priming.
func (c candidate) hear(p *spool.Plan, t *track) {
	if !c.movies.known() || !mayHear(p.Facts) || p.Timeline.Frames == 0 {
		return
	}
	samples, why := c.packets(t)
	if why == "" {
		why = copySound(p, t, samples, c.whole)
	}
	if why != "" {
		p.Sound.Why = "encoded: " + why
	}
}

// packets are the source's packets of sound, when they can be counted; else
// why not.
func (c candidate) packets(t *track) ([]tap.Sample, string) {
	i := t.stream.Index
	if i >= len(c.movies.sound.Tracks) || c.movies.sound.Tracks[i].Err != nil || c.movies.sound.Tracks[i].Codec != "mp4a" {
		return nil, "its index does not tell where each packet lies"
	}
	track := &c.movies.sound.Tracks[i]
	if !plainAAC(track.Config, t.stream.Channels) {
		return nil, "not plain AAC-LC"
	}
	if track.TimeBase != (spool.Ratio{Num: 1, Den: grid.SampleRate}) {
		return nil, "its clock is not that of its samples"
	}
	size := int64(0)
	for n, s := range track.Samples {
		if s.Hidden && n >= t.index.Hidden {
			return nil, "an edit list leaves out some of its packets"
		}
		if s.PTS != track.Samples[0].PTS+int64(n)*grid.PacketSamples || s.Size > largestPacket {
			return nil, "its packets do not follow each other without a gap"
		}
		size += int64(s.Size)
	}
	if n := len(track.Samples); n == 0 || bitsPerSecond(size, n) > loudest {
		return nil, fmt.Sprintf("more than %d kbit/s", loudest/1000)
	}
	return track.Samples, ""
}

func bitsPerSecond(bytes int64, packets int) int {
	return int(8 * bytes * grid.SampleRate / (int64(packets) * grid.PacketSamples))
}

// plainAAC reports whether an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1)
// is that of AAC-LC at 48 kHz in packets of 1024 samples, without extensions.
func plainAAC(config []byte, channels int) bool {
	rest, ok := bytes.CutPrefix(config, []byte{0x11, 0x80 | byte(channels)<<3})
	// An extension may follow that says that there is none.
	return ok && channels >= 1 && channels <= 2 && (len(rest) == 0 || bytes.Equal(rest, []byte{0x56, 0xe5, 0}))
}

// copySound lays the grid for packets of the source; or it says why they cannot
// be copied. whole: one of them has to begin at 0, for a container in which the
// first packet cannot be cut.
func copySound(p *spool.Plan, t *track, samples []tap.Sample, whole bool) string {
	start := t.sampleAt(samples[0].PTS)
	if t.at(t.index.Start()).Sign() > 0 || start > 0 {
		return "it begins later than the pictures"
	}
	// The packet before the first that is heard sets the decoder up.
	first := int(max(-start/grid.PacketSamples-1, 0))
	priming := -(start + int64(first)*grid.PacketSamples)
	if whole && priming%grid.PacketSamples != 0 {
		return "none of its packets begins with the pictures, as it has to in MPEG-TS"
	}
	have := len(samples) - first
	if lack := p.Timeline.Samples + priming - int64(have)*grid.PacketSamples; lack > grid.PacketSamples {
		return "it ends before the pictures"
	}
	g := grid.Primed(p.Grid, p.Timeline, int(priming), have)
	for _, n := range g.Packets {
		if n <= 0 {
			return "it ends before the pictures"
		}
	}
	size := int64(0)
	for _, s := range samples {
		size += int64(s.Size)
	}
	p.Grid, p.Sound.Copied, p.Sound.First = g, true, first
	p.Sound.Channels, p.Sound.BitRate = t.stream.Channels, bitsPerSecond(size, len(samples))
	p.Sound.Why = fmt.Sprintf("good as it is: AAC-LC of %d kbit/s", (p.Sound.BitRate+500)/1000)
	return ""
}

// sampleAt is where a presentation time lies on the timeline, in samples of the
// output; to the nearest, which is off by 10 µs at most.
func (t *track) sampleAt(pts int64) int64 {
	return nearest(new(big.Rat).Set(t.at(pts)), spool.Ratio{Num: grid.SampleRate, Den: 1})
}
