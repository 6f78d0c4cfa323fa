package hls

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// line is a tag (name and value) or a URI (name is "").
type line struct {
	number int // from 1
	name   string
	value  string
}

func (l line) errorf(rule int, format string, args ...any) error {
	return &SyntaxError{Line: l.number, Rule: rule, Text: fmt.Sprintf(format, args...)}
}

// scan splits a playlist into its tags and URIs and checks what is true of
// any playlist's text (rules 1 and 2). Comments and empty lines are dropped.
func scan(text []byte) ([]line, error) {
	if !utf8.Valid(text) {
		return nil, &SyntaxError{Line: 1, Rule: 2, Text: "the text is not UTF-8"}
	}
	var lines []line
	for i, raw := range bytes.Split(text, []byte("\n")) {
		s := strings.TrimSuffix(string(raw), "\r")
		l := line{number: i + 1}
		switch {
		case i == 0 && s != "#EXTM3U":
			return nil, l.errorf(1, "the first line is not #EXTM3U")
		case i == 0 || s == "":
			continue
		case !printable(s):
			return nil, l.errorf(2, "a control character or a byte order mark")
		case strings.HasPrefix(s, "#EXT"):
			l.name, l.value, _ = strings.Cut(s, ":")
		case strings.HasPrefix(s, "#"):
			continue
		case strings.TrimSpace(s) != s:
			return nil, l.errorf(2, "white space around a URI")
		default:
			l.value = s
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// printable reports whether s can stand in a playlist's line.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 || (r >= 0x7f && r < 0xa0) || r == 0xfeff || r == utf8.RuneError
	})
}

// quotable reports whether s can stand in a quoted string.
func quotable(s string) bool {
	return printable(s) && !strings.Contains(s, "\"")
}

// standsAlone reports whether s can be a URI's line.
func standsAlone(s string) bool {
	return s != "" && printable(s) && !strings.HasPrefix(s, "#") && strings.TrimSpace(s) == s
}

// attribute is one value of an attribute list.
type attribute struct {
	text   string // without the quotes
	quoted bool
}

// attributes reads a tag's attribute list (rule 2).
func (l line) attributes() (map[string]attribute, error) {
	list := map[string]attribute{}
	rest := l.value
	for {
		name, after, ok := strings.Cut(rest, "=")
		if !ok || !attributeName(name) {
			return nil, l.errorf(2, "%s: no attribute name before =", l.name)
		}
		if _, twice := list[name]; twice {
			return nil, l.errorf(2, "%s: %s is there twice", l.name, name)
		}
		a, after, err := l.readValue(name, after)
		if err != nil {
			return nil, err
		}
		list[name] = a
		if after == "" {
			return list, nil
		}
		if rest, ok = strings.CutPrefix(after, ","); !ok {
			return nil, l.errorf(2, "%s: no comma after %s", l.name, name)
		}
	}
}

// readValue reads one attribute value from the start of s and gives the rest.
func (l line) readValue(name, s string) (attribute, string, error) {
	if quoted, ok := strings.CutPrefix(s, "\""); ok {
		text, rest, closed := strings.Cut(quoted, "\"")
		if !closed {
			return attribute{}, "", l.errorf(2, "%s: %s: the quotes are not closed", l.name, name)
		}
		return attribute{text: text, quoted: true}, rest, nil
	}
	end := strings.IndexByte(s, ',')
	if end < 0 {
		end = len(s)
	}
	if end == 0 || strings.ContainsAny(s[:end], " \t\"") {
		return attribute{}, "", l.errorf(2, "%s: %s: the value is empty or holds white space or quotes", l.name, name)
	}
	return attribute{text: s[:end]}, s[end:], nil
}

func attributeName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
	})
}
