package cmaf

import (
	"testing"

	"github.com/Eyevinn/mp4ff/avc"
)

// hostileConfig is an avcC whose SPS says that it has millions of buffers.
const hostileConfig = "\x010007A\x00\x15gd\x00\n\xac\xed\xec\x04 \x00\x00\x03\x00@\x00\x00\f\x83ĉN\x01\x00\x04h\xef\x8f\xcb\xfd\xf8\xf8\x00"

func TestHostileParameterSets(t *testing.T) {
	t.Parallel()
	if _, err := ParseH264([]byte(hostileConfig)); err == nil {
		t.Error("a set with too many buffers is read")
	}
}

func FuzzParseSPS(f *testing.F) {
	if conf, err := avc.DecodeAVCDecConfRec([]byte(hostileConfig)); err == nil {
		f.Add(conf.SPSnalus[0])
	}
	f.Fuzz(func(_ *testing.T, unit []byte) {
		_, _ = ParseSPS(unit) // it ends, and uses little
	})
}
