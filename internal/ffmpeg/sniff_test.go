package ffmpeg

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/spool-video/spool"
)

func TestSniff(t *testing.T) {
	ts := bytes.Repeat(append([]byte{0x47}, make([]byte, 187)...), 4)
	for _, c := range []struct {
		name, head, kind, code string
	}{
		{"mp4", "\x00\x00\x00\x20ftypisom", "mp4", ""},
		{"matroska", "\x1a\x45\xdf\xa3\x01", "matroska", ""},
		{"avi", "RIFF\x00\x00\x00\x00AVI LIST", "avi", ""},
		{"transport stream", string(ts), "mpegts", ""},
		{"transport stream in the middle of a packet", string(ts[100:]), "mpegts", ""},
		{"mp3", "ID3\x04", "mp3", ""},
		{"unknown bytes", "\x01\x02\x03\xff\xfe\x80", "", ""},
		{"nothing", "", "", "empty-file"},
		{"zeros", string(make([]byte, 5000)), "", "not-media"},
		{"web page", "\xef\xbb\xbf \n<!DOCTYPE html><title>404", "", "web-page"},
		{"web page without doctype", "<!-- x --><HTML>", "", "web-page"},
		{"server error", "<?xml version=\"1.0\"?><Error><Code>AccessDenied", "", "xml"},
		{"JSON", `{"error": "no such video"}`, "", "json"},
		{"HLS", "#EXTM3U\n/etc/passwd", "", "playlist"},
		{"concat", "ffconcat version 1.0\nfile a.mp4", "", "playlist"},
		{"SDP", "v=0\no=- 0 0 IN IP4 127.0.0.1", "", "playlist"},
		{"DASH", "<?xml version=\"1.0\"?>\n<MPD>", "", "playlist"},
		{"DASH with entities", "<?xml version=\"1.0\"?><!DOCTYPE x><MPD>", "", "playlist"},
		{"SVG", "<svg xmlns='http://www.w3.org/2000/svg'>", "", "xml"},
		{"subtitles", "1\n00:00:00,000 --> 00:00:01,000\nhéllo\n", "", "not-media"},
		{"a character cut at the end", strings.Repeat("é", 2048)[:4095], "", "not-media"},
		{"picture", "\x89PNG\r\n\x1a\n", "", "not-media"},
		{"zip", "PK\x03\x04", "", "not-media"},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind, err := Sniff([]byte(c.head))
			var e *spool.Error
			switch {
			case c.code == "" && (err != nil || kind != c.kind):
				t.Errorf("got %q, %v", kind, err)
			case c.code != "" && (!errors.As(err, &e) || e.Code != c.code || e.Class != spool.Permanent || e.Hint == ""):
				t.Errorf("got %q, %v", kind, err)
			}
		})
	}
}

func FuzzSniff(f *testing.F) {
	f.Add([]byte("#EXTM3U\n"))
	f.Add([]byte("\x00\x00\x00\x20ftypisom"))
	f.Fuzz(func(t *testing.T, head []byte) {
		kind, err := Sniff(head)
		if err != nil && kind != "" {
			t.Errorf("%q and %v", kind, err)
		}
		// What ffmpeg may see is never a playlist, whatever stands before it.
		if err == nil && bytes.HasPrefix(bytes.TrimSpace(head), []byte("#EXTM3U")) && kind == "" {
			t.Errorf("a playlist passed: %q", head)
		}
	})
}
