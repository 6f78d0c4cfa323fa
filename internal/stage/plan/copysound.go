package plan

import (
	"bytes"
	"fmt"
	"math/big"
	"slices"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/grid"
	"github.com/spool-video/spool/internal/tap"
)

// loudest is the highest average rate of sound of so many channels that is
// copied, in bits per second: it goes with every rung, and is not to weigh
// more than the lowest. What rule 45 of package rules takes for too much is
// encoded: more than a tenth above 160 and 320 kbit/s.
func loudest(channels int) int {
	if channels > stereo {
		return 352_000
	}
	return 176_000
}

// packetBytes is what a packet of AAC may have a channel.
const packetBytes = 6144 / 8

// mayHear reports whether one of a source's sounds is worth a look.
func mayHear(facts spool.Facts) bool {
	return facts.Video != nil && slices.ContainsFunc(facts.Audio, func(a spool.AudioStream) bool {
		return like(a, stereo) || like(a, surround)
	})
}

// like reports whether a track is AAC that would be encoded to the same rate
// and channels.
func like(a spool.AudioStream, channels int) bool {
	return a.Codec == "aac" && a.SampleRate == grid.SampleRate && (a.Channels == channels || a.Channels < channels && channels == stereo)
}

// hear decides whether the source's own packets of a sound are published. The
// plan's pictures are laid, and the sound is on their timeline. A copied sound
// is exact in its place: what it holds before 0 is its priming.
func (c candidate) hear(p *spool.Plan, t *track, s *spool.Sound) {
	if !c.movies.known() || p.Timeline.Frames == 0 || !like(*t.stream, s.Channels) {
		return
	}
	was := *s
	samples, why := c.packets(t)
	if why == "" {
		why = copySound(p, t, s, samples)
	}
	// Where nothing cuts the first packet, one has to begin with the pictures.
	if why == "" && c.whole && s.PrimingSamples%grid.PacketSamples != 0 {
		why = "none of its packets begins with the pictures, as it has to in MPEG-TS"
		*s = was
	}
	if why != "" {
		s.Why = "encoded: " + why
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
		if s.PTS != track.Samples[0].PTS+int64(n)*grid.PacketSamples || int(s.Size) > packetBytes*t.stream.Channels {
			return nil, "its packets do not follow each other without a gap"
		}
		size += int64(s.Size)
	}
	if n := len(track.Samples); n == 0 || bitsPerSecond(size, n) > loudest(t.stream.Channels) {
		return nil, fmt.Sprintf("more than %d kbit/s", loudest(t.stream.Channels)/1000)
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
	return ok && (channels >= 1 && channels <= stereo || channels == surround) && (len(rest) == 0 || bytes.Equal(rest, []byte{0x56, 0xe5, 0}))
}

// copySound lays the grid for packets of the source; or it says why they cannot
// be copied.
func copySound(p *spool.Plan, t *track, s *spool.Sound, samples []tap.Sample) string {
	start := t.sampleAt(samples[0].PTS)
	if t.at(t.index.Start()).Sign() > 0 || start > 0 {
		return "it begins later than the pictures"
	}
	// The packet before the first that is heard sets the decoder up.
	first := int(max(-start/grid.PacketSamples-1, 0))
	priming := -(start + int64(first)*grid.PacketSamples)
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
	for _, packet := range samples {
		size += int64(packet.Size)
	}
	s.Copied, s.First, s.Packets, s.PrimingSamples = true, first, g.Packets, g.PrimingSamples
	s.Channels, s.BitRate = t.stream.Channels, bitsPerSecond(size, len(samples))
	s.Why = fmt.Sprintf("good as it is: AAC-LC of %d kbit/s", (s.BitRate+500)/1000)
	return ""
}

// sampleAt is where a presentation time lies on the timeline, in samples of the
// output; to the nearest, which is off by 10 µs at most.
func (t *track) sampleAt(pts int64) int64 {
	return nearest(new(big.Rat).Set(t.at(pts)), spool.Ratio{Num: grid.SampleRate, Den: 1})
}
