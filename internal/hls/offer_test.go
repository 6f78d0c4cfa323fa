package hls

import (
	"slices"
	"testing"
)

func TestOffer(t *testing.T) {
	picture := func(name string, peak int) Stream {
		return Stream{URI: name, Codec: "avc1.64001f", Peak: peak, Average: peak / 2, Width: 640, Height: 360, FrameRate: 25}
	}
	sound := func(name, language string, peak int) Stream {
		return Stream{URI: name, Codec: "mp4a.40.2", Peak: peak, Average: peak / 2, Language: language, Channels: 2}
	}
	m := Offer([]Stream{picture("big", 6_000_000), picture("small", 3_800_000)}, []Stream{sound("a", "eng", 100_000), sound("b", "", 200_000)})
	if len(m.Variants) != 2 || m.Variants[0].URI != "small" || !m.Independent || m.Version != Version {
		t.Fatalf("%+v", m)
	}
	v := m.Variants[0]
	if v.Bandwidth != 4_000_000 || v.Average != 2_000_000 || !slices.Equal(v.Codecs, []string{"avc1.64001f", "mp4a.40.2"}) ||
		v.Audio == "" || !v.NoCaptions || v.VideoRange != "SDR" || v.FrameRate != 25 || v.Width != 640 {
		t.Errorf("the heaviest sound is not counted, or something is not told: %+v", v)
	}
	a, b := m.Audio[0], m.Audio[1]
	if a.Language != "en" || a.Name != "English" || !a.Default || !a.Autoselect || b.Language != "und" || b.Name != "Audio" || b.Default {
		t.Errorf("%+v", m.Audio)
	}
	silent := Offer([]Stream{picture("small", 2)}, nil)
	if len(silent.Audio) != 0 || silent.Variants[0].Audio != "" || len(silent.Variants[0].Codecs) != 1 {
		t.Errorf("%+v", silent)
	}
	alone := Offer(nil, []Stream{sound("a", "eng", 1), sound("b", "", 2)})
	if len(alone.Audio) != 0 || len(alone.Variants) != 1 || alone.Variants[0].URI != "b" || alone.Variants[0].Width != 0 || alone.Variants[0].NoCaptions {
		t.Errorf("%+v", alone)
	}
	if nothing := Offer(nil, nil); len(nothing.Variants) != 0 {
		t.Errorf("%+v", nothing)
	}
	for _, m := range []Master{m, silent, alone} {
		if _, err := m.Encode(); err != nil {
			t.Error(err)
		}
	}
}
