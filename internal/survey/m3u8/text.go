package m3u8

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Tag is one line: a tag, or a URI when Name is "".
type Tag struct {
	Line  int    // from 1
	Name  string // "EXT-X-KEY"
	Value string // behind the colon; the URI
	Attrs map[string]Attr
}

// Attr is one value of an attribute list.
type Attr struct {
	Text   string // without the quotes
	Quoted bool
}

// Get is an attribute's text, or "".
func (t Tag) Get(name string) string { return t.Attrs[name].Text }

// Has reports whether the attribute is there.
func (t Tag) Has(name string) bool {
	_, there := t.Attrs[name]
	return there
}

// Names are the attributes that are there, sorted.
func (t Tag) Names() []string { return slices.Sorted(maps.Keys(t.Attrs)) }

// listed are the tags whose value is an attribute list.
var listed = map[string]bool{
	"EXT-X-KEY": true, "EXT-X-MAP": true, "EXT-X-START": true, "EXT-X-MEDIA": true, "EXT-X-STREAM-INF": true,
	"EXT-X-I-FRAME-STREAM-INF": true, "EXT-X-SESSION-KEY": true, "EXT-X-SESSION-DATA": true, "EXT-X-DATERANGE": true,
	"EXT-X-DEFINE": true, "EXT-X-CONTENT-STEERING": true, "EXT-X-SERVER-CONTROL": true, "EXT-X-PART": true,
	"EXT-X-PART-INF": true, "EXT-X-SKIP": true, "EXT-X-PRELOAD-HINT": true, "EXT-X-RENDITION-REPORT": true,
}

// mark is the byte order mark.
const mark = "\xef\xbb\xbf"

// Looks reports whether the text may be a playlist at all: it begins with
// #EXTM3U, if not quite as it should, or holds one of its tags.
func Looks(text []byte) bool {
	start := bytes.TrimSpace(bytes.TrimPrefix(text, []byte(mark)))
	if bytes.HasPrefix(start, []byte("#EXTM3U")) {
		return true
	}
	for _, tag := range []string{"#EXTINF:", "#EXT-X-STREAM-INF:", "#EXT-X-TARGETDURATION:"} {
		if bytes.HasPrefix(start, []byte(tag)) || bytes.Contains(text, []byte("\n"+tag)) {
			return true
		}
	}
	return false
}

// split makes tags of a text and names what is wrong with its lines.
func (r *reader) split(text []byte) []Tag {
	if bytes.HasPrefix(text, []byte(mark)) {
		r.wrong(1, 1, "the file begins with a byte order mark")
		text = text[len(mark):]
	}
	if !utf8.Valid(text) {
		r.wrong(1, 2, "the text is not UTF-8")
		text = bytes.ToValidUTF8(text, []byte("?"))
	}
	var tags []Tag
	for i, raw := range bytes.Split(text, []byte("\n")) {
		line, number := strings.TrimSuffix(string(raw), "\r"), i+1
		if i == 0 && line != "#EXTM3U" {
			r.wrong(1, 1, "the first line is not #EXTM3U")
		}
		if i > 0 && line == "#EXTM3U" {
			r.wrong(number, 1, "#EXTM3U stands a second time")
		}
		if strings.ContainsFunc(line, control) {
			r.wrong(number, 2, "a control character or a byte order mark stands in the line")
			line = strings.Map(func(c rune) rune {
				if control(c) {
					return -1
				}
				return c
			}, line)
		}
		if line == "" || line == "#EXTM3U" || strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "#EXT") {
			continue
		}
		t := r.tag(number, r.substitute(number, line))
		if t.Name == "EXT-X-DEFINE" {
			r.define(t)
		}
		tags = append(tags, t)
	}
	return tags
}

// variable is how EXT-X-DEFINE's variables are used.
var variable = regexp.MustCompile(`\{\$[A-Za-z0-9_-]+\}`)

// longestLine is in bytes: variables that hold variables grow fast.
const longestLine = 1 << 16

func (r *reader) substitute(number int, line string) string {
	full := variable.ReplaceAllStringFunc(line, func(use string) string {
		value, known := r.list.Defined[use[2:len(use)-1]]
		if !known {
			r.wrong(number, 18, "the variable "+use+" is not defined")
			return use
		}
		return value
	})
	if len(full) > max(longestLine, len(line)) {
		r.wrong(number, 2, "with its variables the line is far too long")
		return line
	}
	return full
}

// define takes the value of a variable: its own, that of the multivariant
// playlist, or that of the playlist's address.
func (r *reader) define(t Tag) {
	name := cmp.Or(t.Get("NAME"), t.Get("IMPORT"), t.Get("QUERYPARAM"))
	value, known := t.Get("VALUE"), t.Has("VALUE")
	switch {
	case t.Has("IMPORT"):
		value, known = r.scope.Imported[name]
	case t.Has("QUERYPARAM"):
		value, known = r.scope.Query.Get(name), r.scope.Query.Has(name)
	}
	if !known {
		r.wrong(t.Line, 18, fmt.Sprintf("there is no value for the variable %q", name))
		return
	}
	r.list.Defined[name] = value
}

func control(c rune) bool { return c < 0x20 || c >= 0x7f && c < 0xa0 || c == 0xfeff }

// tag reads one line that is neither empty nor a comment.
func (r *reader) tag(number int, line string) Tag {
	if !strings.HasPrefix(line, "#") {
		if strings.TrimSpace(line) != line {
			r.wrong(number, 2, "white space stands around a URI")
		}
		return Tag{Line: number, Value: strings.TrimSpace(line)}
	}
	name, value, _ := strings.Cut(line[1:], ":")
	t := Tag{Line: number, Name: name, Value: value}
	if listed[name] {
		t.Attrs = r.attributes(number, name, value)
	}
	return t
}

// attributes reads an attribute list to its end, whatever it holds.
func (r *reader) attributes(number int, tag, list string) map[string]Attr {
	attrs := map[string]Attr{}
	for list != "" {
		name, rest, ok := strings.Cut(list, "=")
		if !ok {
			r.wrong(number, 2, fmt.Sprintf("%s: %q is no attribute", tag, list))
			return attrs
		}
		plain := strings.TrimSpace(name)
		if plain != name || strings.HasPrefix(rest, " ") {
			r.wrong(number, 2, fmt.Sprintf("%s: white space stands around %s=", tag, plain))
			rest = strings.TrimLeft(rest, " \t")
		}
		if plain == "" || strings.ContainsFunc(plain, notInName) {
			r.wrong(number, 2, fmt.Sprintf("%s: %q is no attribute name", tag, plain))
		}
		if _, twice := attrs[plain]; twice {
			r.wrong(number, 2, fmt.Sprintf("%s: %s is there twice", tag, plain))
		}
		attrs[plain], list = r.value(number, tag+": "+plain, rest)
	}
	return attrs
}

// value reads one attribute value from the start of s, and gives what follows
// the comma after it.
func (r *reader) value(number int, what, s string) (Attr, string) {
	quoted, ok := strings.CutPrefix(s, `"`)
	if !ok {
		text, rest, _ := strings.Cut(s, ",")
		if text == "" || strings.ContainsAny(text, " \t\"") {
			r.wrong(number, 2, what+": the value is empty, or holds white space or quotes")
		}
		return Attr{Text: strings.TrimSpace(text)}, rest
	}
	text, rest, closed := strings.Cut(quoted, `"`)
	if !closed {
		r.wrong(number, 2, what+": the quotes are not closed")
	}
	after, comma := strings.CutPrefix(rest, ",")
	if !comma && rest != "" {
		r.wrong(number, 2, what+": no comma follows the quotes")
		_, after, _ = strings.Cut(rest, ",")
	}
	return Attr{Text: text, Quoted: true}, after
}

func notInName(c rune) bool { return (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' }
