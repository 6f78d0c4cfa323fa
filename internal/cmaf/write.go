package cmaf

import (
	"bytes"
	"fmt"
	"io"

	"github.com/Eyevinn/mp4ff/aac"
	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/mp4"
)

// trackID is that of the one track in every file.
const trackID = 1

// VideoInit makes the init section of an H.264 rendition from its avcC
// payload. timescale is in ticks per second.
func VideoInit(avcC []byte, timescale int) ([]byte, error) {
	conf, sps, err := parameterSets(avcC)
	if err != nil {
		return nil, err
	}
	trak := mp4.CreateEmptyTrak(trackID, uint32(timescale), "video", "und")
	width, height := uint16(sps.Width), uint16(sps.Height)
	trak.Tkhd.Width, trak.Tkhd.Height = mp4.Fixed32(sps.Width<<16), mp4.Fixed32(sps.Height<<16)
	entry := mp4.CreateVisualSampleEntryBox("avc1", width, height, &mp4.AvcCBox{DecConfRec: conf})
	entry.CompressorName = "" // the library would write its own name
	if colr := colourBox(sps); colr != nil {
		entry.AddChild(colr)
	}
	entry.AddChild(&mp4.PaspBox{HSpacing: 1, VSpacing: 1})
	trak.Mdia.Minf.Stbl.Stsd.AddChild(entry)
	return encodeInit(trak)
}

// colourBox repeats the colour description of the SPS where packagers and
// players look for it.
func colourBox(sps *avc.SPS) mp4.Box {
	if sps.VUI == nil || !sps.VUI.ColourDescriptionFlag {
		return nil
	}
	return &mp4.ColrBox{
		ColorType:               mp4.ColorTypeOnScreenColors,
		ColorPrimaries:          uint16(sps.VUI.ColourPrimaries),
		TransferCharacteristics: uint16(sps.VUI.TransferCharacteristics),
		MatrixCoefficients:      uint16(sps.VUI.MatrixCoefficients),
		FullRangeFlag:           sps.VUI.VideoFullRangeFlag,
	}
}

// AudioInit makes the init section of an AAC rendition from its
// AudioSpecificConfig. The timescale is the sample rate; priming is in
// samples, and players do not play them. language is ISO 639-2, or "".
func AudioInit(asc []byte, priming int, language string) ([]byte, error) {
	h, err := aac.DecodeAudioSpecificConfigHeader(bytes.NewReader(asc))
	if err != nil {
		return nil, malformed("audio configuration: %v", err)
	}
	if len(language) != 3 {
		language = "und"
	}
	trak := mp4.CreateEmptyTrak(trackID, uint32(h.SamplingFrequency), "audio", language)
	// A duration of 0 in a fragmented file means "all of it".
	elst := &mp4.ElstBox{Entries: []mp4.ElstEntry{{MediaTime: int64(priming), MediaRateInteger: 1}}}
	edts := &mp4.EdtsBox{}
	edts.AddChild(elst)
	// The edit list stands between tkhd and mdia.
	trak.Edts = edts
	trak.Children = []mp4.Box{trak.Tkhd, edts, trak.Mdia}
	esds := mp4.CreateEsdsBox(asc)
	entry := mp4.CreateAudioSampleEntryBox("mp4a", uint16(h.ChannelConfiguration), 16,
		uint16(h.SamplingFrequency), esds)
	trak.Mdia.Minf.Stbl.Stsd.AddChild(entry)
	return encodeInit(trak)
}

func encodeInit(trak *mp4.TrakBox) ([]byte, error) {
	moov := mp4.NewMoovBox()
	mvhd := mp4.CreateMvhd()
	mvhd.Timescale = trak.Mdia.Mdhd.Timescale
	mvhd.NextTrackID = trackID + 1
	moov.AddChild(mvhd)
	moov.AddChild(trak)
	mvex := mp4.NewMvexBox()
	mvex.AddChild(mp4.CreateTrex(trackID))
	moov.AddChild(mvex)
	var out bytes.Buffer
	for _, box := range []mp4.Box{mp4.NewFtyp("iso6", 0, []string{"iso6", "cmfc", "mp41"}), moov} {
		if err := box.Encode(&out); err != nil {
			return nil, fmt.Errorf("write %s: %w", box.Type(), err)
		}
	}
	return out.Bytes(), nil
}

// WriteSegmentStart writes the styp box that begins a segment.
func WriteSegmentStart(w io.Writer) error {
	if err := mp4.NewStyp("msdh", 0, []string{"msdh", "msix", "cmfs"}).Encode(w); err != nil {
		return fmt.Errorf("write styp: %w", err)
	}
	return nil
}

// WriteFragment writes a moof and mdat, or two: a picture that others lean on
// has a fragment of its own before theirs, so that it is a whole file's worth of
// media by itself, a range of bytes that any player can show. The second has the
// next number.
func WriteFragment(w io.Writer, f Fragment) error {
	if len(f.Samples) < 2 || !f.Samples[0].Sync || f.Samples[1].Sync {
		return writeOne(w, f)
	}
	key, others := f, f
	others.Sequence++
	key.Samples, others.Samples = f.Samples[:1], f.Samples[1:]
	others.Decode += uint64(f.Samples[0].Duration)
	if err := writeOne(w, key); err != nil {
		return err
	}
	return writeOne(w, others)
}

func writeOne(w io.Writer, f Fragment) error {
	out, err := mp4.CreateFragment(f.Sequence, trackID)
	if err != nil {
		return fmt.Errorf("make fragment %d: %w", f.Sequence, err)
	}
	size := 0
	for _, s := range f.Samples {
		size += len(s.Data)
	}
	data := make([]byte, 0, size)
	samples := make([]mp4.Sample, len(f.Samples))
	for i, s := range f.Samples {
		flags := mp4.SyncSampleFlags
		if !s.Sync {
			flags = mp4.NonSyncSampleFlags | mp4.SampleDependsOn1
		}
		samples[i] = mp4.Sample{
			Flags: flags, Dur: s.Duration, Size: uint32(len(s.Data)), CompositionTimeOffset: s.Offset,
		}
		data = append(data, s.Data...)
	}
	out.Moof.Traf.Trun.AddSamples(samples)
	out.Moof.Traf.Tfdt.SetBaseMediaDecodeTime(f.Decode)
	out.Moof.Traf.Tfdt.Version = 1 // the library would choose by size
	out.Mdat.SetData(data)
	if err := out.Encode(w); err != nil {
		return fmt.Errorf("write fragment %d: %w", f.Sequence, err)
	}
	return nil
}
