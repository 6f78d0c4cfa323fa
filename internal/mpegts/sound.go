package mpegts

import (
	"bytes"
	"encoding/binary"

	"github.com/Eyevinn/mp4ff/aac"

	"github.com/spool-video/spool/internal/cmaf"
)

// adtsHeaderSize is that of an ADTS header without a CRC; maxADTS is what its
// length field can say, ISO/IEC 13818-7 section 6.2.
const (
	adtsHeaderSize = 7
	maxADTS        = 1<<13 - 1
)

// timestampOwner names the frame of an ID3 tag that says when packed audio
// begins, RFC 8216 section 3.4.
const timestampOwner = "com.apple.streaming.transportStreamTimestamp\x00"

// Unheard is how many of so many packets lie wholly before the timeline's 0,
// of which priming samples are. The first packet begins at a sample of the
// coded sound.
func Unheard(first, priming int64, packets int) int {
	return int(min(max(priming-first, 0)/cmaf.PacketSamples, int64(packets)))
}

// Sound wraps AAC packets as packed audio: an ID3 tag with the PTS of the
// first, and the packets in ADTS framing. config is the AudioSpecificConfig;
// times of the fragment are samples, and priming is how many of them lie before
// the timeline's 0. Its errors wrap ErrUnfit.
//
// Packets that are not heard are left out: there is no edit list to cut them
// here, and players that place the first packet at 0 would be late by them.
func Sound(config []byte, priming int64, f cmaf.Fragment) ([]byte, error) {
	header, rate, err := adtsHeader(config)
	if err != nil {
		return nil, err
	}
	first := int64(f.Decode)
	unheard := Unheard(first, priming, len(f.Samples))
	if unheard == len(f.Samples) {
		return nil, unfit("a segment of sound with %d packets, of which none is heard", unheard)
	}
	first += int64(unheard) * cmaf.PacketSamples
	out := appendTag(nil, Time(first-priming, rate))
	for i, s := range f.Samples[unheard:] {
		size := len(s.Data) + adtsHeaderSize
		if size > maxADTS || len(s.Data) == 0 {
			return nil, unfit("packet %d has %d bytes", i, len(s.Data))
		}
		head := header
		head[3] |= byte(size >> 11)
		head[4] = byte(size >> 3)
		head[5] |= byte(size << 5)
		out = append(append(out, head[:]...), s.Data...)
	}
	return out, nil
}

// SoundRate is what AAC of a rate, in bits per second, has as packed audio.
func SoundRate(rate int, packets float64) int {
	return rate + int(8*adtsHeaderSize*packets+8*float64(tagSize))
}

// adtsHeader is the header of all packets, but for their length.
func adtsHeader(config []byte) (head [adtsHeaderSize]byte, rate int, err error) {
	conf, err := aac.DecodeAudioSpecificConfigHeader(bytes.NewReader(config))
	if err != nil {
		return head, 0, unfit("audio configuration: %v", err)
	}
	channels := conf.ChannelConfiguration
	for index, frequency := range aac.FrequencyTable {
		if frequency != conf.SamplingFrequency {
			continue
		}
		if conf.ObjectType != aac.AAClc || channels == 0 || channels > 7 {
			break
		}
		const variable = 0x7ff // buffer fullness: of a variable bit rate
		return [adtsHeaderSize]byte{
			0xff, 0xf1, // sync word, MPEG-4, no CRC
			(conf.ObjectType-1)<<6 | index<<2 | channels>>2,
			channels << 6,
			0,
			variable >> 6,
			variable << 2 & 0xff,
		}, frequency, nil
	}
	return head, 0, unfit("AAC of object type %d, %d Hz, channel configuration %d", conf.ObjectType, conf.SamplingFrequency, channels)
}

// tagSize is how many bytes the ID3 tag has.
const tagSize = 10 + 10 + len(timestampOwner) + 8

// appendTag writes an ID3v2.4 tag with one PRIV frame. Sizes are written in 7
// bits a byte, which for these is the same as one byte.
func appendTag(b []byte, pts int64) []byte {
	b = append(b, 'I', 'D', '3', 4, 0, 0, 0, 0, 0, byte(tagSize-10))
	b = append(b, 'P', 'R', 'I', 'V', 0, 0, 0, byte(tagSize-20), 0, 0)
	b = append(b, timestampOwner...)
	return binary.BigEndian.AppendUint64(b, uint64(pts))
}
