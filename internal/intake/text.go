package intake

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
)

const byteOrderMark = "\uFEFF"

// checkEncoding refuses what is not text at all, before anything is made of
// it: UTF-16 (Windows' "Unicode") and binary files. line is where text begins.
func checkEncoding(name string, text []byte, line int) *spool.Error {
	if bytes.HasPrefix(text, []byte{0xFF, 0xFE}) || bytes.HasPrefix(text, []byte{0xFE, 0xFF}) {
		e := listError(name, "list-utf16", "is UTF-16 text")
		e.Hint = "save it as UTF-8"
		return e
	}
	if at := bytes.IndexByte(text, 0); at >= 0 {
		line += bytes.Count(text[:at], []byte{'\n'})
		e := listError(name, "list-binary", fmt.Sprintf("is not text: line %d holds a NUL byte", line))
		e.Hint = "a list is UTF-8 text; a video is given as a SOURCE of its own"
		return e
	}
	return nil
}

// parseText reads a source a line. It holds one line at a time, so a film
// given by mistake costs no memory.
func parseText(name string, r io.Reader) ([]Line, error) {
	in := bufio.NewReaderSize(r, maxLine+2)
	var lines []Line
	for number := 1; ; number++ {
		raw, long, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, unreadable(name, err)
		}
		if e := checkEncoding(name, raw, number); e != nil {
			return nil, e
		}
		if number == 1 {
			raw = bytes.TrimPrefix(raw, []byte(byteOrderMark))
		}
		text := string(bytes.TrimSpace(raw))
		if text != "" && raw[0] != '#' {
			if len(lines) == maxLines {
				return nil, tooMany(name)
			}
			lines = append(lines, textLine(number, text, long))
		}
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
	}
}

// readLine reads to the end of a line and gives its first maxLine bytes,
// valid until the next call. long says that there was more.
func readLine(in *bufio.Reader) (line []byte, long bool, err error) {
	line, err = in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, len(bytes.TrimRight(line, "\r\n")) > maxLine, err
	}
	line = bytes.Clone(line)
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = in.ReadSlice('\n')
	}
	return line, true, err
}

// trailing is a known key=value at the end of a line. A value with spaces is
// quoted, with \" and \\ inside; one without holds no quotes, so that what
// looks like a key inside a quoted title is not taken for one.
var trailing = regexp.MustCompile(`^(.*\S)\s+(id|title|ladder)=("(?:[^"\\]|\\.)*"|[^\s"]*)$`)

// lookalike is a key=value that the end of a source may hold by mistake.
var lookalike = regexp.MustCompile(`\s([A-Za-z][A-Za-z_-]*)=("(?:[^"\\]|\\.)*"|\S*)$`)

func textLine(number int, text string, long bool) Line {
	l := Line{Number: number}
	switch {
	case long:
		l.fail("line-too-long", "is longer than 8 KB", "")
		return l
	case !utf8.ValidString(text):
		l.fail("line-not-utf8", "is not UTF-8 text", "save the list as UTF-8")
		return l
	}
	for l.Err == nil {
		m := trailing.FindStringSubmatch(text)
		if m == nil {
			break
		}
		text = m[1]
		l.set(m[2], unquote(m[3]))
	}
	if key, _, found := strings.Cut(text, "="); found && (key == "id" || key == "title" || key == "ladder") {
		l.fail("no-source", "has no source", "write the URL or path first")
		return l
	}
	l.Source = text
	if strings.Contains(text, "://") && strings.ContainsAny(text, " \t") {
		l.spaceInURL(text)
	}
	return l
}

// spaceInURL explains the line of a URL with a space in it. A URL holds none,
// so what follows was meant as something else.
func (l *Line) spaceInURL(text string) {
	if m := lookalike.FindStringSubmatch(text); m != nil && !slices.Contains(keys, m[1]) {
		l.set(m[1], "")
		return
	}
	l.fail("space-in-url", "has a space in its URL", `write %20 for it; a title with spaces is quoted: title="…"`)
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' {
		return s
	}
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(s[1 : len(s)-1])
}

func parseYAML(name string, text []byte) ([]Line, error) {
	if !utf8.Valid(text) {
		return nil, listError(name, "list-syntax", "is not UTF-8 text")
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		e := listError(name, "list-syntax", "is not valid YAML ("+plaintext.Complaint(err)+")")
		e.Hint = "put text with : or # in it in quotes, and indent with spaces"
		return nil, e
	}
	if root.Kind == 0 {
		return nil, nil
	}
	list := root.Content[0]
	if list.Kind == yaml.ScalarNode && list.Tag == "!!null" {
		return nil, nil
	}
	if list.Kind != yaml.SequenceNode {
		return nil, notAList(name)
	}
	if len(list.Content) > maxLines {
		return nil, tooMany(name)
	}
	lines := make([]Line, 0, len(list.Content))
	for _, item := range list.Content {
		lines = append(lines, yamlLine(item))
	}
	return lines, nil
}

// yamlLine reads one item. Aliases are followed one step: nothing here needs
// more, and a chain of them could grow without end.
func yamlLine(item *yaml.Node) Line {
	l := Line{Number: item.Line}
	if item.Kind == yaml.AliasNode {
		item = item.Alias
	}
	switch item.Kind {
	case yaml.ScalarNode:
		l.set("source", item.Value)
	case yaml.MappingNode:
		for i := 0; i+1 < len(item.Content); i += 2 {
			key, value := item.Content[i], item.Content[i+1]
			if value.Kind == yaml.AliasNode {
				value = value.Alias
			}
			if value.Kind != yaml.ScalarNode {
				l.fail("not-text", fmt.Sprintf("gives %q something that is not text", key.Value), "write one value")
				continue
			}
			l.set(key.Value, value.Value)
		}
	default:
		l.fail("not-text", "is neither text nor a map", "write - https://… or - source: https://…")
	}
	return l
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
