package stream

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/Eyevinn/mp4ff/aac"
	"github.com/Eyevinn/mp4ff/bits"
)

// aacSamples is how many samples of a channel an AAC frame holds.
const aacSamples = 1024

// adtsFrame reads the header of one ADTS frame, ISO/IEC 13818-7 section 6.2.
func adtsFrame(b []byte) (conf aac.AudioSpecificConfig, length, frames int, ok bool) {
	if len(b) < 7 || b[0] != 0xff || b[1]&0xf6 != 0xf0 {
		return conf, 0, 0, false
	}
	length = int(b[3]&3)<<11 | int(b[4])<<3 | int(b[5])>>5
	rate, known := aac.FrequencyTable[b[2]>>2&0xf]
	conf = aac.AudioSpecificConfig{ObjectType: b[2]>>6 + 1, ChannelConfiguration: b[2]&1<<2 | b[3]>>6, SamplingFrequency: rate}
	return conf, length, int(b[6]&3) + 1, known && length >= 7
}

// adts counts the samples of audio frames and takes their configuration.
func (e *elementary) adts(b []byte) {
	b = append(e.audio, b...)
	for len(b) >= 7 {
		conf, length, frames, ok := adtsFrame(b)
		if !ok || length > len(b) {
			break
		}
		e.sampled += int64(frames) * aacSamples
		if e.samples != nil {
			e.samples.frame(b[:length])
			e.samples.clear[Audio] = append(e.samples.clear[Audio], b[:length]...)
		}
		if e.track.Config == nil {
			var config bytes.Buffer
			if conf.Encode(&config) == nil {
				e.track.aac(config.Bytes())
			}
		}
		b = b[length:]
	}
	e.audio = bytes.Clone(b)
}

// latm reads the audio object type of AAC in LOAS, ISO/IEC 14496-3 sections
// 1.7.2 and 1.7.3; the rest of it is not looked at.
func (t *Track) latm(b []byte) {
	r := bits.NewReader(bytes.NewReader(b))
	const sync, escape = 0x2b7, 31
	value := func() { r.Read(8 * (int(r.Read(2)) + 1)) } // LatmGetValue
	if r.Read(11) != sync {
		return
	}
	r.Read(13)          // audioMuxLengthBytes
	if r.Read(1) == 1 { // useSameStreamMux
		return
	}
	version := r.Read(1)
	if version == 1 {
		if r.Read(1) == 1 {
			return // a version to come
		}
		value() // taraBufferFullness
	}
	r.Read(1 + 6 + 4 + 3) // allStreamsSameTimeFraming, numSubFrames, numProgram, numLayer
	if version == 1 {
		value() // ascLen
	}
	object := int(r.Read(5))
	if object == escape {
		object = 32 + int(r.Read(6))
	}
	if r.AccError() == nil {
		t.Codec, t.Sound.Object = fmt.Sprintf("mp4a.40.%d", object), object
	}
}

// timestampOwner names the ID3 frame that says when packed audio begins, RFC
// 8216 section 3.4.
const timestampOwner = "com.apple.streaming.transportStreamTimestamp\x00"

// readPacked reads audio frames behind an ID3 tag.
func readPacked(b []byte, s *samples) Media {
	m := Media{Container: Packed}
	start, timed := int64(0), false
	for len(b) > 10 && string(b[:3]) == "ID3" {
		size := int(b[6])<<21 | int(b[7])<<14 | int(b[8])<<7 | int(b[9])
		end := min(10+size, len(b))
		if at := bytes.Index(b[:end], []byte(timestampOwner)); at >= 0 && end-at >= len(timestampOwner)+8 {
			start = int64(binary.BigEndian.Uint64(b[at+len(timestampOwner):]))
			if timed = start>>33 == 0; !timed {
				m.wrong(43, "the time stamp of its ID3 tag has more than 33 bits")
			}
		}
		b = b[end:]
	}
	if !timed {
		m.wrong(43, "it has no ID3 tag with the time stamp of its start")
	}
	e := elementary{samples: s, track: Track{Kind: Audio, Timescale: clock, Entry: "mp4a", Sampled: s != nil}, started: true, times: []int64{start}, decodes: []int64{start}}
	e.run.Bytes = int64(len(b))
	if _, _, _, ok := adtsFrame(b); ok {
		e.adts(b)
		if len(e.audio) > 0 {
			m.wrong(43, "%d bytes at its end are no audio frame", len(e.audio))
		}
	} else {
		e.track.Entry = "packed" // AC-3 or MP3, of which the length is not known
	}
	if run, ok := e.finish(&m); ok {
		m.Runs = append(m.Runs, run)
	}
	return m
}

// ticks shows a time of a track.
func ticks(n int64, t Track) string {
	if t.Timescale <= 0 {
		return fmt.Sprint(n)
	}
	return Time(n, t.Timescale).String()
}

// Time is n ticks as a duration.
func Time(n, timescale int64) time.Duration {
	if timescale <= 0 {
		return 0
	}
	whole, rest := n/timescale, n%timescale
	return time.Duration(whole)*time.Second + time.Duration(rest)*time.Second/time.Duration(timescale)
}
