package cmaf

import (
	"bytes"
	"encoding/hex"
	"fmt"

	"github.com/Eyevinn/mp4ff/aac"
	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/mp4"
)

// Track is what a moov box says of its one track.
type Track struct {
	Timescale int    // ticks per second
	Config    []byte // avcC payload, or AudioSpecificConfig
	Video     bool
	Width     int // pixels, as the sample entry says; 0 for audio
	Height    int
	// Priming is how much media, in ticks, the edit list cuts from the start.
	Priming int64
}

// Codec is the track's name in a CODECS attribute.
func (t Track) Codec() (string, error) {
	if t.Video {
		return VideoCodec(t.Config)
	}
	return AudioCodec(t.Config)
}

// VideoCodec makes the RFC 6381 name from an avcC payload: "avc1.64001f".
func VideoCodec(avcC []byte) (string, error) {
	if len(avcC) < 7 || avcC[0] != 1 {
		return "", malformed("avcC of %d bytes", len(avcC))
	}
	return "avc1." + hex.EncodeToString(avcC[1:4]), nil
}

// AudioCodec makes the RFC 6381 name from an AudioSpecificConfig: "mp4a.40.2".
func AudioCodec(asc []byte) (string, error) {
	h, err := aac.DecodeAudioSpecificConfigHeader(bytes.NewReader(asc))
	if err != nil {
		return "", malformed("audio configuration: %v", err)
	}
	return fmt.Sprintf("mp4a.40.%d", h.ObjectType), nil
}

func trackOf(moov *mp4.MoovBox) (Track, error) {
	if len(moov.Traks) != 1 {
		return Track{}, malformed("%d tracks where one is expected", len(moov.Traks))
	}
	trak := moov.Traks[0]
	if trak.Mdia == nil || trak.Mdia.Mdhd == nil || trak.Mdia.Minf == nil ||
		trak.Mdia.Minf.Stbl == nil || trak.Mdia.Minf.Stbl.Stsd == nil {
		return Track{}, malformed("trak lacks boxes")
	}
	t := Track{Timescale: int(trak.Mdia.Mdhd.Timescale)}
	if t.Timescale == 0 {
		return Track{}, malformed("timescale 0")
	}
	if trak.Edts != nil {
		for _, list := range trak.Edts.Elst {
			if len(list.Entries) > 0 {
				t.Priming = max(list.Entries[0].MediaTime, 0)
			}
		}
	}
	stsd := trak.Mdia.Minf.Stbl.Stsd
	switch {
	case stsd.AvcX != nil && stsd.AvcX.AvcC != nil:
		var conf bytes.Buffer
		if err := stsd.AvcX.AvcC.DecConfRec.Encode(&conf); err != nil {
			return Track{}, malformed("avcC: %v", err)
		}
		t.Video, t.Config = true, conf.Bytes()
		t.Width, t.Height = int(stsd.AvcX.Width), int(stsd.AvcX.Height)
	case stsd.Mp4a != nil && stsd.Mp4a.Esds != nil && stsd.Mp4a.Esds.DecConfigDescriptor != nil &&
		stsd.Mp4a.Esds.DecConfigDescriptor.DecSpecificInfo != nil:
		t.Config = stsd.Mp4a.Esds.DecConfigDescriptor.DecSpecificInfo.DecConfig
	default:
		return Track{}, malformed("neither an avc1 nor an mp4a sample entry")
	}
	return t, nil
}

// parameterSets gives the first SPS of an avcC payload, parsed, with all sets.
func parameterSets(avcC []byte) (conf avc.DecConfRec, sps *avc.SPS, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = malformed("avcC: %v", p)
		}
	}()
	conf, err = avc.DecodeAVCDecConfRec(avcC)
	if err != nil {
		return conf, nil, malformed("avcC: %v", err)
	}
	if len(conf.SPSnalus) != 1 || len(conf.PPSnalus) == 0 {
		return conf, nil, malformed("avcC holds %d SPS and %d PPS", len(conf.SPSnalus), len(conf.PPSnalus))
	}
	sps, err = ParseSPS(conf.SPSnalus[0])
	return conf, sps, err
}
