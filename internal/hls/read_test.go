package hls

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

const head = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:6\n"

func TestParseMediaRefuses(t *testing.T) {
	for _, c := range []struct {
		name, text string
		rule       int
	}{
		{"empty", "", 1},
		{"byte order mark", "\ufeff" + head, 1},
		{"not UTF-8", head + "\xff\n", 2},
		{"control character", head + "#EXTINF:1,\na\x07b\n", 2},
		{"version twice", head + "#EXT-X-VERSION:7\n", 3},
		{"target twice", head + "#EXT-X-TARGETDURATION:6\n", 3},
		{"end twice", head + "#EXT-X-ENDLIST\n#EXT-X-ENDLIST\n", 3},
		{"master's tag", head + "#EXT-X-STREAM-INF:BANDWIDTH=1\n", 4},
		{"byte range", head + "#EXTINF:1,\n#EXT-X-BYTERANGE:1@0\na\n", 4},
		{"discontinuity", head + "#EXT-X-DISCONTINUITY\n", 4},
		{"version too low", "#EXTM3U\n#EXT-X-VERSION:5\n#EXT-X-TARGETDURATION:6\n#EXT-X-MAP:URI=\"i\"\n", 5},
		{"no version for a float", "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:1.5,\na\n", 5},
		{"version is a word", "#EXTM3U\n#EXT-X-VERSION:new\n", 5},
		{"no target", "#EXTM3U\n#EXT-X-VERSION:7\n", 6},
		{"target 0", "#EXTM3U\n#EXT-X-TARGETDURATION:0\n", 6},
		{"target 6.0", "#EXTM3U\n#EXT-X-TARGETDURATION:6.0\n", 6},
		{"too long", head + "#EXTINF:6.5,\na\n", 7},
		{"odd type", head + "#EXT-X-PLAYLIST-TYPE:LIVE\n", 13},
		{"start unquoted words", head + "#EXT-X-START:TIME-OFFSET=now\n", 24},
		{"start quoted", head + "#EXT-X-START:TIME-OFFSET=\"0\"\n", 24},
		{"start without offset", head + "#EXT-X-START:PRECISE=YES\n", 24},
		{"start twice", head + "#EXT-X-START:TIME-OFFSET=0\n#EXT-X-START:TIME-OFFSET=0\n", 3},
		{"URI without EXTINF", head + "a\n", 18},
		{"EXTINF without URI", head + "#EXTINF:1,\n", 18},
		{"EXTINF twice", head + "#EXTINF:1,\n#EXTINF:1,\na\n", 18},
		{"EXTINF without comma", head + "#EXTINF:1\na\n", 18},
		{"negative", head + "#EXTINF:-1,\na\n", 18},
		{"exponent", head + "#EXTINF:1e0,\na\n", 18},
		{"infinite", head + "#EXTINF:Inf,\na\n", 18},
		{"map after segment", head + "#EXTINF:1,\na\n#EXT-X-MAP:URI=\"i\"\n", 41},
		{"map unquoted", head + "#EXT-X-MAP:URI=i\n", 41},
		{"map after key", head + "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-MAP:URI=\"i\"\n", 102},
		{"short IV", head + "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x00\n", 101},
		{"IV without 0x", head + "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=" + strings.Repeat("0", 32) + "\n", 101},
		{"key without URI", head + "#EXT-X-KEY:METHOD=AES-128\n", 106},
		{"NONE with URI", head + "#EXT-X-KEY:METHOD=NONE,URI=\"k\"\n", 106},
		{"SAMPLE-AES", head + "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"\n", 106},
		{"attribute twice", head + "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",URI=\"l\"\n", 2},
		{"space around =", head + "#EXT-X-KEY:METHOD= AES-128,URI=\"k\"\n", 2},
		{"open quotes", head + "#EXT-X-MAP:URI=\"i\n", 2},
		{"no comma", head + "#EXT-X-MAP:URI=\"i\"X=1\n", 2},
		{"trailing comma", head + "#EXT-X-MAP:URI=\"i\",\n", 2},
	} {
		_, err := ParseMedia([]byte(c.text))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Rule != c.rule || syntax.Line < 1 {
			t.Errorf("%s: %v, want rule %d", c.name, err, c.rule)
		}
	}
}

func TestParseMediaTakes(t *testing.T) {
	text := strings.ReplaceAll(head, "\n", "\r\n") + "# a comment\r\n\r\n#EXT-X-NEW-TAG:1\r\n#EXT-X-MAP:URI=\"i,=.mp4\",NEW=\"x\"\r\n" +
		"#EXTINF:5,title, with comma\r\na.m4s\r\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\r\n#EXTINF:6.4999,\r\nb.m4s\r\n" +
		"#EXT-X-KEY:METHOD=NONE\r\n#EXTINF:0.000001,\r\nc.m4s"
	got, err := ParseMedia([]byte(text))
	want := Media{Version: 7, Target: 6, Map: "i,=.mp4", Segments: []Segment{
		{URI: "a.m4s", Duration: 5 * time.Second},
		{URI: "b.m4s", Duration: 6499900 * time.Microsecond, Key: &Key{URI: "k"}},
		{URI: "c.m4s", Duration: time.Microsecond},
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ParseMedia = %+v, %v", got, err)
	}
	if got.Length() != 11499901*time.Microsecond {
		t.Errorf("Length = %v", got.Length())
	}
}

func TestParseMasterRefuses(t *testing.T) {
	const inf = "#EXT-X-STREAM-INF:BANDWIDTH=2,AVERAGE-BANDWIDTH=1,CODECS=\"c\""
	const audio = "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"n\",LANGUAGE=\"en\",URI=\"u\""
	for _, c := range []struct {
		name, text string
		rule       int
	}{
		{"nothing", "", 60},
		{"no URI", inf + "\n", 60},
		{"tag before the URI", inf + "\n" + inf + "\nv\n", 60},
		{"URI alone", "v\n", 60},
		{"no BANDWIDTH", "#EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=1,CODECS=\"c\"\nv\n", 60},
		{"huge BANDWIDTH", "#EXT-X-STREAM-INF:BANDWIDTH=99999999999999999999,CODECS=\"c\"\nv\n", 60},
		{"no AVERAGE-BANDWIDTH", "#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"c\"\nv\n", 62},
		{"no CODECS", "#EXT-X-STREAM-INF:BANDWIDTH=1,AVERAGE-BANDWIDTH=1\nv\n", 64},
		{"bad RESOLUTION", inf + ",RESOLUTION=1x\nv\n", 65},
		{"bad FRAME-RATE", inf + ",FRAME-RATE=fast\nv\n", 66},
		{"FRAME-RATE 0", inf + ",FRAME-RATE=0.000\nv\n", 66},
		{"media tag", "#EXTINF:1,\nv\n", 4},
		{"no such group", inf + ",AUDIO=\"b\"\nv\n", 72},
		{"name twice", audio + "\n" + audio + "\n" + inf + "\nv\n", 73},
		{"default but not selected", audio + ",DEFAULT=YES\n" + inf + "\nv\n", 73},
		{"no NAME", "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\"\n", 73},
		{"no LANGUAGE", "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"n\",URI=\"u\"\n", 74},
		{"session key without URI", "#EXT-X-SESSION-KEY:METHOD=AES-128\n" + inf + "\nv\n", 107},
		{"session key of another method", "#EXT-X-SESSION-KEY:METHOD=NONE\n" + inf + "\nv\n", 107},
		{"odd CHANNELS", audio + ",CHANNELS=\"x\"\n", 74},
	} {
		_, err := ParseMaster([]byte("#EXTM3U\n" + c.text))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Rule != c.rule {
			t.Errorf("%s: %v, want rule %d", c.name, err, c.rule)
		}
	}
}

// Whatever is read can be written, and comes back the same.
func FuzzParseMedia(f *testing.F) {
	for _, m := range goldenMedia() {
		text, err := m.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(head + "#EXTINF:5,\na\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:6,\nb\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:6,\nb\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseMedia(text)
		if err != nil {
			return
		}
		m.Version = Version
		for i := range m.Segments {
			m.Segments[i].Duration = m.Segments[i].Duration.Truncate(tick)
		}
		again, err := m.Encode()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		back, err := ParseMedia(again)
		if err != nil || !reflect.DeepEqual(back, m) {
			t.Fatalf("round trip: %v\n%+v\n%+v", err, m, back)
		}
	})
}

func FuzzParseMaster(f *testing.F) {
	for _, m := range goldenMasters() {
		text, err := m.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseMaster(text)
		if err != nil {
			return
		}
		again, err := m.Encode()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		back, err := ParseMaster(again)
		if err != nil || len(back.Variants) != len(m.Variants) || !reflect.DeepEqual(back.Audio, m.Audio) ||
			!reflect.DeepEqual(back.SessionKeys, m.SessionKeys) {
			t.Fatalf("round trip: %v\n%+v\n%+v", err, m, back)
		}
	})
}
