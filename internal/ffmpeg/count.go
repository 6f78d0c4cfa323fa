package ffmpeg

import (
	"strings"

	"github.com/spool-video/spool"
)

// packetSizes are the samples a packet of codecs whose packets are all equal.
var packetSizes = map[string]int{
	"aac": 1024, "mp3": 1152, "mp2": 1152, "ac3": 1536, "eac3": 1536, "opus": 960, "dts": 512,
}

// CountSamples finds how many samples each packet of a track holds, when all
// hold the same and follow each other without a break; 0 otherwise. lengths is
// how many different durations the packets have. A size is right when counting
// with it stays within two ticks of every packet's time.
func CountSamples(x *SoundIndex, a *spool.AudioStream, lengths int) int {
	// Packets of PCM are cut where reading begins: there is nothing to count.
	if strings.HasPrefix(a.Codec, "pcm_") || a.SampleRate <= 0 || x.Untimed || x.Gaps > 0 || len(x.PTS) < 2 || !x.TimeBase.Known() {
		return 0
	}
	usual := packetSizes[a.Codec]
	sizes := []int{usual, 2 * usual, usual / 2}
	if lengths <= 2 { // one length, and perhaps another at the end
		sizes = append(sizes, int(x.TimeBase.RescaleNearest(x.PTS[1]-x.PTS[0], spool.Ratio{Num: 1, Den: int64(a.SampleRate)})))
	}
	for _, size := range sizes {
		if size > 0 && x.counts(a, size) {
			return size
		}
	}
	return 0
}

func (s *SoundIndex) counts(a *spool.AudioStream, size int) bool {
	for i := range s.PTS {
		if !s.places(i, a, size) {
			return false
		}
	}
	return true
}

// places reports whether packet i lies where counting by packets of a size has it.
func (s *SoundIndex) places(i int, a *spool.AudioStream, size int) bool {
	samples := spool.Ratio{Num: 1, Den: int64(a.SampleRate)}
	slack := 2 + samples.Rescale(1, s.TimeBase)
	off := s.PTS[i] - s.PTS[0] - samples.RescaleNearest(int64(i)*int64(size), s.TimeBase)
	return off <= slack && off >= -slack
}
