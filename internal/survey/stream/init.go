package stream

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/Eyevinn/mp4ff/aac"
	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/spool-video/spool/internal/cmaf"
)

// trex are the defaults of one track's samples.
type trex struct {
	track int
	box   *mp4.TrexBox
}

// box is one top-level box of a file.
type box struct {
	name  string
	start int64 // of its header
	whole []byte
	cut   bool // the file ends before the box does
}

// boxes walks over the top level of a file; it ends at what is no box.
func boxes(b []byte) (found []box, rest int) {
	at := 0
	for len(b)-at >= 8 {
		size := int64(binary.BigEndian.Uint32(b[at:]))
		name := string(b[at+4 : at+8])
		if size == 1 && len(b)-at >= 16 {
			size = int64(min(binary.BigEndian.Uint64(b[at+8:]), 1<<40))
		}
		if size == 0 {
			size = int64(len(b) - at)
		}
		if size < 8 || strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c > '~' }) {
			break
		}
		end := min(int64(at)+size, int64(len(b)))
		found = append(found, box{name: name, start: int64(at), whole: b[at:end], cut: int64(at)+size > int64(len(b))})
		at = int(end)
	}
	return found, len(b) - at
}

func isBox(name string) bool {
	return slices.Contains([]string{"ftyp", "styp", "moof", "moov", "sidx", "mdat", "emsg", "prft", "free", "skip", "uuid"}, name)
}

// decode reads one box.
func (b box) decode() (mp4.Box, error) {
	if b.cut {
		return nil, fmt.Errorf("box %s is cut short", b.name)
	}
	return mp4.DecodeBoxSR(uint64(b.start), bits.NewFixedSliceReader(b.whole))
}

func (i *Init) wrong(format string, args ...any) {
	i.Problems = append(i.Problems, Problem{Rule: 41, Text: fmt.Sprintf(format, args...)})
}

// ReadInit reads the init section of fragmented MP4, or the PAT and PMT that
// stand for one in MPEG-TS, of which nothing is said.
func ReadInit(b []byte) (out Init) {
	defer func() {
		if p := recover(); p != nil { // see Read
			out = Init{}
			out.wrong("the init section cannot be read: %v", p)
		}
	}()
	if Sniff(b) == TS {
		return out
	}
	found, rest := boxes(b)
	if len(found) == 0 || found[0].name != "ftyp" {
		out.wrong("the init section does not begin with ftyp")
	} else if decoded, err := found[0].decode(); err == nil {
		out.brands(decoded)
	}
	if rest > 0 {
		out.wrong("%d bytes at its end are no box", rest)
	}
	for _, f := range found {
		if f.name != "moov" {
			continue
		}
		decoded, err := f.decode()
		moov, ok := decoded.(*mp4.MoovBox)
		if err != nil || !ok {
			out.wrong("moov cannot be read")
			return out
		}
		out.movie(moov)
		return out
	}
	out.wrong("it holds no moov")
	return out
}

// compatible are brands that hold for all of iso6.
var compatible = []string{"iso6", "iso7", "iso8", "iso9", "isoa", "isob", "isoc", "cmfc", "cmf2", "cmfs", "cmff", "dash", "msdh", "msix", "hlsf"}

func (i *Init) brands(b mp4.Box) {
	ftyp, ok := b.(*mp4.FtypBox)
	if !ok {
		return
	}
	brands := append([]string{ftyp.MajorBrand()}, ftyp.CompatibleBrands()...)
	if !slices.ContainsFunc(brands, func(s string) bool { return slices.Contains(compatible, s) }) {
		i.wrong("ftyp names no brand that is compatible with iso6: %s", strings.Join(brands, " "))
	}
}

func (i *Init) movie(moov *mp4.MoovBox) {
	if moov.Mvhd == nil || moov.Mvhd.Duration != 0 {
		i.wrong("mvhd has a duration")
	}
	if moov.Mvex == nil {
		i.wrong("moov has no mvex")
	} else {
		for _, t := range moov.Mvex.Trexs {
			i.trex = append(i.trex, trex{int(t.TrackID), t})
		}
	}
	i.order(moov)
	for _, trak := range moov.Traks {
		t := readTrack(trak)
		if moov.Mvhd != nil {
			t.MovieScale = int64(moov.Mvhd.Timescale)
		}
		if t.Timescale <= 0 {
			i.wrong("track %d has no timescale", t.ID)
			t.Timescale = 1
		}
		if trak.Tkhd != nil && trak.Tkhd.Duration != 0 {
			i.wrong("tkhd of track %d has a duration", t.ID)
		}
		if !slices.ContainsFunc(i.trex, func(x trex) bool { return x.track == t.ID }) {
			i.wrong("track %d has no trex", t.ID)
		}
		if external(trak) {
			i.wrong("track %d refers to data in another file", t.ID)
		}
		i.Tracks = append(i.Tracks, t)
	}
	if len(i.Tracks) == 0 {
		i.wrong("moov has no trak")
	}
}

// order: mvex stands behind the last trak.
func (i *Init) order(moov *mp4.MoovBox) {
	mvex := false
	for _, child := range moov.Children {
		switch child.Type() {
		case "mvex":
			mvex = true
		case "trak":
			if mvex {
				i.wrong("mvex stands before a trak")
				return
			}
		}
	}
}

func external(trak *mp4.TrakBox) bool {
	if trak.Mdia == nil || trak.Mdia.Minf == nil || trak.Mdia.Minf.Dinf == nil || trak.Mdia.Minf.Dinf.Dref == nil {
		return false
	}
	const selfContained = 1
	return slices.ContainsFunc(trak.Mdia.Minf.Dinf.Dref.Children, func(b mp4.Box) bool {
		u, ok := b.(*mp4.URLBox)
		return ok && u.Flags&selfContained == 0
	})
}

// kinds are the handlers of tracks.
var kinds = map[string]Kind{"vide": Video, "soun": Audio, "subt": Text, "text": Text, "sbtl": Text}

func readTrack(trak *mp4.TrakBox) Track {
	t := Track{Kind: Other, lengthSize: 4}
	if trak.Tkhd != nil {
		t.ID = int(trak.Tkhd.TrackID)
	}
	if trak.Mdia == nil || trak.Mdia.Mdhd == nil || trak.Mdia.Minf == nil || trak.Mdia.Minf.Stbl == nil || trak.Mdia.Minf.Stbl.Stsd == nil {
		return t
	}
	t.Timescale = int64(trak.Mdia.Mdhd.Timescale)
	if h := trak.Mdia.Hdlr; h != nil && kinds[h.HandlerType] != "" {
		t.Kind = kinds[h.HandlerType]
	}
	if trak.Edts != nil {
		for _, list := range trak.Edts.Elst {
			for _, e := range list.Entries {
				t.Edits = append(t.Edits, Edit{Duration: int64(e.SegmentDuration), MediaTime: e.MediaTime})
			}
		}
	}
	if trak.Udta != nil {
		t.Loudness = slices.ContainsFunc(trak.Udta.Children, func(b mp4.Box) bool { return b.Type() == "ludt" })
	}
	for _, entry := range trak.Mdia.Minf.Stbl.Stsd.Children {
		switch e := entry.(type) {
		case *mp4.VisualSampleEntryBox:
			t.visual(e)
		case *mp4.AudioSampleEntryBox:
			t.audible(e)
		case *mp4.WvttBox:
			t.Kind, t.Entry, t.Codec = Text, "wvtt", "wvtt"
		case *mp4.StppBox:
			t.Kind, t.Entry, t.Codec = Text, "stpp", "stpp.ttml.im1t"
		}
	}
	return t
}

// protected reads how samples are encrypted, and gives the entry that they
// would have in clear.
func (t *Track) protected(entry string, sinf *mp4.SinfBox) string {
	t.Entry = entry
	if sinf == nil {
		return entry
	}
	p := &Protection{}
	if sinf.Schm != nil {
		p.Scheme = sinf.Schm.SchemeType
	}
	if sinf.Schi != nil && sinf.Schi.Tenc != nil {
		tenc := sinf.Schi.Tenc
		p.Crypt, p.Skip = int(tenc.DefaultCryptByteBlock), int(tenc.DefaultSkipByteBlock)
		p.ConstantIV = tenc.DefaultPerSampleIVSize == 0 && len(tenc.DefaultConstantIV) > 0
	}
	t.Protection = p
	if sinf.Frma != nil {
		t.Entry = sinf.Frma.DataFormat
	}
	return t.Entry
}

func (t *Track) visual(e *mp4.VisualSampleEntryBox) {
	entry := t.protected(e.Type(), e.Sinf)
	t.Picture = Picture{Width: int(e.Width), Height: int(e.Height)}
	switch {
	case e.AvcC != nil:
		var conf bytes.Buffer
		if e.AvcC.Encode(&conf) == nil && conf.Len() > 12 {
			t.Config = conf.Bytes()[8:]
			t.lengthSize = int(t.Config[4]&3) + 1
			if codec, err := cmaf.VideoCodec(t.Config); err == nil {
				t.Codec = entry + strings.TrimPrefix(codec, "avc1")
			}
		}
		t.h264(e.AvcC.SPSnalus)
	case e.HvcC != nil:
		var conf bytes.Buffer
		if e.HvcC.Encode(&conf) == nil && conf.Len() > 8 {
			t.Config = conf.Bytes()[8:]
		}
		t.lengthSize = int(e.HvcC.LengthSizeMinusOne) + 1
		t.hevc(entry, e.HvcC.GetNalusForType(hevcSPS))
		t.mastered(e.HvcC.GetNalusForType(hevcSEI))
		t.Mastering, t.LightLevel = t.Mastering || e.Mdcv != nil, t.LightLevel || e.Clli != nil
		t.dolby(entry, e.DoViConfig)
	case e.Av1C != nil:
		t.Config = e.Av1C.ConfigOBUs
		t.Codec = e.Av1C.CodecString(entry)
		t.Picture.Profile, t.Picture.Level = int(e.Av1C.SeqProfile), int(e.Av1C.SeqLevelIdx0)
		if seq, err := e.Av1C.SequenceHeader(); err == nil && seq != nil {
			t.Picture.Colour = [3]int{int(seq.ColorPrimaries), int(seq.TransferCharacteristics), int(seq.MatrixCoefficients)}
		}
	}
	if e.Pasp != nil && e.Pasp.HSpacing > 0 && e.Pasp.VSpacing > 0 && e.AvcC == nil {
		t.Picture.Width = square(t.Picture.Width, int(e.Pasp.HSpacing), int(e.Pasp.VSpacing))
	}
	for _, child := range e.Children {
		if colr, ok := child.(*mp4.ColrBox); ok && t.Picture.Colour[1] == 0 {
			t.Picture.Colour = [3]int{int(colr.ColorPrimaries), int(colr.TransferCharacteristics), int(colr.MatrixCoefficients)}
		}
	}
}

// dolby names Dolby Vision, whose name does not follow from its HEVC.
func (t *Track) dolby(entry string, conf *mp4.DoViConfigurationBox) {
	if entry != "dvh1" && entry != "dvhe" {
		return
	}
	t.Codec = ""
	if conf != nil {
		t.Codec = fmt.Sprintf("%s.%02d.%02d", entry, conf.DVProfile, conf.DVLevel)
	}
}

func (t *Track) audible(e *mp4.AudioSampleEntryBox) {
	entry := t.protected(e.Type(), e.Sinf)
	t.Sound = Sound{Channels: int(e.ChannelCount), Rate: int(e.SampleRate)}
	switch entry {
	case "mp4a":
		if e.Esds == nil || e.Esds.DecConfigDescriptor == nil || e.Esds.DecConfigDescriptor.DecSpecificInfo == nil {
			return
		}
		t.aac(e.Esds.DecConfigDescriptor.DecSpecificInfo.DecConfig)
		t.Sound.BitRate = int(max(e.Esds.DecConfigDescriptor.AvgBitrate, e.Esds.DecConfigDescriptor.MaxBitrate))
	case "ac-3", "ec-3", "ac-4", "fLaC", "alac", "Opus":
		t.Codec = entry
	}
}

// aac reads an AudioSpecificConfig.
func (t *Track) aac(config []byte) {
	t.Config = config
	conf, err := aac.DecodeAudioSpecificConfigHeader(bytes.NewReader(config))
	if err != nil {
		return
	}
	channels := int(conf.ChannelConfiguration)
	if channels == 7 {
		channels = 8
	}
	t.Sound = Sound{Object: int(conf.ObjectType), Channels: channels, Rate: conf.SamplingFrequency}
	t.Codec = fmt.Sprintf("mp4a.40.%d", conf.ObjectType)
}
