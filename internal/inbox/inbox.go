// Package inbox reads what other programs hand in through the queue: a message
// is one source, and what is wished for it. docs/inbox.md has the format.
package inbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/spelling"
)

// Version is the version of the format that is read.
const Version = 1

// The limits of a message.
const (
	MaxBytes    = 64 << 10
	maxText     = 8 << 10 // bytes of one value
	maxKey      = 256     // bytes
	maxPriority = 1000
)

// Request is what a message asks for. The zero value of a field means that it
// says nothing of it.
type Request struct {
	Source   string
	ID       string
	Title    string
	Ladder   string
	Priority int    // -1000 to 1000
	Callback string // an http or https URL, to be told how it ended
	Key      string // two messages with one key are one
}

// Parse reads a message: an object in JSON, or a source alone, as text or as a
// string in JSON. Whether the source is any good is not looked at. Errors are
// *spool.Error, and show nothing of the message but names of keys.
func Parse(body []byte) (Request, error) {
	switch {
	case len(body) > MaxBytes:
		return Request{}, bad("message-too-big", fmt.Sprintf("the message has %d bytes; at most %d are read", len(body), MaxBytes), "send links, not files")
	case !utf8.Valid(body):
		return Request{}, bad("message-not-text", "the message is not UTF-8 text", howTo)
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	switch {
	case len(body) == 0:
		return Request{}, bad("message-empty", "the message is empty", howTo)
	case body[0] == '{':
		return parseObject(body)
	case body[0] == '"':
		var source string
		if err := json.Unmarshal(body, &source); err != nil {
			return Request{}, bad("message-syntax", "the message begins like a string in JSON, and is none", howTo)
		}
		return sourceAlone(source)
	}
	return sourceAlone(string(body))
}

const howTo = `a message is like {"source": "https://example.com/film.mp4"}, or a link alone`

func sourceAlone(source string) (Request, error) {
	switch {
	case strings.ContainsAny(source, "\r\n"):
		return Request{}, bad("message-syntax", "the message has several lines, and is no JSON", "send a message for each source")
	case strings.TrimSpace(source) == "":
		return Request{}, bad("message-empty", "the message is empty", howTo)
	case len(source) > maxText:
		return Request{}, bad("value-too-long", "the source is longer than 8 KB", howTo)
	}
	return Request{Source: source}, nil
}

// parseObject reads an object key by key, so that a slip is told by its name.
func parseObject(body []byte) (Request, error) {
	fields := map[string]json.RawMessage{}
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(&fields); err != nil {
		return Request{}, bad("message-syntax", "the message is not valid JSON", howTo)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Request{}, bad("message-syntax", "the message has something after the end of its JSON", "send a message for each source")
	}
	version := Version
	if raw, given := fields["v"]; given && json.Unmarshal(raw, &version) != nil || version != Version {
		return Request{}, bad("message-version", fmt.Sprintf("the message has another version of the format than %d", Version), "write \"v\": 1, or leave it out")
	}
	delete(fields, "v")
	var r Request
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if err := r.set(key, fields[key]); err != nil {
			return Request{}, err
		}
	}
	if strings.TrimSpace(r.Source) == "" {
		return Request{}, bad("no-source", "the message names no source", howTo)
	}
	return r, r.check()
}

var keys = []string{"source", "id", "title", "ladder", "priority", "callback", "key"}

func (r *Request) set(key string, raw json.RawMessage) error {
	if string(raw) == "null" {
		return nil // many programs write so what they do not know
	}
	text := map[string]*string{"source": &r.Source, "id": &r.ID, "title": &r.Title, "ladder": &r.Ladder, "callback": &r.Callback, "key": &r.Key}[key]
	switch {
	case text != nil:
		if json.Unmarshal(raw, text) != nil {
			return bad("value-not-text", "the message gives "+key+" something that is not text", "put the value in quotes")
		}
		if len(*text) > maxText {
			return bad("value-too-long", "the message has a "+key+" of more than 8 KB", "")
		}
		return nil
	case key == "priority":
		if json.Unmarshal(raw, &r.Priority) != nil || r.Priority < -maxPriority || r.Priority > maxPriority {
			return bad("bad-priority", "the message gives a priority that is no whole number from -1000 to 1000", "leave it out: most have 0")
		}
		return nil
	}
	hint := "known are " + strings.Join(keys, ", ")
	if near := spelling.Nearest(strings.ToLower(key), keys); near != "" {
		hint = "did you mean " + near + "?"
	}
	return bad("unknown-key", fmt.Sprintf("the message says %q, which is not known here", plaintext.Cut(plaintext.Sanitize(key), 40)), hint)
}

// check looks at what only this package knows the meaning of.
func (r *Request) check() error {
	if r.Key != "" && (len(r.Key) > maxKey || plaintext.Sanitize(r.Key) != r.Key) {
		return bad("bad-key", "the message has a key of more than 256 bytes, or with control characters", "a key is like order-42")
	}
	return CheckCallback(r.Callback)
}

// CheckCallback judges what a callback says by itself; "" is none. Errors are
// *spool.Error.
func CheckCallback(callback string) error {
	if callback == "" {
		return nil
	}
	u, err := url.Parse(callback)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(callback) > 2<<10 {
		return bad("bad-callback", "the callback is no http or https URL of at most 2 KB", "a callback is like https://example.com/hooks/spool")
	}
	return nil
}

func bad(code, reason, hint string) *spool.Error {
	return &spool.Error{Class: spool.Permanent, Code: code, Reason: reason, Hint: hint}
}
