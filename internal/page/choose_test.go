package page

import (
	"encoding/json"
	"net/url"
	"reflect"
	"testing"

	"github.com/spool-video/spool"
)

func TestRealChoice(t *testing.T) {
	tool, s := installed(t), newSite(t)
	c, err := tool.Choose(t.Context(), s.url+"/page", "")
	if err != nil || len(c.Files) != 1 {
		t.Fatalf("Choose = %+v, %v", c, err)
	}
	f := c.Files[0]
	if f.URL != s.url+"/clip.mp4" || f.Ext != "mp4" || f.Header.Get("Referer") != s.url+"/page" || f.Header.Get("User-Agent") == "" || c.Page.Extractor != "html5" {
		t.Errorf("%+v", c)
	}
	again, err := tool.Choose(t.Context(), s.url+"/page", c.Name)
	if err != nil || again.Name != c.Name || c.Name == "" || again.Files[0].Name != f.Name {
		t.Errorf("again: %+v, %v", again, err)
	}
	_, err = tool.Choose(t.Context(), s.url+"/page", "no-such-format")
	wantFault(t, err, "page-no-format")
	feed, err := tool.Choose(t.Context(), s.url+"/rss", "")
	if err != nil || len(feed.Files) != 1 || feed.Files[0].URL != s.url+"/0.mp4" {
		t.Errorf("of a feed: %+v, %v", feed, err)
	}
	if s.bytes.Load() > int64(len(s.clip)) {
		t.Errorf("%d bytes of the clip were served", s.bytes.Load())
	}
}

func TestChoice(t *testing.T) {
	video := `"format_id":"137","url":"https://v.example.org/v?sig=1","ext":"mp4","protocol":"https","vcodec":"avc1","acodec":"none"`
	audio := `"format_id":"140","url":"https://a.example.org/a?sig=1","ext":"m4a","protocol":"https","vcodec":"none","acodec":"mp4a"`
	one := `"format_id":"18","url":"https://v.example.org/v","ext":"mp4","protocol":"https"`
	for name, tc := range map[string]struct {
		json string
		urls []string
		want string
	}{
		"one":              {`{` + one + `}`, []string{"https://v.example.org/v"}, "18"},
		"apart":            {`{"requested_formats":[{` + video + `},{` + audio + `}]}`, []string{"https://v.example.org/v?sig=1", "https://a.example.org/a?sig=1"}, "137+140"},
		"sound first":      {`{"requested_formats":[{` + audio + `},{` + video + `}]}`, []string{"https://v.example.org/v?sig=1", "https://a.example.org/a?sig=1"}, "140+137"},
		"two of pictures":  {`{"requested_formats":[{` + video + `},{` + video + `}]}`, nil, "137+137"},
		"three":            {`{"requested_formats":[{` + video + `},{` + audio + `},{` + audio + `}]}`, nil, "137+140+140"},
		"a playlist":       {`{"requested_formats":[{` + video + `},{` + audio + `,"protocol":"m3u8_native"}]}`, nil, ""},
		"fragments":        {`{` + one + `,"fragments":[{"url":"x"}]}`, nil, ""},
		"no fragments":     {`{` + one + `,"fragments":null,"section_start":null}`, []string{"https://v.example.org/v"}, "18"},
		"a section":        {`{` + one + `,"section_start":10}`, nil, ""},
		"DRM":              {`{` + one + `,"has_drm":true}`, nil, ""},
		"posted":           {`{` + one + `,"request_data":"x"}`, nil, ""},
		"a local file":     {`{` + one + `,"url":"file:///etc/passwd"}`, nil, ""},
		"another network":  {`{` + one + `,"protocol":"rtmp"}`, nil, ""},
		"header, injected": {`{` + one + `,"http_headers":{"X":"a\r\nCookie: b"}}`, nil, ""},
		"a selector":       {`{` + one + `,"format_id":"best"}`, []string{"https://v.example.org/v"}, ""},
		"an expression":    {`{` + one + `,"format_id":"1/2"}`, []string{"https://v.example.org/v"}, ""},
		"nonsense":         {`{"format_id":[],"url":{},"http_headers":7,"requested_formats":"x","downloader_options":[]}`, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var o offer
			if err := json.Unmarshal([]byte(tc.json), &o); err != nil {
				t.Fatal(err)
			}
			c := o.choice(spool.Page{Extractor: "site", ID: "1"})
			var urls []string
			for _, f := range c.Files {
				urls = append(urls, f.URL)
			}
			if !reflect.DeepEqual(urls, tc.urls) || c.Name != tc.want {
				t.Errorf("%q named %q, want %q named %q", urls, c.Name, tc.urls, tc.want)
			}
		})
	}
}

func TestFileOfAFormat(t *testing.T) {
	var o offer
	err := json.Unmarshal([]byte(`{"format_id":"18","url":"https://v.example.org/v","ext":"MP4","protocol":"https","acodec":null,
		"downloader_options":{"http_chunk_size":10485760},"cookies":"a=1; Domain=.example.org; Path=/; Secure; b=2; Domain=other.org; Path=/",
		"http_headers":{"user-agent":"Mozilla","Cookie":"b=2","Range":"bytes=0-","Youtubedl-no-compression":"True","Accept-Encoding":"gzip"}}`), &o)
	if err != nil {
		t.Fatal(err)
	}
	f, ok := o.file(spool.Page{Extractor: "site", ID: "7"})
	if !ok || f.Chunk != 10485760 || f.Ext != "mp4" || f.Name != "site\n7\n18\nMP4" {
		t.Errorf("%+v, %v", f, ok)
	}
	if len(f.Header) != 2 || f.Header.Get("User-Agent") != "Mozilla" || f.Header.Get("Cookie") != "a=1" {
		t.Errorf("headers: %v", f.Header)
	}
}

// Cookies go only where the site that set them wants them.
func TestCookiesFor(t *testing.T) {
	for _, tc := range []struct {
		url, list, want string
		ok              bool
	}{
		{"https://v.example.org/x", "a=1; Domain=.example.org; Path=/; Secure; Expires=1", "a=1", true},
		{"https://v.example.org/x", "a=1; Domain=v.example.org; Path=/; b=x=y; Domain=example.org; Path=/; c=3; Domain=.v.example.org", "a=1; c=3", true},
		{"http://v.example.org/x", "a=1; Domain=.example.org; Path=/; Secure", "", true},
		{"https://v.example.org/x", "a=1; Domain=.ample.org; Path=/", "", true},
		{"https://v.example.org/x", "a=1; Domain=.v.example.org; Path=/y; b=2; Domain=.v.example.org; Path=/x/", "b=2", true},
		{"https://v.example.org/xy", "b=2; Domain=.v.example.org; Path=/x", "", true},
		{"https://v.example.org/x", "a=1", "", true},
		{"https://v.example.org/x", `a="1\054"; Domain=.example.org`, "", false},
		{"https://v.example.org/x", "Domain=.example.org; a=1", "", false},
		{"https://v.example.org/x", "a=1\r\nX: y; Domain=.example.org", "", false},
	} {
		u, err := url.Parse(tc.url)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := cookiesFor(u, tc.list); got != tc.want || ok != tc.ok {
			t.Errorf("%s at %s: %q, %v; want %q, %v", tc.list, tc.url, got, ok, tc.want, tc.ok)
		}
	}
}
