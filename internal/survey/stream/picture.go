package stream

import (
	"encoding/hex"

	"github.com/Eyevinn/mp4ff/hevc"

	"github.com/spool-video/spool/internal/cmaf"
)

// NAL unit types: ITU-T H.264 table 7-1, H.265 table 7-1.
const (
	h264Slice, h264IDR, h264SEI, h264SPS, h264PPS = 1, 5, 6, 7, 8

	hevcIDRW, hevcIDRN, hevcCRA = 19, 20, 21
	hevcLastSlice               = 31
	hevcVPS, hevcSPS, hevcPPS   = 32, 33, 34
	hevcSEI                     = 39
)

// h264 reads sequence parameter sets; the last one that can be read counts.
func (t *Track) h264(sets [][]byte) {
	for _, set := range sets {
		sps, err := cmaf.ParseSPS(set)
		if err != nil {
			continue
		}
		p := Picture{
			Width: int(sps.Width), Height: int(sps.Height), Profile: int(sps.Profile), Level: int(sps.Level),
			Interlaced: !sps.FrameMbsOnlyFlag, Depth: int(sps.BitDepthLumaMinus8) + 8,
			Blocks: int((sps.Width + 15) / 16 * ((sps.Height + 15) / 16)), Kept: int(sps.NumRefFrames),
		}
		if v := sps.VUI; v != nil {
			p.Kept = max(p.Kept, int(v.MaxDecFrameBuffering))
			p.Width = square(p.Width, int(v.SampleAspectRatioWidth), int(v.SampleAspectRatioHeight))
			if v.ColourDescriptionFlag {
				p.Colour = [3]int{int(v.ColourPrimaries), int(v.TransferCharacteristics), int(v.MatrixCoefficients)}
			}
		}
		t.Picture = p
		if t.Codec == "" && len(set) >= 4 {
			t.Codec = "avc1." + hex.EncodeToString(set[1:4])
		}
	}
}

// hevc does for HEVC what h264 does for H.264.
func (t *Track) hevc(entry string, sets [][]byte) {
	for _, set := range sets {
		sps, err := hevc.ParseSPSNALUnit(set)
		if err != nil {
			continue
		}
		width, height := sps.ImageSize()
		tier := sps.ProfileTierLevel
		p := Picture{
			Width: int(width), Height: int(height), Profile: int(tier.GeneralProfileIDC), Level: int(tier.GeneralLevelIDC),
			HighTier: tier.GeneralTierFlag, Interlaced: tier.GeneralInterlacedSourceFlag && !tier.GeneralProgressiveSourceFlag,
			Depth: int(sps.BitDepthLumaMinus8) + 8,
		}
		if v := sps.VUI; v != nil {
			p.Width = square(p.Width, int(v.SampleAspectRatioWidth), int(v.SampleAspectRatioHeight))
			if v.ColourDescriptionFlag {
				p.Colour = [3]int{int(v.ColourPrimaries), int(v.TransferCharacteristics), int(v.MatrixCoefficients)}
			}
		}
		t.Picture = p
		t.Codec = hevc.CodecString(entry, sps)
	}
}

// mastered reads what SEI units in the sample description of HEVC say of HDR:
// payload types 137 and 144 of ITU-T H.265 annex D.
func (t *Track) mastered(units [][]byte) {
	for _, u := range units {
		for _, kind := range cmaf.Messages(u[min(len(u), 2):]) {
			t.Mastering = t.Mastering || kind == 137
			t.LightLevel = t.LightLevel || kind == 144
		}
	}
}

// square is a width in square pixels.
func square(width, horizontal, vertical int) int {
	if horizontal <= 0 || vertical <= 0 || horizontal == vertical {
		return width
	}
	return (width*horizontal + vertical/2) / vertical
}

// units splits a sample into its NAL units by their lengths; ok is false when
// these do not add up.
func units(sample []byte, lengthSize int) (nals [][]byte, ok bool) {
	for len(sample) > 0 {
		if len(sample) < lengthSize {
			return nals, false
		}
		length := 0
		for _, b := range sample[:lengthSize] {
			length = length<<8 | int(b)
		}
		sample = sample[lengthSize:]
		if length == 0 || length > len(sample) {
			return nals, false
		}
		nals = append(nals, sample[:length])
		sample = sample[length:]
	}
	return nals, true
}

// picture is what the NAL units of one sample say of it.
type picture struct {
	idr, slices, captions bool
	kind                  string // of its first slice, in words
	sets                  [][]byte
}

func lookH264(nals [][]byte) picture {
	var p picture
	for _, n := range nals {
		if len(n) == 0 {
			continue
		}
		switch kind := n[0] & 0x1f; {
		case kind >= h264Slice && kind <= h264IDR:
			if !p.slices {
				p.slices, p.idr, p.kind = true, kind == h264IDR, "a picture that is not IDR"
			}
		case kind == h264SEI:
			p.captions = p.captions || cmaf.HasCaptions(n[1:])
		case kind == h264SPS:
			p.sets = append(p.sets, n)
		}
	}
	return p
}

func lookHEVC(nals [][]byte) picture {
	var p picture
	for _, n := range nals {
		if len(n) < 2 {
			continue
		}
		switch kind := n[0] >> 1 & 0x3f; {
		case kind <= hevcLastSlice:
			if !p.slices {
				p.slices, p.idr, p.kind = true, kind == hevcIDRW || kind == hevcIDRN, "a picture that is not IDR"
				if kind == hevcCRA {
					p.kind = "CRA"
				}
			}
		case kind == hevcSEI:
			p.captions = p.captions || cmaf.HasCaptions(n[2:])
		case kind == hevcSPS:
			p.sets = append(p.sets, n)
		}
	}
	return p
}

func isH264(entry string) bool { return entry == "avc1" || entry == "avc3" }

func isHEVC(entry string) bool {
	return entry == "hvc1" || entry == "hev1" || entry == "dvh1" || entry == "dvhe"
}
