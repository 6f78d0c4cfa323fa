package download

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// NotMedia is what came in place of a video. It is in the chain of errors with
// the code "not-a-video".
type NotMedia struct {
	Kind string // "html", "json", "xml", "hls", "dash", "text", "archive", "document"
	Name string // in words: "a web page"
}

// Error says what it is.
func (n *NotMedia) Error() string { return "the body is " + n.Name }

// sniffLength is how many of a body's first bytes are looked at.
const sniffLength = 4096

var (
	html    = NotMedia{"html", "a web page"}
	xml     = NotMedia{"xml", "an XML document"}
	jsonDoc = NotMedia{"json", "a JSON document"}
	hls     = NotMedia{"hls", "an HLS playlist"}
	dash    = NotMedia{"dash", "a DASH manifest"}
	text    = NotMedia{"text", "text"}
	archive = NotMedia{"archive", "an archive"}
	papers  = NotMedia{"document", "a document"}
)

// magic are first bytes of things that are no video, text aside.
var magic = []struct {
	head string
	is   NotMedia
}{
	{"PK\x03\x04", archive},
	{"\x1f\x8b", archive},
	{"Rar!\x1a\x07", archive},
	{"7z\xbc\xaf\x27\x1c", archive},
	{"BZh", archive},
	{"\xfd7zXZ\x00", archive},
	{"\x28\xb5\x2f\xfd", archive},
	{"%PDF-", papers},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", papers},
}

// Sniff judges the first bytes of a body; nil means that it may be media. What
// the server calls it is not asked: they often do not know.
func Sniff(head []byte) *NotMedia {
	head = head[:min(len(head), sniffLength)]
	for _, m := range magic {
		if bytes.HasPrefix(head, []byte(m.head)) {
			return &m.is
		}
	}
	plain, ok := asText(head)
	if !ok {
		return nil
	}
	n := sniffText(strings.ToLower(strings.TrimSpace(plain)))
	return &n
}

// asText gives head as text when it is text in UTF-8 or UTF-16.
func asText(head []byte) (string, bool) {
	if bytes.HasPrefix(head, []byte{0xfe, 0xff}) || bytes.HasPrefix(head, []byte{0xff, 0xfe}) {
		// UTF-16: dropping the zero bytes leaves what matters here of it.
		plain := bytes.ReplaceAll(head[2:], []byte{0}, nil)
		return string(plain), isText(plain)
	}
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	if isText(head) {
		return string(head), true
	}
	// A page in an old encoding is not valid UTF-8, yet begins like a page.
	first := strings.ToLower(strings.TrimSpace(string(head[:min(len(head), 64)])))
	if strings.HasPrefix(first, "<!doctype") || strings.HasPrefix(first, "<html") || strings.HasPrefix(first, "<?xml") {
		return string(head), true
	}
	return "", false
}

// isText reports whether b, cut anywhere, is printable UTF-8.
func isText(b []byte) bool {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			return len(b) < utf8.UTFMax && !utf8.FullRune(b)
		}
		if !unicode.IsPrint(r) && !unicode.IsSpace(r) && r != 0x1b && r != '\ufeff' {
			return false
		}
		b = b[size:]
	}
	return true
}

// sniffText names a text, given in lower case.
func sniffText(s string) NotMedia {
	switch {
	case strings.HasPrefix(s, "#extm3u"):
		return hls
	case strings.HasPrefix(s, "<"):
		return sniffMarkup(s)
	case strings.HasPrefix(s, "{"), strings.HasPrefix(s, "["):
		return jsonDoc
	case strings.Contains(s, "<html"):
		return html
	}
	return text
}

func sniffMarkup(s string) NotMedia {
	for _, sign := range []string{"<!doctype html", "<html"} {
		if strings.Contains(s, sign) {
			return html
		}
	}
	switch {
	case strings.Contains(s, "<mpd"):
		return dash
	case strings.HasPrefix(s, "<?xml"), strings.Contains(s, "xmlns"), strings.HasPrefix(s, "<rss"),
		strings.HasPrefix(s, "<error"), strings.HasPrefix(s, "<svg"), strings.HasPrefix(s, "<feed"):
		return xml
	}
	return html
}
