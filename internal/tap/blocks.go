package tap

import (
	"encoding/binary"
	"math"
)

// blockTicks is how many samples of uncompressed sound ffmpeg reads at once.
const blockTicks = 1024

// pcmBits are the bits of one value of uncompressed sound, by sample entry; 0:
// as the entry says.
var pcmBits = map[string]int{
	"sowt": 0, "twos": 0, "raw ": 8, "ulaw": 8, "alaw": 8,
	"in24": 24, "in32": 32, "fl32": 32, "fl64": 64, "lpcm": 0,
}

// frameBytes is how many bytes the values of all channels for one moment take,
// by the sample entry of an stsd box with a single entry; 0 when the sound is
// compressed or that is not certain.
func frameBytes(stsd []byte) uint32 {
	const entry = 16 // stsd's fields, and the header of its entry
	if len(stsd) < entry+28 {
		return 0
	}
	body := stsd[entry:]
	bits, known := pcmBits[string(stsd[12:16])]
	version := binary.BigEndian.Uint16(body[8:])
	channels, width := uint32(binary.BigEndian.Uint16(body[16:])), uint32(binary.BigEndian.Uint16(body[18:]))
	if version == 2 && len(body) >= 64 {
		channels, width = u32(body, 40), u32(body, 48)
	}
	if bits > 0 {
		width = uint32(bits)
	}
	if !known || version > 2 || channels == 0 || channels > 64 || width%8 != 0 || width > 64 {
		return 0
	}
	// Both ways of packing several moments into a packet are others' business.
	if version == 1 && len(body) >= 44 && u32(body, 28) > 1 || version == 2 && len(body) >= 64 && u32(body, 60) > 1 {
		return 0
	}
	return channels * width / 8
}

// inBlocks reports whether ffmpeg reads the track in blocks: sound whose every
// sample lasts one tick.
func (s *samples) inBlocks(stts []byte) bool {
	entries, err := table("stts", stts, 8)
	return err == nil && s.audio && len(entries) == 8 && u32(entries, 4) == 1
}

// blocks makes a sample of each block: its moments follow each other without a
// break, and no block goes beyond its chunk.
func (s *samples) blocks(tables map[string][]byte, limit int) error {
	stsz, frame := tables["stsz"], frameBytes(tables["stsd"])
	if frame == 0 || len(stsz) < 12 || u32(stsz, 4) != frame || tables["ctts"] != nil || tables["stss"] != nil {
		return unsupported("samples of one tick, which are not plain sound")
	}
	now := int64(0)
	err := eachChunk(tables, func(at uint64, per int64) error {
		for per > 0 {
			n := min(per, blockTicks)
			if len(s.all) == limit || at > math.MaxInt64/4 || s.size < 0 && len(s.all) == maxEqual {
				return unsupported("too many blocks")
			}
			if s.size >= 0 && int64(at)+n*int64(frame) > s.size {
				return unsupported("block %d at %d, beyond the end of the file", len(s.all), at)
			}
			s.all = append(s.all, Sample{DTS: now, Pos: int64(at), Size: uint32(n) * frame, Duration: uint32(n), Key: true})
			now, per, at = now+n, per-n, at+uint64(n)*uint64(frame)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if count := int64(u32(tables["stts"], 8)); now != count || now != int64(u32(stsz, 8)) {
		return unsupported("%d moments of %d", now, count)
	}
	if s.length <= 0 {
		return unsupported("mdhd: no duration")
	}
	s.length = min(s.length, now)
	return nil
}
