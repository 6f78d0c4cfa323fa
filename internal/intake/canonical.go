package intake

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
)

const howToName = "a source is an http or https link, a local file or folder, or REMOTE:PATH in a store"

var (
	schemeLike = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)
	videoID    = regexp.MustCompile(`^[A-Za-z0-9_-]{11}$`)
)

// IsURL reports whether a source that Canonical accepts is a URL.
func IsURL(source string) bool {
	lower := strings.ToLower(source[:min(len(source), 8)])
	return strings.HasPrefix(lower, "http://") || strings.HasPrefix(lower, "https://")
}

// Canonical is what makes two sources the same one, without secrets.
//
// Of a URL: scheme and host in lower case, no default port, fragment, userinfo
// or signing parameters; the rest of the query as it stands. The ways to
// write one YouTube video are one. Of a path: absolute and clean, symbolic
// links as they are named. A colon before any slash makes a path in a store,
// whether or not there is such a store: a file of that name is ./name. Errors
// are *spool.Error.
func Canonical(source string) (string, error) {
	switch {
	case strings.TrimSpace(source) == "":
		return "", badSource("no-source", "the source is empty", howToName)
	case len(source) > maxLine:
		return "", badSource("source-too-long", "the source is longer than 8 KB", howToName)
	case !utf8.ValidString(source) || plaintext.Sanitize(source) != source && strings.ContainsFunc(source, control):
		return "", badSource("source-control", "the source "+shown(source)+" holds control characters or broken UTF-8", howToName)
	case strings.HasPrefix(source, "-"):
		return "", badSource("source-dash", "the source "+shown(source)+" begins with -, like a flag", "for a file of that name write ./"+shown(source))
	case IsURL(source):
		return canonicalURL(source)
	case schemeLike.MatchString(source):
		scheme, _, _ := strings.Cut(source, "://")
		return "", badSource("source-scheme", fmt.Sprintf("the source %s has the scheme %s, which is not supported", shown(source), scheme), howToName)
	case spool.IsRemotePath(source):
		at, err := spool.ParseRemotePath(source)
		if err != nil {
			return "", fromStore(source, err)
		}
		return at.String(), nil
	}
	return canonicalPath(source)
}

func control(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }

func badSource(code, reason, hint string) *spool.Error {
	return &spool.Error{Class: spool.Permanent, Code: code, Reason: reason, Hint: hint}
}

// shown is a source as errors show it.
func shown(source string) string { return plaintext.Cut(plaintext.Show(source), 200) }

// canonicalPath makes a path absolute. ~/ is expanded, because no shell has
// seen the lines of a list.
func canonicalPath(source string) (string, error) {
	if rest, found := strings.CutPrefix(source, "~/"); found {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", badSource("no-home", "the source "+shown(source)+" begins with ~, and there is no home folder", "write the whole path")
		}
		source = filepath.Join(home, rest)
	}
	abs, err := filepath.Abs(source)
	if err != nil {
		return "", &spool.Error{Class: spool.Permanent, Code: "no-folder", Reason: "the working folder is gone", Hint: "write the whole path", Err: err}
	}
	return abs, nil
}

func canonicalURL(source string) (string, error) {
	bad := func(what string) (string, error) {
		return "", badSource("bad-url", "the URL "+shown(source)+" "+what, "")
	}
	if strings.ContainsAny(source, " \"<>\\^`{|}") {
		return bad("holds a character that no URL has (a space, a quote, a backslash or a brace)")
	}
	u, err := url.Parse(source)
	if err != nil {
		return bad("cannot be read as a URL") // the cause repeats the whole URL, with its secrets
	}
	host := strings.ToLower(u.Hostname())
	if host == "" {
		return bad("names no host")
	}
	if id := youtubeID(host, u); id != "" {
		return "https://www.youtube.com/watch?v=" + id, nil
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	scheme := strings.ToLower(u.Scheme)
	if port := u.Port(); port != "" && port != map[string]string{"http": "80", "https": "443"}[scheme] {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return bad("has a port that is not between 1 and 65535")
		}
		host += ":" + port
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	out := scheme + "://" + host + path
	if query := unsigned(u.RawQuery); query != "" {
		out += "?" + query
	}
	return out, nil
}

// youtubeID gives the video that a YouTube URL certainly names, or "".
func youtubeID(host string, u *url.URL) string {
	id := ""
	switch host {
	case "youtu.be":
		id = strings.TrimPrefix(u.Path, "/")
	case "youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com", "www.youtube-nocookie.com":
		if u.Path == "/watch" {
			id = u.Query().Get("v")
			break
		}
		for _, folder := range []string{"/shorts/", "/embed/", "/live/"} {
			if rest, found := strings.CutPrefix(u.Path, folder); found {
				id = rest
			}
		}
	}
	// youtube.com/embed/videoseries is a playlist, and as long as an ID.
	if !videoID.MatchString(id) || id == "videoseries" {
		return ""
	}
	return id
}

// azure are the fields of a shared access signature.
var azure = set("sv", "sig", "se", "sp", "sr", "st", "spr", "sip", "si", "ss", "srt", "sdd", "ses",
	"skoid", "sktid", "skt", "ske", "sks", "skv", "saoid", "suoid", "scid")

var (
	cloudFront = set("expires", "signature", "key-pair-id", "policy", "hash-algorithm")
	oldS3      = set("awsaccesskeyid", "googleaccessid", "signature", "expires")
)

// unsigned takes the parameters out of a query that only say who may read
// until when. Names that other sites use for other things (Expires, sp, …)
// go only in the company that makes them a signature.
func unsigned(query string) string {
	parts := strings.Split(query, "&")
	has := map[string]bool{}
	for _, part := range parts {
		has[parameter(part)] = true
	}
	drop := map[string]bool{}
	if has["sig"] && has["sv"] {
		add(drop, azure)
	}
	if has["signature"] && has["key-pair-id"] {
		add(drop, cloudFront)
	}
	if has["signature"] && (has["awsaccesskeyid"] || has["googleaccessid"]) {
		add(drop, oldS3)
	}
	kept := parts[:0]
	for _, part := range parts {
		name := parameter(part)
		signing := drop[name] || strings.HasPrefix(name, "x-amz-") || strings.HasPrefix(name, "x-goog-")
		if part != "" && !signing {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "&")
}

// parameter is the name of one part of a query, in lower case.
func parameter(part string) string {
	name, _, _ := strings.Cut(part, "=")
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	return strings.ToLower(name)
}

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

func add(to, from map[string]bool) {
	for name := range from {
		to[name] = true
	}
}
