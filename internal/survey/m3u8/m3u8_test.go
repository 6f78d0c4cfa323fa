package m3u8_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/survey/m3u8"
)

func TestReadMedia(t *testing.T) {
	t.Parallel()
	p := m3u8.Read([]byte(`#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MAP:URI="init.mp4",BYTERANGE="100@0"
# a comment
#EXT-X-KEY:METHOD=AES-128,URI="a,b.key",IV=0x0F
#EXTINF:6.006006006006,title, with a comma
#EXT-X-BYTERANGE:10@100
all.mp4
#EXTINF:4,
#EXT-X-BYTERANGE:20
all.mp4
#EXT-X-KEY:METHOD=NONE
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05.678+0200
#EXTINF:1.5,
last.mp4
#EXT-X-ENDLIST
`))
	if len(p.Problems) > 0 {
		t.Fatalf("problems: %v", p.Problems)
	}
	if p.Version != 7 || p.Target != 6 || p.Sequence != 7 || !p.Ended || len(p.Segments) != 3 || p.Length() != 11506006006*time.Nanosecond {
		t.Errorf("%+v", p)
	}
	first, second, last := p.Segments[0], p.Segments[1], p.Segments[2]
	if *first.Range != (m3u8.Range{Offset: 100, Length: 10}) || *second.Range != (m3u8.Range{Offset: 110, Length: 20}) {
		t.Errorf("ranges %v, %v", first.Range, second.Range)
	}
	if first.Key.URI != "a,b.key" || first.Key.IV[15] != 0x0f || first.Key.Format != "identity" || last.Key != nil {
		t.Errorf("keys %+v, %+v", first.Key, last.Key)
	}
	if first.Map.Key != nil || first.Map.Range.Length != 100 || !last.Discontinuity || last.Clock.IsZero() || first.Line != 10 {
		t.Errorf("%+v %+v", first, last)
	}
}

func TestProblemsHaveTheirRule(t *testing.T) {
	t.Parallel()
	for text, rule := range map[string]int{
		"\xef\xbb\xbf#EXTM3U\n":     1,
		" #EXTM3U\n":                1,
		"#EXTM3U\n#EXTM3U\n":        1,
		"#EXTM3U\n#\x01\n":          2,
		"#EXTM3U\n#EXT-X-MAP:URI\n": 2,
		"#EXTM3U\n#EXT-X-MAP:URI=\"a\"BYTERANGE=\"1@0\"\n":         2,
		"#EXTM3U\n#EXT-X-MAP:uri=\"a\",URI=\"a\"\n":                2,
		"#EXTM3U\n#EXT-X-MAP:BYTERANGE=\"1@0\"\n":                  41,
		"#EXTM3U\n#EXT-X-VERSION:seven\n":                          5,
		"#EXTM3U\n#EXT-X-TARGETDURATION:0\n":                       6,
		"#EXTM3U\n#EXT-X-PLAYLIST-TYPE:LIVE\n":                     13,
		"#EXTM3U\n#EXTINF:1,\n":                                    18,
		"#EXTM3U\n#EXTINF:-1,\na\n":                                18,
		"#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:5\na\n":             18,
		"#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:yesterday\n":            21,
		"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n":                 60,
		"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=\"1\"\na\n":          60,
		"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1\na\n": 65,
		"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,FRAME-RATE=x\na\n": 66,
		"#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"a\",IV=12\n":     101,
	} {
		p := m3u8.Read([]byte(text))
		if !slices.ContainsFunc(p.Problems, func(p m3u8.Problem) bool { return p.Rule == rule && p.Line > 0 }) {
			t.Errorf("%q: %v, want one of rule %d", text, p.Problems, rule)
		}
	}
}

func TestVariables(t *testing.T) {
	t.Parallel()
	scope := m3u8.Scope{Imported: map[string]string{"host": "cdn"}, Query: url.Values{"token": {"abc"}}}
	p := scope.Read([]byte(`#EXTM3U
#EXT-X-DEFINE:NAME="path",VALUE="v1"
#EXT-X-DEFINE:IMPORT="host"
#EXT-X-DEFINE:QUERYPARAM="token"
#EXT-X-MAP:URI="{$path}/init.mp4"
#EXTINF:1,
//{$host}/{$path}/a.mp4?t={$token}
`))
	if len(p.Problems) > 0 || p.Segments[0].URI != "//cdn/v1/a.mp4?t=abc" || p.Segments[0].Map.URI != "v1/init.mp4" {
		t.Errorf("%+v", p)
	}
	for _, bad := range []string{"#EXTM3U\n#EXTINF:1,\n{$x}\n", "#EXTM3U\n#EXT-X-DEFINE:IMPORT=\"x\"\n"} {
		if p := m3u8.Read([]byte(bad)); len(p.Problems) == 0 {
			t.Errorf("%q: no problem", bad)
		}
	}
}

// Variables that double with each line end at a length that can be read.
func TestVariablesDoNotExplode(t *testing.T) {
	t.Parallel()
	text := "#EXTM3U\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"xxxxxxxx\"\n" + strings.Repeat("#EXT-X-DEFINE:NAME=\"a\",VALUE=\"{$a}{$a}\"\n", 40)
	p := m3u8.Read([]byte(text))
	if len(p.Problems) == 0 || len(p.Defined["a"]) > 1<<17 {
		t.Errorf("%d problems, %d bytes", len(p.Problems), len(p.Defined["a"]))
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"a,b\"\nx\n"))
	f.Add([]byte("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x1\n#EXTINF:1.0,\n#EXT-X-BYTERANGE:1@2\nx\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p := m3u8.Read(text)
		for _, s := range p.Segments {
			if s.Duration < 0 || s.Range != nil && (s.Range.Offset < 0 || s.Range.Length < 0) {
				t.Fatalf("%+v", s)
			}
		}
	})
}
