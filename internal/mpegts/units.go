package mpegts

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/Eyevinn/mp4ff/avc"

	"github.com/spool-video/spool/internal/cmaf"
)

// NAL unit types, ITU-T H.264 table 7-1.
const (
	nalIDR       = 5
	nalSPS       = 7
	nalPPS       = 8
	nalDelimiter = 9
)

// delimiter is an access unit delimiter before a picture with any slices.
var delimiter = []byte{nalDelimiter, 0xf0}

// sets are the parameter sets of an avcC payload.
type sets struct {
	all     [][]byte // SPS, then PPS
	length  int      // bytes of the length before each NAL unit
	reorder int      // pictures that may come before one in decoding and after it in showing
}

func parse(avcC []byte) (s sets, err error) {
	// The library is careful with hostile input, but it is not ours.
	defer func() {
		if p := recover(); p != nil {
			err = unfit("avcC: %v", p)
		}
	}()
	conf, err := avc.DecodeAVCDecConfRec(avcC)
	if err != nil {
		return sets{}, unfit("avcC: %v", err)
	}
	if len(conf.SPSnalus) != 1 || len(conf.PPSnalus) == 0 {
		return sets{}, unfit("%d SPS and %d PPS", len(conf.SPSnalus), len(conf.PPSnalus))
	}
	sps, err := cmaf.ParseSPS(conf.SPSnalus[0])
	if err != nil {
		return sets{}, unfit("%v", err)
	}
	return sets{
		all: slices.Concat(conf.SPSnalus, conf.PPSnalus), length: int(avcC[4]&3) + 1, reorder: reorder(sps),
	}, nil
}

// maxBuffer is what MaxDpbMbs of ITU-T H.264 table A-1 says for each level_idc.
var maxBuffer = map[uint32]uint{
	9: 396, 10: 396, 11: 900, 12: 2376, 13: 2376, 20: 2376, 21: 4752, 22: 8100, 30: 8100, 31: 18000, 32: 20480,
	40: 32768, 41: 32768, 42: 34816, 50: 110400, 51: 184320, 52: 184320, 60: 696320, 61: 696320, 62: 696320,
}

// mostReorder is how many pictures a decoder ever holds back.
const mostReorder = 16

// reorder is how many pictures a decoder holds back to show them in order: as
// the SPS says, else as many as the level allows (section E.2.1). All parts of a
// stream have the same SPS, so that their decode times agree.
func reorder(sps *avc.SPS) int {
	if v := sps.VUI; v != nil && v.BitstreamRestrictionFlag {
		return int(min(v.MaxNumReorderFrames, mostReorder))
	}
	blocks := (sps.Width + 15) / 16 * ((sps.Height + 15) / 16)
	most, known := maxBuffer[sps.Level]
	if !known || blocks == 0 {
		return mostReorder
	}
	return int(min(most/blocks, mostReorder))
}

// annexB makes of a sample a byte stream (ITU-T H.264 annex B) that begins with
// an access unit delimiter and, before a key frame, has the parameter sets.
func (s sets) annexB(sample cmaf.Sample) ([]byte, error) {
	units, err := s.split(sample.Data)
	if err != nil {
		return nil, err
	}
	out := appendUnit(make([]byte, 0, len(sample.Data)+64), delimiter)
	if sample.Sync {
		for _, set := range s.all {
			out = appendUnit(out, set)
		}
	}
	pictures := 0
	for _, u := range units {
		switch kind := u[0] & 0x1f; {
		case kind == nalDelimiter, (kind == nalSPS || kind == nalPPS) && s.has(u):
			continue // they are there already
		case kind == nalSPS || kind == nalPPS:
			return nil, unfit("its parameter sets change")
		case kind >= 1 && kind <= nalIDR:
			if pictures++; sample.Sync != (kind == nalIDR) {
				return nil, unfit("a slice of type %d, in a sample whose key frame flag is %v", kind, sample.Sync)
			}
		}
		out = appendUnit(out, u)
	}
	if pictures == 0 {
		return nil, unfit("a sample without slices")
	}
	return out, nil
}

func (s sets) has(unit []byte) bool {
	return slices.ContainsFunc(s.all, func(set []byte) bool { return bytes.Equal(set, unit) })
}

func appendUnit(b, unit []byte) []byte {
	return append(append(b, 0, 0, 0, 1), unit...)
}

// split cuts a sample into its NAL units by the lengths before them. Zeros at
// the end of one are not its own, and would be taken for a start code's.
func (s sets) split(sample []byte) ([][]byte, error) {
	var units [][]byte
	for len(sample) > 0 {
		if len(sample) < s.length {
			return nil, unfit("a sample ends within the length of a NAL unit")
		}
		var wide [4]byte
		copy(wide[4-s.length:], sample)
		length := uint64(binary.BigEndian.Uint32(wide[:]))
		sample = sample[s.length:]
		if length == 0 || length > uint64(len(sample)) {
			return nil, unfit("a NAL unit of %d bytes, where %d are left", length, len(sample))
		}
		unit := bytes.TrimRight(sample[:length], "\x00")
		if len(unit) == 0 || bytes.Contains(unit, []byte{0, 0, 1}) {
			return nil, unfit("a NAL unit that is empty or holds a start code")
		}
		units = append(units, unit)
		sample = sample[length:]
	}
	return units, nil
}
