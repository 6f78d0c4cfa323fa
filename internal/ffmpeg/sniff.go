package ffmpeg

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/spool-video/spool"
)

// HeadSize is how many bytes of a file Sniff wants to see.
const HeadSize = 64 << 10

// signature is what a kind of file begins with, at an offset.
type signature struct {
	offset int
	magic  string
	kind   string
}

// media are kinds that ffmpeg may see.
var media = []signature{
	{4, "ftyp", "mp4"},
	{4, "moov", "mp4"},
	{4, "mdat", "mp4"},
	{4, "free", "mp4"},
	{4, "skip", "mp4"},
	{4, "wide", "mp4"},
	{4, "pnot", "mp4"},
	{4, "styp", "mp4"},
	{4, "moof", "mp4"},
	{4, "sidx", "mp4"},
	{0, "\x1a\x45\xdf\xa3", "matroska"},
	{8, "AVI ", "avi"},
	{8, "AVIX", "avi"},
	{0, "FLV\x01", "flv"},
	{0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"},
	{0, "OggS", "ogg"},
	{8, "WAVE", "wav"},
	{0, "\x00\x00\x01\xba", "mpeg"},
	{0, "\x00\x00\x01\xb3", "mpeg"},
	{0, "ID3", "mp3"},
	{0, "fLaC", "flac"},
	{0, "\x06\x0e\x2b\x34", "mxf"},
	{0, "\x0b\x77", "ac3"},
	{0, "caff", "caf"},
	{8, "AIFF", "aiff"},
	{8, "AIFC", "aiff"},
	{0, "#!AMR", "amr"},
}

// foreign are kinds that are named in a refusal.
var foreign = []signature{
	{0, "\xff\xd8\xff", "a JPEG picture"},
	{0, "\x89PNG", "a PNG picture"},
	{0, "GIF8", "a GIF picture"},
	{8, "WEBP", "a WebP picture"},
	{0, "BM", "a bitmap picture"},
	{0, "II*\x00", "a TIFF picture"},
	{0, "MM\x00*", "a TIFF picture"},
	{0, "PK\x03\x04", "a zip archive"},
	{0, "\x1f\x8b", "a gzip archive"},
	{0, "Rar!", "a rar archive"},
	{0, "7z\xbc\xaf", "a 7z archive"},
	{0, "\xfd7zXZ", "an xz archive"},
	{0, "%PDF", "a PDF document"},
	{0, "\x7fELF", "a program"},
}

func (s signature) of(head []byte) bool {
	return len(head) >= s.offset && bytes.HasPrefix(head[s.offset:], []byte(s.magic))
}

// Sniff looks at the first bytes of a file (HeadSize of them, or all) before
// ffprobe does. It gives the kind of media, or "" for bytes that it does not
// know and that ffprobe may judge. Text of any sort is refused: a playlist
// called video.mp4 would have ffmpeg read other files. Errors are
// *spool.Error.
func Sniff(head []byte) (kind string, err error) {
	if len(head) == 0 {
		return "", refuse("empty-file", "the file is empty", "check that the source was written or downloaded to its end")
	}
	for _, s := range media {
		if s.of(head) {
			return s.kind, nil
		}
	}
	if transport(head) {
		return "mpegts", nil
	}
	for _, s := range foreign {
		if s.of(head) {
			return "", refuse("not-media", fmt.Sprintf("the source is %s, not a video", s.kind), notMediaHint)
		}
	}
	if len(bytes.Trim(head, "\x00")) == 0 {
		return "", refuse("not-media", "the source begins with nothing but zeros; it was probably never downloaded to its end", notMediaHint)
	}
	return "", sniffText(head)
}

const notMediaHint = "check that it plays; of a link, give the address of the video itself, or of a page that yt-dlp knows"

func refuse(code, reason, hint string) *spool.Error {
	return &spool.Error{Class: spool.Permanent, Code: code, Reason: reason, Hint: hint}
}

// transport finds the sync byte of transport packets, plain or with a time
// code in front, three times in a row, within the first packet's length.
func transport(head []byte) bool {
	for _, size := range []int{188, 192, 204} {
		for at := 0; at < size && at+2*size < len(head); at++ {
			if head[at] == 0x47 && head[at+size] == 0x47 && head[at+2*size] == 0x47 {
				return true
			}
		}
	}
	return false
}

// sniffText gives an error when the bytes are text.
func sniffText(head []byte) error {
	body := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	lower := bytes.ToLower(body[:min(len(body), 512)])
	starts := func(s string) bool { return bytes.HasPrefix(lower, []byte(s)) }
	switch {
	case starts("#extm3u"), starts("ffconcat"), starts("v=0"), starts("<mpd"), bytes.Contains(lower, []byte("<mpd")) && starts("<?xml"):
		return refuse("playlist", "the source is a playlist, not a video", "give the video file itself, or the page that plays it")
	case starts("<!doctype html"), starts("<html"), bytes.Contains(lower, []byte("<html")):
		return refuse("web-page", "the source is a web page, not a video", notMediaHint)
	case starts("<"):
		return refuse("xml", "the source is XML, probably a server's error message, not a video", notMediaHint)
	case starts("{"), starts("["):
		if isText(body) {
			return refuse("json", "the source is JSON, probably a server's answer, not a video", notMediaHint)
		}
	}
	if isText(body) {
		return refuse("not-media", "the source is text, not a video", notMediaHint)
	}
	return nil
}

// isText reports whether the first 4 KB are UTF-8 without control characters
// other than white space and escape.
func isText(b []byte) bool {
	b = b[:min(len(b), 4096)]
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			return len(b) < utf8.UTFMax // cut in the middle of a character
		}
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f' && r != 0x1b {
			return false
		}
		b = b[size:]
	}
	return true
}
