package webvtt

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func parse(t *testing.T, text string) []Cue {
	t.Helper()
	cues, err := Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return cues
}

func TestParse(t *testing.T) {
	const ms = time.Millisecond
	got := parse(t, "WEBVTT some title\r\nX-TIMESTAMP-MAP=MPEGTS:1,LOCAL:00:00:00.000\r\n\r\nSTYLE\r\n::cue { background: url(http://a/b) }\r\n\r\n"+
		"NOTE nothing\r\n\r\nsecond\r\n00:02.000 --> 01:00:03.500 line:0% align:start region:x onclick:alert(1)\r\n<i>Tom</i> & <b>\r\nJerry</b>\r\n\r\n"+
		"00:01.000 --> 00:01.250\nfirst\n\n00:05.000 --> 00:05.000\nno time\n\n00:06.000 --> 00:07.000\n\n00:08.0 --> 00:09.000\nbad times\n"+
		"-00:00:01.500 --> 00:00:00.500\nbefore\n00:10.000 --> 00:11.000\nright after")
	want := []Cue{
		{-1500 * ms, 500 * ms, "", "before"},
		{1000 * ms, 1250 * ms, "", "first"},
		{2000 * ms, time.Hour + 3500*ms, "line:0% align:start", "<i>Tom</i> &amp; <b>\nJerry</b>"},
		{10 * time.Second, 11 * time.Second, "", "right after"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Of a hostile cue only text stays.
func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                            "plain",
		"a < b > c & d":                    "a &lt; b &gt; c &amp; d",
		"<script>alert(1)</script>":        "alert(1)",
		"<img src=x onerror=alert(1)>pic":  "pic",
		"<v Fred>hi</v> <lang en>x</lang>": "<v Fred>hi</v> <lang en>x</lang>",
		"<v Fred\" onload=x<y>hi":          "&lt;v Fred\" onload=xhi",
		"<c.yellow.bg_blue>c</c>":          "<c.yellow.bg_blue>c</c>",
		"<00:01.500>karaoke":               "<00:01.500>karaoke",
		"<font color=red>r</font>":         "r",
		"&nbsp;&amp;&copy;&#60;":           "&nbsp;&amp;&amp;copy;&#60;",
		"x --> y":                          "x --&gt; y",
		"a\x00\x1b[31mb\xff":               "a[31mb\ufffd",
		"one\n \ntwo":                      "one\ntwo",
		"i <3 you":                         "i &lt;3 you",
		"<b":                               "&lt;b",
	} {
		if got := clean(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestLimits(t *testing.T) {
	for name, text := range map[string]string{
		"a cue":     "00:01.000 --> 00:02.000\n" + strings.Repeat("x\n", maxText),
		"many cues": strings.Repeat("00:01.000 --> 00:02.000\nx\n\n", MaxCues+2),
		"all of it": strings.Repeat("nothing to see\n", maxBytes/15+2),
		"a line":    strings.Repeat("x", maxBytes+2),
	} {
		if _, err := Parse(strings.NewReader(text)); !errors.Is(err, ErrTooMuch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A cue is in all segments during which it is shown, and in no other.
func TestSegments(t *testing.T) {
	const s = time.Second
	ends := []time.Duration{6 * s, 12 * s, 14*s + 400*time.Microsecond}
	cue := func(start, end time.Duration, text string) Cue {
		return Cue{Start: 10*s + start, End: 10*s + end, Text: text}
	}
	got := Segments([]Cue{
		cue(-3*s, -1*s, "before"), cue(-1*s, 1*s, "begins before"), cue(5*s, 6*s, "to the end"), cue(5*s, 13*s, "all"), cue(6*s, 7*s, "second"), cue(13*s, 99*s, "beyond"), cue(14*s, 15*s, "after"),
	}, 10*s, ends)
	var texts []string
	for _, segment := range got {
		var line []string
		for _, c := range segment {
			line = append(line, c.Text)
		}
		texts = append(texts, strings.Join(line, ","))
	}
	if want := []string{"begins before,to the end,all", "all,second", "all,beyond"}; !slices.Equal(texts, want) {
		t.Errorf("%q, want %q", texts, want)
	}
	want := "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n\n00:00:05.000 --> 00:00:13.000\nall\n\n00:00:13.000 --> 00:00:14.000\nbeyond\n"
	if text := string(Encode(got[2], 900_000)); text != want {
		t.Errorf("%s", text)
	}
}

// Whatever is read, what is written is read back the same, and holds nothing
// but WebVTT.
func FuzzParse(f *testing.F) {
	f.Add("WEBVTT\n\n00:01.000 --> 00:02.000 line:0\n<i>a</i> & <script>x\n\n-->\n")
	f.Add("00:01.000 --> 00:02.000\nx --> y\n<v a>\n&#x3c;\r\n\r\n100:00:00.000 --> 101:00:00.000\n-")
	f.Fuzz(func(t *testing.T, text string) {
		cues, err := Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		ends := []time.Duration{6 * time.Second, time.Minute, 1 << 50}
		for _, segment := range Segments(cues, 0, ends) {
			again, err := Parse(strings.NewReader(string(Encode(segment, 0))))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(segment, again); diff != "" {
				t.Fatal(diff)
			}
			for _, c := range segment {
				rest := tag.ReplaceAllString(c.Text, "")
				for i := range rest {
					if rest[i] == '<' && tag.FindString(rest[i:]) == "" || strings.HasPrefix(rest[i:], "-->") {
						t.Fatalf("%q", c.Text)
					}
				}
			}
		}
	})
}
