// Package intake turns what a person typed (sources, folders, playlists,
// lists) into videos: each with an ID, a canonical source and a verdict. It
// writes nothing; the caller puts what it accepts into the ledger.
package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/spelling"
)

// The limits of a list.
const (
	maxLine  = 8 << 10 // bytes of one line of a text list
	maxLines = 200_000
	maxBytes = 64 << 20 // of a YAML or JSON list, which is read whole
)

// Line is one entry of a list, or one SOURCE of a command line.
type Line struct {
	List   string // the list's name as it was given; "" for arguments
	Number int    // line in the list, from 1; 0 for arguments
	Source string // as written
	ID     string // "" when not given
	Title  string
	Ladder string
	Err    *spool.Error // why this line is no good; the others are
}

// keys are what a line may say besides its source.
var keys = []string{"source", "id", "title", "ladder"}

// Arguments makes lines of a command line's sources; nothing is split off.
func Arguments(sources []string) []Line {
	lines := make([]Line, len(sources))
	for i, s := range sources {
		lines[i] = Line{Source: s}
	}
	return lines
}

// Where names the line for a person: "line 7 of films.txt", or the source
// when it stands in no list.
func (l Line) Where() string {
	switch {
	case l.Number == 0:
		return shown(l.Source)
	case l.List == "" || l.List == "-":
		return fmt.Sprintf("line %d", l.Number)
	}
	return fmt.Sprintf("line %d of %s", l.Number, plaintext.Sanitize(l.List))
}

// IsList reports whether an argument names a list: by its extension, .txt,
// .yaml, .yml or .json, of anything but a URL.
func IsList(arg string) bool {
	if strings.Contains(arg, "://") {
		return false
	}
	switch strings.ToLower(filepath.Ext(arg)) {
	case ".txt", ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// ParseList reads a list. name decides its form by extension, and stands in
// errors; a name without a known one ("-") is JSON or YAML when it begins
// like a list of that form, else text. A bad line has Err set; the error
// returned is a *spool.Error about the list as a whole.
func ParseList(name string, r io.Reader) ([]Line, error) {
	form := strings.ToLower(filepath.Ext(name))
	if form == ".txt" {
		return finishList(name, parseText)(r)
	}
	if form != ".yaml" && form != ".yml" && form != ".json" {
		var head bytes.Buffer
		if _, err := io.CopyN(&head, r, 4096); err != nil && !errors.Is(err, io.EOF) {
			return nil, unreadable(name, err)
		}
		form = sniffForm(head.Bytes())
		r = io.MultiReader(bytes.NewReader(head.Bytes()), r)
	}
	switch form {
	case ".json":
		return finishList(name, whole(parseJSON))(r)
	case ".yaml", ".yml":
		return finishList(name, whole(parseYAML))(r)
	}
	return finishList(name, parseText)(r)
}

// sniffForm judges a list without a name by its first bytes.
func sniffForm(head []byte) string {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte(byteOrderMark)), " \t\r\n")
	rest, bracket := bytes.CutPrefix(head, []byte("["))
	rest = bytes.TrimLeft(rest, " \t\r\n")
	switch {
	case bracket && len(rest) > 0 && bytes.IndexByte([]byte(`"{]`), rest[0]) >= 0:
		return ".json"
	case bytes.HasPrefix(head, []byte("- ")), bytes.HasPrefix(head, []byte("---")):
		return ".yaml"
	}
	return ".txt"
}

type parser func(name string, r io.Reader) ([]Line, error)

func finishList(name string, parse parser) func(io.Reader) ([]Line, error) {
	return func(r io.Reader) ([]Line, error) {
		lines, err := parse(name, r)
		if err != nil {
			return nil, err
		}
		if len(lines) == 0 {
			e := listError(name, "list-empty", "holds no sources")
			e.Hint = "write one URL or path a line; lines that begin with # are comments"
			return nil, e
		}
		for i := range lines {
			lines[i].List = name
			lines[i].check()
		}
		return lines, nil
	}
}

// whole reads all of a bounded list before parsing it.
func whole(parse func(name string, text []byte) ([]Line, error)) parser {
	return func(name string, r io.Reader) ([]Line, error) {
		text, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
		if err != nil {
			return nil, unreadable(name, err)
		}
		if len(text) > maxBytes {
			return nil, tooLong(name, "list-too-big", "is larger than 64 MiB")
		}
		if e := checkEncoding(name, text, 1); e != nil {
			return nil, e
		}
		return parse(name, bytes.TrimPrefix(text, []byte(byteOrderMark)))
	}
}

// check judges what a line says of itself, without looking anywhere else.
func (l *Line) check() {
	switch {
	case l.Err != nil:
	case strings.TrimSpace(l.Source) == "":
		l.fail("no-source", "has no source", "write the URL or path first")
	case l.ID != "" && !spool.ValidID(l.ID):
		l.fail("bad-id", fmt.Sprintf("asks for the id %q, which cannot name a video", plaintext.Cut(plaintext.Sanitize(l.ID), 80)),
			"an id has 1 to 64 letters, digits, _ and -, and begins with a letter or a digit")
	}
}

// fail gives the line its error, if it has none yet. predicate follows "this
// line"; whoever shows it says the number.
func (l *Line) fail(code, predicate, hint string) {
	if l.Err == nil {
		l.Err = &spool.Error{
			Class: spool.Permanent, Code: code,
			Reason: "this line " + predicate, Hint: hint,
		}
	}
}

// set gives the line what a key says.
func (l *Line) set(key, value string) {
	field := map[string]*string{"source": &l.Source, "id": &l.ID, "title": &l.Title, "ladder": &l.Ladder}[key]
	switch {
	case field == nil:
		hint := "known are source, id, title and ladder"
		if near := spelling.Nearest(strings.ToLower(key), keys); near != "" {
			hint = fmt.Sprintf("did you mean %s?", near)
		}
		l.fail("unknown-key", fmt.Sprintf("says %q, which is not known here", plaintext.Cut(plaintext.Sanitize(key), 40)), hint)
	case *field != "":
		l.fail("key-twice", fmt.Sprintf("gives %s twice", key), "keep one of them")
	case value == "":
		l.fail("key-empty", fmt.Sprintf("gives %s no value", key), fmt.Sprintf("write a value, or leave %s out", key))
	case len(value) > maxLine:
		l.fail("line-too-long", fmt.Sprintf("has a %s of more than 8 KB", key), "")
	default:
		*field = value
	}
}

func parseJSON(name string, text []byte) ([]Line, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	if token, err := dec.Token(); err != nil || token != json.Delim('[') {
		return nil, notAList(name)
	}
	var lines []Line
	number, at := 1, 0
	for dec.More() {
		if len(lines) == maxLines {
			return nil, tooMany(name)
		}
		// InputOffset is the end of the token before; the item begins after
		// blanks and a comma.
		begin := int(dec.InputOffset())
		begin += len(text[begin:]) - len(bytes.TrimLeft(text[begin:], " \t\r\n,"))
		number += bytes.Count(text[at:begin], []byte{'\n'})
		at = begin
		var item any
		if err := dec.Decode(&item); err != nil {
			return nil, listError(name, "list-syntax", fmt.Sprintf("is not valid JSON near line %d", number))
		}
		lines = append(lines, jsonLine(number, item))
	}
	if _, err := dec.Token(); err != nil {
		return nil, listError(name, "list-syntax", "is not valid JSON: it ends too early")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, listError(name, "list-syntax", "has something after the end of its JSON list")
	}
	return lines, nil
}

func jsonLine(number int, item any) Line {
	l := Line{Number: number}
	switch item := item.(type) {
	case string:
		l.set("source", item)
	case map[string]any:
		for _, key := range sortedKeys(item) {
			if text, ok := item[key].(string); ok {
				l.set(key, text)
				continue
			}
			l.fail("not-text", fmt.Sprintf("gives %q something that is not text", plaintext.Cut(plaintext.Sanitize(key), 40)), "put the value in quotes")
		}
	default:
		l.fail("not-text", "is neither text nor an object", `write "https://…" or {"source": "https://…"}`)
	}
	return l
}

func notAList(name string) *spool.Error {
	e := listError(name, "list-syntax", "is not a list of sources")
	e.Hint = `write a list of strings, or of maps with source, id, title and ladder`
	return e
}

func tooMany(name string) *spool.Error {
	return tooLong(name, "list-too-long", fmt.Sprintf("has more than %d entries", maxLines))
}

func tooLong(name, code, predicate string) *spool.Error {
	e := listError(name, code, predicate)
	e.Hint = "split it into several lists"
	return e
}

func unreadable(name string, err error) *spool.Error {
	e := listError(name, "list-unreadable", "cannot be read: "+err.Error())
	e.Hint = "check the disk that it lies on, or copy it elsewhere"
	if name == "-" {
		e.Hint = "look what the program before the pipe says, or put the list into a file"
	}
	return e
}

// listError is an error about a list as a whole. predicate follows its name.
func listError(name, code, predicate string) *spool.Error {
	subject := "the list " + plaintext.Sanitize(name)
	if name == "-" {
		subject = "the list on standard input"
	}
	return &spool.Error{Class: spool.Permanent, Code: code, Reason: subject + " " + predicate}
}
