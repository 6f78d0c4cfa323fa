package tap

import (
	"encoding/binary"
	"fmt"

	"github.com/spool-video/spool"
)

// read reads a trak box, of a movie with so many ticks a second in edit lists,
// in a file of size bytes; at most limit samples.
func (t *Track) read(trak []byte, movieScale uint32, size int64, limit int) error {
	parts, err := one(trak, "tkhd", "edts", "mdia")
	if err != nil {
		return err
	}
	media, err := one(parts["mdia"], "mdhd", "hdlr", "minf")
	if err != nil {
		return fmt.Errorf("mdia: %w", err)
	}
	if h := media["hdlr"]; len(h) >= 12 {
		t.Handler = string(h[8:12])
	}
	scale, err := timescale(media["mdhd"])
	if err != nil {
		return fmt.Errorf("mdhd: %w", err)
	}
	t.TimeBase = spool.Ratio{Num: 1, Den: int64(scale)}
	t.ID = trackID(parts["tkhd"])
	info, err := one(media["minf"], "dinf", "stbl")
	if err != nil {
		return fmt.Errorf("minf: %w", err)
	}
	if err := selfContained(info["dinf"]); err != nil {
		return err
	}
	s := &samples{audio: t.Handler == "soun", size: size, length: mediaLength(media["mdhd"])}
	boxes, err := s.boxes(info["stbl"])
	if err != nil {
		return fmt.Errorf("stbl: %w", err)
	}
	if t.Codec, t.Config, err = sampleEntry(boxes["stsd"]); err != nil {
		return fmt.Errorf("stsd: %w", err)
	}
	if err := s.read(boxes, limit); err != nil {
		return err
	}
	edit, err := readEdits(parts["edts"], scale, movieScale)
	if err != nil {
		return fmt.Errorf("elst: %w", err)
	}
	s.place(edit, int64(scale))
	t.Samples, t.length, t.reordered = s.all, s.length, s.offsets != nil
	t.regular, t.common, t.unlisted = s.regular, s.common, boxes["stss"] == nil
	return s.check()
}

func trackID(tkhd []byte) uint32 {
	at := 12
	if len(tkhd) > 0 && tkhd[0] == 1 {
		at = 20
	}
	if len(tkhd) < at+4 {
		return 0
	}
	return binary.BigEndian.Uint32(tkhd[at:])
}

// mediaLength is the duration field of an mdhd box, in ticks; 0 when there is
// none.
func mediaLength(mdhd []byte) int64 {
	if len(mdhd) >= 32 && mdhd[0] == 1 {
		return int64(min(binary.BigEndian.Uint64(mdhd[24:]), 1<<62))
	}
	if len(mdhd) >= 20 && mdhd[0] == 0 {
		return int64(binary.BigEndian.Uint32(mdhd[16:]))
	}
	return 0
}

// selfContained finds references to other files (ISO/IEC 14496-12, 8.7.2).
func selfContained(dinf []byte) error {
	parts, err := one(dinf, "dref")
	if err != nil {
		return fmt.Errorf("dinf: %w", err)
	}
	dref, ok := parts["dref"]
	if !ok {
		return nil
	}
	if len(dref) < 8 {
		return unsupported("dref: cut")
	}
	entries, err := children(dref[8:])
	if err != nil {
		return fmt.Errorf("dref: %w", err)
	}
	for _, e := range entries {
		if len(e.body) < 4 || e.body[3]&1 == 0 { // the flag that says: in this file
			return unsupported("dref: the samples are in another file")
		}
	}
	return nil
}

// encrypted are sample entries whose samples are (ISO/IEC 14496-12, 8.12).
var encrypted = map[string]bool{"encv": true, "enca": true, "enct": true, "encs": true, "encm": true, "drmi": true, "drms": true}

// sampleEntry reads the only entry of an stsd box (ISO/IEC 14496-12, 8.5.2):
// its code, and how the decoder is set up.
func sampleEntry(stsd []byte) (codec string, config []byte, err error) {
	if len(stsd) < 8 {
		return "", nil, unsupported("cut")
	}
	entries, err := children(stsd[8:])
	if err != nil {
		return "", nil, err
	}
	if len(entries) != 1 || binary.BigEndian.Uint32(stsd[4:]) != 1 {
		return "", nil, unsupported("%d sample entries", len(entries))
	}
	e := entries[0]
	if encrypted[e.kind] {
		return e.kind, nil, unsupported("encrypted (%s)", e.kind)
	}
	return e.kind, decoderConfig(e), nil
}

// decoderConfig finds the box that sets up the decoder of a sample entry; nil
// when there is none that is known.
func decoderConfig(entry box) []byte {
	at := 0
	switch entry.kind {
	case "avc1", "avc2", "avc3", "avc4", "hvc1", "hev1", "dvh1", "dvhe", "av01", "vp09":
		at = 78
	case "mp4a":
		at = 28
		if len(entry.body) >= 10 { // QuickTime's later versions have more fields
			at += []int{0, 16, 36}[min(binary.BigEndian.Uint16(entry.body[8:]), 2)]
		}
	}
	if at == 0 || len(entry.body) < at {
		return nil
	}
	boxes, err := children(entry.body[at:])
	if err != nil {
		return nil
	}
	for _, b := range boxes {
		switch b.kind {
		case "avcC", "hvcC", "av1C", "vpcC":
			return b.body
		case "esds":
			return specificConfig(b.body)
		case "wave": // QuickTime wraps it
			return waveConfig(b.body)
		}
	}
	return nil
}

func waveConfig(b []byte) []byte {
	parts, err := one(b, "esds")
	if err != nil {
		return nil
	}
	return specificConfig(parts["esds"])
}

// specificConfig finds the decoder specific information in an esds box, which
// holds descriptors in descriptors (ISO/IEC 14496-1, 7.2.6).
func specificConfig(esds []byte) []byte {
	const es, decoder, specific = 3, 4, 5
	if len(esds) < 4 {
		return nil
	}
	b := esds[4:]
	for len(b) > 0 {
		tag, body := descriptor(b)
		skip := 0
		switch tag {
		case es:
			skip = elementaryHeader(body)
		case decoder:
			skip = 13
		case specific:
			return body
		default:
			return nil
		}
		if skip > len(body) {
			return nil
		}
		b = body[skip:]
	}
	return nil
}

// elementaryHeader is the length of the fields of an ES descriptor.
func elementaryHeader(body []byte) int {
	if len(body) < 3 {
		return 3
	}
	n, flags := 3, body[2]
	if flags&0x80 != 0 {
		n += 2 // depends on another stream
	}
	if flags&0x40 != 0 && len(body) > n {
		n += 1 + int(body[n]) // URL
	}
	if flags&0x20 != 0 {
		n += 2 // clock stream
	}
	return n
}

// descriptor splits off a descriptor's tag and its body.
func descriptor(b []byte) (tag byte, body []byte) {
	tag, b = b[0], b[1:]
	size := 0
	for range 4 {
		if len(b) == 0 {
			return 0, nil
		}
		last := b[0]&0x80 == 0
		size, b = size<<7|int(b[0]&0x7f), b[1:]
		if last {
			break
		}
	}
	if size > len(b) {
		return 0, nil
	}
	return tag, b[:size]
}
