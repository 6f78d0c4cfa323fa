package subtitles

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/language"
)

// maxFile is how large a file of subtitles may be, in bytes.
const maxFile = 16 << 20

// readText reads a file of subtitles and makes UTF-8 of it. When it cannot, why
// says it in words; an error is one of the disk.
func readText(path, tag string) (text []byte, why string, err error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, "the file is not there any more", nil
	case err == nil && !info.Mode().IsRegular():
		return nil, "it is no file", nil
	case err == nil && info.Size() > maxFile:
		return nil, fmt.Sprintf("the file has more than %d MB", maxFile>>20), nil
	case err != nil:
		return nil, "", fmt.Errorf("read subtitles: %w", err)
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrPermission) {
		return nil, "the file cannot be read", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("read subtitles: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	if text, err = io.ReadAll(io.LimitReader(f, maxFile)); err != nil {
		return nil, "", fmt.Errorf("read subtitles: %w", err)
	}
	text, ok := decode(text, tag)
	if !ok {
		return nil, "its encoding is not known: save it as UTF-8", nil
	}
	return text, "", nil
}

// decode makes UTF-8 of a text: by its byte order mark, as what it is already,
// or as what texts in its language were written in before.
func decode(text []byte, tag string) ([]byte, bool) {
	var out []byte
	var err error
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	switch {
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}), bytes.HasPrefix(text, []byte{0xfe, 0xff}):
		out, err = unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Bytes(text)
	case utf8.Valid(text):
		out = text
	default:
		e := legacy(tag, text)
		if e == nil {
			return nil, false
		}
		out, err = e.NewDecoder().Bytes(text)
	}
	return out, err == nil && plausible(out)
}

// plausible reports whether text was decoded as what it is: nothing in it is
// undefined or a control character.
func plausible(text []byte) bool {
	for _, r := range string(text) {
		if r == utf8.RuneError || r < ' ' && r != '\n' && r != '\r' && r != '\t' && r != 0x1a || r >= 0x7f && r < 0xa0 {
			return false
		}
	}
	return len(text) > 0
}

// legacy is the encoding of texts in a language that are not Unicode; nil when
// there is none that it would be. A text whose language nobody tells may be one
// of western Europe, when most of it is ASCII: in others, letters of another
// alphabet would become gibberish.
func legacy(tag string, text []byte) encoding.Encoding {
	base, _ := language.Make(tag).Base()
	name := base.String()
	if tag == "" || name == "und" {
		high := 0
		for _, b := range text {
			if b >= 0x80 {
				high++
			}
		}
		if 20*high > len(text) {
			return nil
		}
		return charmap.Windows1252
	}
	return encodings[name]
}

// encodings are the usual ones of languages before Unicode.
var encodings = map[string]encoding.Encoding{
	"ru": charmap.Windows1251, "uk": charmap.Windows1251, "bg": charmap.Windows1251, "be": charmap.Windows1251, "mk": charmap.Windows1251,
	"pl": charmap.Windows1250, "cs": charmap.Windows1250, "sk": charmap.Windows1250, "hu": charmap.Windows1250, "hr": charmap.Windows1250,
	"sl": charmap.Windows1250, "ro": charmap.Windows1250, "bs": charmap.Windows1250, "sq": charmap.Windows1250,
	"el": charmap.Windows1253, "tr": charmap.Windows1254, "he": charmap.Windows1255, "ar": charmap.Windows1256, "fa": charmap.Windows1256,
	"lt": charmap.Windows1257, "lv": charmap.Windows1257, "et": charmap.Windows1257, "vi": charmap.Windows1258, "th": charmap.Windows874,
	"zh": simplifiedchinese.GB18030, "ja": japanese.ShiftJIS, "ko": korean.EUCKR,
	"en": charmap.Windows1252, "de": charmap.Windows1252, "fr": charmap.Windows1252, "es": charmap.Windows1252, "pt": charmap.Windows1252,
	"it": charmap.Windows1252, "nl": charmap.Windows1252, "da": charmap.Windows1252, "sv": charmap.Windows1252, "nb": charmap.Windows1252,
	"no": charmap.Windows1252, "nn": charmap.Windows1252, "fi": charmap.Windows1252, "is": charmap.Windows1252, "ca": charmap.Windows1252,
}
