package page

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
)

func TestInfo(t *testing.T) {
	v, ok := parseInfo([]byte(`{"id": 42, "title": "T\u0000", "uploader": null, "channel": "C", "extractor": "vimeo",
		"duration": "61.5", "webpage_url": "https://v/42", "is_live": null, "formats": "none", "entries": null,
		"chapters": [{"title": "one", "start_time": 0, "end_time": 30.5}, "junk", null, {"start_time": 9, "end_time": 3}],
		"subtitles": {"en": [], "live_chat": [], "de": 7}}`))
	if !ok {
		t.Fatal("not read")
	}
	want := spool.Page{
		Extractor: "vimeo", ID: "42", Title: "T\x00", Uploader: "C", URL: "https://v/42", Duration: 61500 * time.Millisecond,
		Chapters:  []spool.Chapter{{Title: "one", End: 30500 * time.Millisecond}},
		Subtitles: []string{"de", "en"},
	}
	if diff := cmp.Diff(want, v.page("https://asked/")); diff != "" {
		t.Error(diff)
	}
}

func TestEntries(t *testing.T) {
	v, ok := parseInfo([]byte(`{"_type": "playlist", "webpage_url": "https://p/list", "entries": [
		{"_type": "url", "url": "https://p/1", "title": "full URL"},
		{"_type": "url", "url": "abc", "id": "abc", "ie_key": "Youtube", "title": "bare ID"},
		{"id": "x", "webpage_url": "https://p/list", "url": "https://cdn/x.mp4", "title": "in the page itself"},
		{"_type": "playlist", "webpage_url": "https://p/inner", "entries": [{"_type": "url", "url": "https://p/2"}]},
		{"_type": "url", "url": "file:///etc/passwd"}, null, "junk", {"_type": "url", "url": "-x"}
	]}`))
	if !ok || !v.playlist() {
		t.Fatal("not read as a playlist")
	}
	var got []string
	for _, p := range v.pages("https://asked/") {
		got = append(got, p.URL)
	}
	want := []string{"https://p/1", "https://www.youtube.com/watch?v=abc", "https://cdn/x.mp4", "https://p/2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzInfo(f *testing.F) {
	for _, s := range []string{
		`{}`, `null`, `[]`, `{"id":1e999,"duration":-1,"chapters":{},"entries":[{"entries":[{}]}]}`,
		`{"_type":"playlist","entries":[{"url":"http://a"}]}`, `{"duration":1e308,"subtitles":[1]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, ok := parseInfo(b)
		if !ok {
			return
		}
		p := v.page("http://asked/")
		if p.Duration < 0 || !web(p.URL) || len([]rune(p.Title)) > 501 {
			t.Errorf("page = %+v", p)
		}
		for _, entry := range v.pages("http://asked/") {
			if !web(entry.URL) {
				t.Errorf("entry = %+v", entry)
			}
		}
	})
}

func FuzzOutput(f *testing.F) {
	f.Add([]byte(progressMark + `{"file":"a","done":1,"total":null,"guess":2.5}` + "\n{}\n"))
	f.Add([]byte("{\"is_live\":true}\nx\r\n\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		o := &output{files: map[string]sizes{}, cancel: func(error) {}, progress: func(done, total int64) {
			if done < 0 || total < done {
				t.Errorf("progress %d of %d", done, total)
			}
		}}
		for len(b) > 0 {
			n := min(len(b), 7)
			if _, err := o.Write(b[:n]); err != nil {
				t.Fatal(err)
			}
			b = b[n:]
		}
	})
}
