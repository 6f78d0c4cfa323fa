package page

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Of each language the best kind that is a plain file is taken; what a program
// wrote is not.
func TestTexts(t *testing.T) {
	const film = `"url":"https://v.example.org/v","http_headers":{"Referer":"https://example.org/","Cookie":"secret=1"},`
	for name, tc := range map[string]struct{ json, want string }{
		"none":             {`{}`, ""},
		"best kind":        {`{"subtitles":{"en":[{"ext":"json3","url":"https://t/a"},{"ext":"srt","url":"https://t/b"},{"ext":"vtt","url":"https://t/c"}]}}`, "en vtt https://t/c"},
		"sorted":           {`{"subtitles":{"fr":[{"ext":"vtt","url":"https://t/f"}],"de":[{"ext":"ass","url":"https://t/d"}]}}`, "de ass https://t/d, fr vtt https://t/f"},
		"unknown kind":     {`{"subtitles":{"en":[{"ext":"unknown_video","url":"https://t/a"}]}}`, "en  https://t/a"},
		"by a playlist":    {`{"subtitles":{"en":[{"ext":"vtt","url":"https://t/a.m3u8","protocol":"m3u8_native"}]}}`, ""},
		"of a file":        {`{"subtitles":{"en":[{"ext":"vtt","url":"file:///etc/passwd"}]}}`, ""},
		"in itself":        {`{"subtitles":{"en":[{"ext":"srt","data":"1\n"}]}}`, "en srt data"},
		"chat":             {`{"subtitles":{"live_chat":[{"ext":"json","url":"https://t/a"}]}}`, ""},
		"captions of none": {`{"automatic_captions":{"en":[{"ext":"vtt","url":"https://t/a"}]}}`, ""},
		"no object":        {`{"subtitles":[1,2]}`, ""},
		"no list":          {`{"subtitles":{"en":{"a":1},"de":[3,null]}}`, ""},
		"injected":         {`{"subtitles":{"en":[{"ext":"vtt","url":"https://t/a","http_headers":{"X":"a\r\nY: b"}}]}}`, ""},
	} {
		var o offer
		if err := json.Unmarshal([]byte(strings.Replace(tc.json, "{", "{"+film, 1)), &o); err != nil && name != "none" {
			t.Fatalf("%s: %v", name, err)
		}
		var got []string
		for _, x := range o.texts() {
			where := x.URL
			if x.Data != "" {
				where = "data"
			}
			if x.Header.Get("Cookie") != "" {
				t.Errorf("%s: the film's secrets go to another host", name)
			}
			got = append(got, strings.Join([]string{x.Language, x.Ext, where}, " "))
		}
		if strings.Join(got, ", ") != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
	many := offer{Subtitles: tracks{}}
	for n := range 100 {
		many.Subtitles[fmt.Sprint("l", n)] = list[track]{{format: format{Ext: "vtt", URL: "https://t/a"}}}
	}
	if n := len(many.texts()); n != mostTexts {
		t.Errorf("%d languages are taken", n)
	}
}

// The tool that is installed finds the tracks of an HTML page.
func TestRealTexts(t *testing.T) {
	tool, s := installed(t), newSite(t)
	c, err := tool.Choose(t.Context(), s.url+"/spoken", "")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(c.Texts, func(x Text) bool { return x.Language == "en" })
	if i < 0 || c.Texts[i].URL != s.url+"/en.vtt" || c.Texts[i].Header.Get("Referer") == "" {
		t.Errorf("%+v", c.Texts)
	}
	_, got, err := tool.Download(t.Context(), s.url+"/spoken", t.TempDir(), nil)
	if err != nil || len(got.Texts) != len(c.Texts) {
		t.Errorf("downloaded: %+v, %v", got.Texts, err)
	}
}
