package rules_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// fault is one thing that is made wrong, and the finding that has to name it.
type fault struct {
	name  string
	want  string // "M60"
	spoil func(t *testing.T, f files)
}

// in makes a fault of replacing text of a playlist.
func in(list, before, after string) func(*testing.T, files) {
	return func(t *testing.T, f files) { f.replace(t, list, before, after) }
}

// onLine makes a fault of changing the first line of a playlist that begins
// with a tag. An empty line drops it.
func onLine(list, tag string, change func(line string) string) func(*testing.T, files) {
	return func(t *testing.T, f files) {
		lines := strings.SplitAfter(string(f[list]), "\n")
		i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, tag) })
		if i < 0 {
			t.Fatalf("%s has no %s", list, tag)
		}
		lines[i] = change(lines[i])
		f[list] = []byte(strings.Join(lines, ""))
	}
}

func dropped(string) string { return "" }

func twice(line string) string { return line + line }

func before(text string) func(string) string {
	return func(line string) string { return text + "\n" + line }
}

func behind(text string) func(string) string {
	return func(line string) string { return line + text + "\n" }
}

// instead replaces text within a line.
func instead(old, new string) func(string) string {
	return func(line string) string {
		if !strings.Contains(line, old) {
			panic(fmt.Sprintf("%q does not hold %q", line, old))
		}
		return strings.Replace(line, old, new, 1)
	}
}

// without drops an attribute from a line.
func without(name string) func(string) string {
	return func(line string) string {
		at := strings.Index(line, name+"=")
		if at < 0 {
			panic(line + " has no " + name)
		}
		end, quoted := at, false
		for end < len(line) && line[end] != '\n' && (quoted || line[end] != ',') {
			quoted = quoted != (line[end] == '"')
			end++
		}
		if line[end] == ',' {
			return line[:at] + line[end+1:]
		}
		return line[:at-1] + line[end:]
	}
}

// inFile makes a fault of changing a file's bytes.
func inFile(name func(files) string, change func([]byte) []byte) func(*testing.T, files) {
	return func(_ *testing.T, f files) { f.edit(name(f), change) }
}

func segmentOf(list string, i int) func(files) string {
	return func(f files) string { return f.segment(list, i) }
}

func initOf(list string) func(files) string { return func(f files) string { return f.init(list) } }

// inBox changes bytes of the first box of that name, from its name on.
func inBox(box string, change func(b []byte)) func([]byte) []byte {
	return func(b []byte) []byte {
		at := bytes.Index(b, []byte(box))
		if at < 0 {
			panic("there is no box " + box)
		}
		change(b[at:])
		return b
	}
}

// renamed makes a box one that nobody knows.
func renamed(box string) func([]byte) []byte {
	return inBox(box, func(b []byte) { copy(b, "free") })
}

// later adds ticks to every tfdt of a segment.
func later(ticks uint32) func([]byte) []byte {
	return func(whole []byte) []byte {
		for b := whole; ; b = b[16:] {
			box := bytes.Index(b, []byte("tfdt"))
			if box < 0 {
				return whole
			}
			b = b[box:]
			at := 8 // version 0
			if b[4] == 1 {
				at = 12
			}
			binary.BigEndian.PutUint32(b[at:], binary.BigEndian.Uint32(b[at:])+ticks)
		}
	}
}

func half(b []byte) []byte { return b[:len(b)/2] }

func missing(name func(files) string) func(*testing.T, files) {
	return func(_ *testing.T, f files) { delete(f, name(f)) }
}

// swapped exchanges two files.
func swapped(a, b func(files) string) func(*testing.T, files) {
	return func(_ *testing.T, f files) { f[a(f)], f[b(f)] = f[b(f)], f[a(f)] }
}

const (
	inf   = "#EXT-X-STREAM-INF"
	media = "#EXT-X-MEDIA:TYPE=AUDIO"
	subs  = "#EXT-X-MEDIA:TYPE=SUBTITLES"
	trick = "#EXT-X-I-FRAME-STREAM-INF"

	session = "#EXT-X-SESSION-KEY"
)
