package cmaf

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/Eyevinn/mp4ff/avc"
)

// H264 is what an avcC payload says of its pictures.
type H264 struct {
	Profile     int // profile_idc: 66, 77, 100 are what every player takes
	Level       int // level_idc: 51 is level 5.1
	Width       int // pixels, what is cropped left out
	Height      int
	Chroma      int  // chroma_format_idc: 1 is 4:2:0
	BitDepth    int  // of a sample
	Progressive bool // frame_mbs_only_flag
	FullRange   bool
}

// lengthSize is how many bytes the length before each NAL unit has in files
// that VideoInit can describe, which is all but very few.
const lengthSize = 4

// ParseH264 reads an avcC payload of which VideoInit makes an init section
// that says the very same. Its errors wrap ErrMalformed; ErrLengths and
// ErrSets tell two that are well-formed, but cannot be published.
func ParseH264(avcC []byte) (H264, error) {
	if len(avcC) > 4 && avcC[0] == 1 && int(avcC[4]&3)+1 != lengthSize {
		return H264{}, ErrLengths
	}
	conf, sps, err := parameterSets(avcC)
	if err != nil {
		if len(conf.SPSnalus) > 1 {
			return H264{}, ErrSets
		}
		return H264{}, err
	}
	var again bytes.Buffer
	if err := conf.Encode(&again); err != nil || !bytes.Equal(again.Bytes(), avcC) {
		return H264{}, malformed("avcC of %d bytes does not come out as it went in", len(avcC))
	}
	h := H264{
		Profile: int(sps.Profile), Level: int(sps.Level), Width: int(sps.Width), Height: int(sps.Height),
		Chroma: int(sps.ChromaFormatIDC), BitDepth: 8 + int(max(sps.BitDepthLumaMinus8, sps.BitDepthChromaMinus8)),
		Progressive: sps.FrameMbsOnlyFlag, FullRange: sps.VUI != nil && sps.VUI.VideoFullRangeFlag,
	}
	return h, nil
}

// Picture is what the NAL units of one sample say of it.
type Picture struct {
	IDR      bool // its slices belong to an IDR picture
	Sets     bool // it holds parameter sets that are not those of the avcC
	Captions bool // it holds closed captions
}

// NAL unit types, ITU-T H.264 table 7-1.
const (
	nalSlice     = 1
	nalIDR       = 5
	nalSEI       = 6
	nalSPS       = 7
	nalPPS       = 8
	nalSPSExt    = 13
	nalSubsetSPS = 15
)

// LookAt reads a sample in the length-prefixed form of an avcC payload that
// ParseH264 takes. Its errors wrap ErrMalformed: lengths that do not add up,
// no slices, or slices of IDR and of other pictures.
func LookAt(sample, avcC []byte) (Picture, error) {
	var p Picture
	slices, idr := 0, 0
	for rest := sample; len(rest) > 0; {
		if len(rest) < lengthSize {
			return p, malformed("a picture ends within the length of a NAL unit")
		}
		length := binary.BigEndian.Uint32(rest)
		rest = rest[lengthSize:]
		if length == 0 || uint64(length) > uint64(len(rest)) {
			return p, malformed("a NAL unit of %d bytes, where %d are left", length, len(rest))
		}
		unit := rest[:length]
		rest = rest[length:]
		switch kind := unit[0] & 0x1f; kind {
		case nalSlice, 2, 3, 4, nalIDR:
			slices++
			if kind == nalIDR {
				idr++
			}
		case nalSEI:
			p.Captions = p.Captions || HasCaptions(unit[1:])
		case nalSPS, nalPPS, nalSPSExt, nalSubsetSPS:
			p.Sets = p.Sets || !knownSet(unit, avcC)
		}
	}
	if slices == 0 || idr != 0 && idr != slices {
		return p, malformed("a sample with %d slices, %d of them of an IDR picture", slices, idr)
	}
	p.IDR = idr > 0
	return p, nil
}

// knownSet reports whether a parameter set is one of the avcC's.
func knownSet(unit, avcC []byte) bool {
	conf, err := avc.DecodeAVCDecConfRec(avcC)
	if err != nil {
		return false
	}
	for _, sets := range [][][]byte{conf.SPSnalus, conf.PPSnalus} {
		for _, set := range sets {
			if bytes.Equal(set, unit) {
				return true
			}
		}
	}
	return false
}

// HasCaptions looks for CEA-608 or CEA-708 captions in SEI messages: payload
// type 4, registered by ITU-T T.35, of ATSC (A/53 part 4). Encoders send empty
// ones, which do not count.
func HasCaptions(sei []byte) bool {
	sei = bytes.ReplaceAll(sei, []byte{0, 0, 3}, []byte{0, 0}) // emulation prevention
	for len(sei) > 2 {
		kind, rest := seiNumber(sei)
		size, rest := seiNumber(rest)
		if size > len(rest) {
			return false
		}
		if kind == 4 && captions(rest[:size]) {
			return true
		}
		sei = rest[size:]
	}
	return false
}

// Messages are the payload types of the SEI messages of a unit, without its
// header, as far as they can be read.
func Messages(sei []byte) (kinds []int) {
	sei = bytes.ReplaceAll(sei, []byte{0, 0, 3}, []byte{0, 0}) // emulation prevention
	for len(sei) > 2 {
		kind, rest := seiNumber(sei)
		size, rest := seiNumber(rest)
		if size > len(rest) {
			return kinds
		}
		kinds, sei = append(kinds, kind), rest[size:]
	}
	return kinds
}

// seiNumber reads a number that is written as so many 255s and a last byte.
func seiNumber(b []byte) (n int, rest []byte) {
	for i, v := range b {
		n += int(v)
		if v != 0xff {
			return n, b[i+1:]
		}
	}
	return n, nil
}

// captions reads T.35 user data: country, provider, "GA94", type 3, flags with
// a count, a reserved byte and triplets.
func captions(data []byte) bool {
	const header = 10
	if len(data) < header || !bytes.Equal(data[:8], append([]byte{0xb5, 0, 0x31}, "GA94\x03"...)) {
		return false
	}
	for i, at := 0, header; i < int(data[8]&0x1f) && at+3 <= len(data); i, at = i+1, at+3 {
		valid, kind := data[at]&4 != 0, data[at]&3
		empty := kind < 2 && data[at+1]&0x7f == 0 && data[at+2]&0x7f == 0
		if valid && !empty {
			return true
		}
	}
	return false
}

// Errors of avcC payloads that are well-formed, but not what Spool publishes.
var (
	ErrLengths = fmt.Errorf("%w: its NAL units have lengths of fewer than 4 bytes", ErrMalformed)
	ErrSets    = fmt.Errorf("%w: it has more than one sequence parameter set", ErrMalformed)
)
