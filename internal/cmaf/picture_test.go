package cmaf_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/spool-video/spool/internal/cmaf"
)

// unit is a NAL unit behind its length.
func unit(bytes ...byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(bytes))), bytes...)
}

// captionSEI is an SEI message with one triplet of closed captions behind a
// message of another kind, emulation prevention included.
func captionSEI(flags, first, second byte) []byte {
	sei := []byte{6, 5, 4, 0, 0, 3, 0, 9, 4, 14, 0xb5, 0, 0x31, 'G', 'A', '9', '4', 3, 0x41, 0xff, flags, first, second, 0xff, 0x80}
	return unit(sei...)
}

func TestLookAt(t *testing.T) {
	track, fragments := readAll(t, bytes.NewReader(fragmented(t)))
	avcC := track.Config
	idr, other := fragments[0].Samples[0].Data, fragments[0].Samples[1].Data
	// The avcC: 6 bytes, the SPS behind its length of 2, 1 byte, the PPS.
	spsEnd := 8 + int(binary.BigEndian.Uint16(avcC[6:]))
	sps := avcC[8:spsEnd]
	strange := append(slices.Clone(sps), 1)
	with := func(more ...[]byte) []byte { return bytes.Join(append(more, idr), nil) }
	for _, c := range []struct {
		name   string
		sample []byte
		want   cmaf.Picture
		bad    bool
	}{
		{"a key frame", idr, cmaf.Picture{IDR: true}, false},
		{"another", other, cmaf.Picture{}, false},
		{"the same parameter set again", with(unit(sps...)), cmaf.Picture{IDR: true}, false},
		{"another parameter set", with(unit(strange...)), cmaf.Picture{IDR: true, Sets: true}, false},
		{"captions", with(captionSEI(0xfc, 'h', 'i')), cmaf.Picture{IDR: true, Captions: true}, false},
		{"captions that are padding", with(captionSEI(0xfc, 0x80, 0x80)), cmaf.Picture{IDR: true}, false},
		{"captions that do not count", with(captionSEI(0xf8, 'h', 'i')), cmaf.Picture{IDR: true}, false},
		{"an SEI message that is cut", with(unit(6, 4, 200, 0xb5)), cmaf.Picture{IDR: true}, false},
		{"nothing", nil, cmaf.Picture{}, true},
		{"no slices", unit(6, 5, 1, 0), cmaf.Picture{}, true},
		{"a length of 0", with(unit()), cmaf.Picture{}, true},
		{"cut in a unit", idr[:len(idr)-1], cmaf.Picture{}, true},
		{"cut in a length", append(slices.Clone(idr), 0, 0), cmaf.Picture{}, true},
		{"two kinds of slices", with(unit(0x41, 0x9a)), cmaf.Picture{}, true},
	} {
		got, err := cmaf.LookAt(c.sample, avcC)
		if (err != nil) != c.bad || err != nil && !errors.Is(err, cmaf.ErrMalformed) || err == nil && got != c.want {
			t.Errorf("%s: got %+v, %v", c.name, got, err)
		}
	}
}

func TestParseH264(t *testing.T) {
	track, _ := readAll(t, bytes.NewReader(fragmented(t)))
	got, err := cmaf.ParseH264(track.Config)
	want := cmaf.H264{Profile: 66, Level: 11, Width: 160, Height: 90, Chroma: 1, BitDepth: 8, Progressive: true}
	if want.Profile = got.Profile; err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	short := slices.Clone(track.Config)
	short[4] = 0xfd // lengths of 2 bytes
	if _, err := cmaf.ParseH264(short); !errors.Is(err, cmaf.ErrLengths) {
		t.Errorf("lengths of 2: %v", err)
	}
	n := int(binary.BigEndian.Uint16(track.Config[6:]))
	two := slices.Concat(track.Config[:5], []byte{0xe2}, track.Config[6:8+n], track.Config[6:8+n], track.Config[8+n:])
	if _, err := cmaf.ParseH264(two); !errors.Is(err, cmaf.ErrSets) {
		t.Errorf("two SPS: %v", err)
	}
	for n := range track.Config {
		if _, err := cmaf.ParseH264(track.Config[:n]); n < 12 && err == nil {
			t.Errorf("%d bytes of an avcC are read", n)
		}
	}
}

func FuzzLookAt(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02\x65\x88"), []byte("\x01\x42\xc0\x0b\xff\xe1"))
	f.Add(captionSEI(0xfc, 'h', 'i'), []byte{})
	f.Fuzz(func(_ *testing.T, sample, avcC []byte) {
		_, _ = cmaf.LookAt(sample, avcC)
		_, _ = cmaf.ParseH264(avcC)
	})
}
