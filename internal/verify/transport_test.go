package verify_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/verify"
	"github.com/spool-video/spool/internal/verify/verifytest"
)

// TestTransportIsHeldAgainstTheGrid: MPEG-TS and packed audio pass, and what is
// wrong in them is found although every hash agrees.
func TestTransportIsHeldAgainstTheGrid(t *testing.T) {
	for _, encrypted := range []bool{false, true} {
		m := published(t, verifytest.Options{TS: true, Encrypted: encrypted})
		if r := check(t, m, verify.Options{Deep: true, Keys: keysOf}); !r.OK() || r.Decoded != 12 {
			t.Errorf("encrypted %v: %d segments decoded, findings %v", encrypted, r.Decoded, r.Findings)
		}
	}
	whole := published(t, verifytest.Options{TS: true})
	for name, edit := range map[string]func(*verify.Manifest){
		"rate":       func(m *verify.Manifest) { m.Timeline.Rate = spool.Ratio{Num: 24, Den: 1} },
		"key frames": func(m *verify.Manifest) { each(m, func(s *verify.Segment) { s.KeyFrames = 2 }) },
		"priming":    func(m *verify.Manifest) { m.Grid.PrimingSamples = 0 },
		"container":  func(m *verify.Manifest) { m.Settings.Container = "" },
		"config":     func(m *verify.Manifest) { m.Renditions[0].Init.Config = m.Renditions[1].Init.Config },
		"no config":  func(m *verify.Manifest) { m.Renditions[0].Init.Config = nil },
		"units": func(m *verify.Manifest) {
			m.Renditions[0].Segments[0].Units--
			m.Renditions[0].Segments[1].Units++
		},
	} {
		m := whole.Clone()
		change(t, m, edit)
		if report := undecoded(t, m); report.OK() {
			t.Errorf("%s: nothing is found", name)
		}
	}
	const picture, sound = 0, 2
	for name, fault := range map[string]struct {
		rendition int
		edit      func(b []byte) []byte
	}{
		"no tables":           {picture, func(b []byte) []byte { return b[2*188:] }},
		"a packet is lost":    {picture, func(b []byte) []byte { return slices.Delete(b, 5*188, 6*188) }},
		"the end is lost":     {picture, func(b []byte) []byte { return b[:len(b)-32*188] }},
		"a time is another":   {picture, func(b []byte) []byte { return flip(b, bytes.Index(b, []byte{0, 0, 1, 0xe0})+13, 2) }},
		"sound of other time": {sound, func(b []byte) []byte { return flip(b, bytes.Index(b, []byte{0xff, 0xf1})-1, 1) }},
		"a packet too many":   {sound, func(b []byte) []byte { return append(b, b[bytes.Index(b, []byte{0xff, 0xf1}):]...) }},
		"half a packet":       {sound, func(b []byte) []byte { return b[:len(b)-1] }},
	} {
		m := whole.Clone()
		change(t, m, func(manifest *verify.Manifest) {
			s := &manifest.Renditions[fault.rendition].Segments[1]
			content := fault.edit(m.Bytes("vid/" + s.Name))
			m.Set("vid/"+s.Name, content)
			s.Size, s.SHA256, s.Plain = int64(len(content)), verify.Sum(content), verify.Sum(content)
		})
		if report := undecoded(t, m); len(findingsFor(report, "vid/"+segmentOf(t, m, fault.rendition))) == 0 {
			t.Errorf("%s: nothing is found: %v", name, report.Findings)
		}
	}
}

func flip(b []byte, at int, bit byte) []byte {
	b[at] ^= bit
	return b
}

// segmentOf is the name of a rendition's second segment.
func segmentOf(t *testing.T, m *verifytest.Memory, rendition int) string {
	t.Helper()
	manifest, err := verify.ParseManifest(m.Bytes("vid/r1/manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	return manifest.Renditions[rendition].Segments[1].Name
}
