package hls

import (
	"slices"
	"testing"

	"github.com/spool-video/spool"
)

func TestOffer(t *testing.T) {
	picture := func(name string, peak int) Stream {
		return Stream{URI: name, Codec: "avc1.64001f", Peak: peak, Average: peak / 2, Width: 640, Height: 360, FrameRate: 25}
	}
	sound := func(name, language string, peak int) Stream {
		return Stream{URI: name, Codec: "mp4a.40.2", Peak: peak, Average: peak / 2, Channels: 2, Track: Track{Number: len(name) + int(name[0]), Language: language}}
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
	if v := alone.Variants[0]; len(alone.Audio) != 2 || len(alone.Variants) != 1 || v.URI != "a" || v.Audio != "audio" || v.Bandwidth != 3 || v.Width != 0 || v.NoCaptions {
		t.Errorf("%+v", alone)
	}
	if one := Offer(nil, []Stream{sound("a", "eng", 1)}); len(one.Audio) != 0 || len(one.Variants) != 1 || one.Variants[0].Audio != "" {
		t.Errorf("%+v", one)
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

// Tracks of which some have surround sound make two groups with the same
// members; each has a name of its own.
func TestOfferOfTracks(t *testing.T) {
	sound := func(track Track, channels int) Stream {
		peak := channels * 60_000
		return Stream{URI: track.Title + string(rune('0'+channels)), Codec: "mp4a.40.2", Peak: peak, Average: peak, Channels: channels, Track: track}
	}
	film := Track{Number: 1, Language: "eng", Title: "main"}
	var sounds []Stream
	for _, s := range []struct {
		track    Track
		channels int
	}{
		{film, 2},
		{film, 6},
		{Track{Number: 2, Language: "fre", Title: "fr"}, 2},
		{Track{Number: 3, Language: "eng", Title: `The "cut" talk`, Role: spool.Commentary}, 2},
		{Track{Number: 4, Language: "eng", Title: "told", Role: spool.Described}, 2},
		{Track{Number: 5, Language: "eng", Title: "other"}, 2},
		{Track{Number: 6, Language: "eng"}, 2},
		{Track{Number: 7, Title: "Music"}, 2},
	} {
		sounds = append(sounds, sound(s.track, s.channels))
	}
	pictures := []Stream{{URI: "big", Codec: "avc1.64001f", Peak: 6_000_000, Average: 4_000_000}, {URI: "small", Codec: "avc1.64001e", Peak: 2_000_000, Average: 1_900_000}}
	m := Offer(pictures, sounds)
	want := []Rendition{
		{Name: "English", Language: "en", Default: true, Autoselect: true, Channels: 2, URI: "main2"},
		{Name: "French", Language: "fr", Autoselect: true, Channels: 2, URI: "fr2"},
		{Name: "English (commentary)", Language: "en", Channels: 2, URI: `The "cut" talk2`},
		{
			Name: "English (audio description)", Language: "en", Autoselect: true, Channels: 2, URI: "told2",
			Characteristics: "public.accessibility.describes-video",
		},
		{Name: "English: other", Language: "en", Channels: 2, URI: "other2"},
		{Name: "English 2", Language: "en", Channels: 2, URI: "2"},
		{Name: "Music", Language: "und", Autoselect: true, Channels: 2, URI: "Music2"},
	}
	if len(m.Audio) != 2*len(want) {
		t.Fatalf("%d renditions", len(m.Audio))
	}
	for i, got := range m.Audio {
		r := want[i%len(want)]
		r.Group = stereoGroup
		if i >= len(want) {
			r.Group = surroundGroup
		}
		if i == len(want) {
			r.Channels, r.URI = 6, "main6"
		}
		if got != r {
			t.Errorf("got  %+v\nwant %+v", got, r)
		}
	}
	for i, v := range []struct {
		uri, group string
		bandwidth  int
	}{
		{"small", stereoGroup, 2_120_000},
		{"big", stereoGroup, 6_120_000},
		{"small", surroundGroup, 2_360_000},
		{"big", surroundGroup, 6_360_000},
	} {
		if got := m.Variants[i]; len(m.Variants) != 4 || got.URI != v.uri || got.Audio != v.group || got.Bandwidth != v.bandwidth || len(got.Codecs) != 2 {
			t.Errorf("variant %d: %+v", i, got)
		}
	}
}

// Files tag languages by either code of ISO 639-2.
func TestLanguages(t *testing.T) {
	for tag, want := range map[string]string{
		"eng": "en", "ger": "de", "deu": "de", "fre": "fr", "fra": "fr", "chi": "zh", "zho": "zh", "dut": "nl", "cze": "cs", "gre": "el",
		"per": "fa", "rum": "ro", "slo": "sk", "ice": "is", "jpn": "ja", "pt-br": "pt-BR", "": "und", "xx": "und",
	} {
		if got := (Track{Language: tag}).tag().String(); got != want {
			t.Errorf("%s: %s, want %s", tag, got, want)
		}
	}
}
