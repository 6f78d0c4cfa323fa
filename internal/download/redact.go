package download

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"

	"github.com/spool-video/spool/internal/plaintext"
)

// redact is a URL as it may be shown: without user and password, query and
// fragment, and without characters that could fool a terminal.
func redact(u *url.URL) string {
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	text := sanitise(shown.String())
	if u.RawQuery != "" {
		text += "?…"
	}
	return text
}

// sanitise is text of others as it may be shown, and not longer than can be
// read.
func sanitise(s string) string { return plaintext.Cut(plaintext.Sanitize(s), longestShown) }

// longestShown is a width in terminal cells.
const longestShown = 200

// signing are prefixes of query parameters that change with every signature of
// the same file.
var signing = []string{
	"x-amz-", "x-goog-", "awsaccesskeyid", "googleaccessid", "signature", "expires", "policy", "key-pair-id",
	"sig", "se", "sp", "sv", "sr", "st", "spr", "skoid", "sktid", "skt", "ske", "sks", "skv",
}

func isSigning(name string) bool {
	name = strings.ToLower(name)
	for _, s := range signing {
		if name == s || strings.HasSuffix(s, "-") && strings.HasPrefix(name, s) {
			return true
		}
	}
	return false
}

// identity tells whether two URLs are the same file, signed anew perhaps. It is
// a hash, so that it holds no secret.
func identity(u *url.URL) string {
	query := u.Query()
	for name := range query {
		if isSigning(name) {
			query.Del(name)
		}
	}
	same := url.URL{
		Scheme: u.Scheme, Host: strings.ToLower(u.Host),
		Path: u.Path, RawPath: u.RawPath, RawQuery: query.Encode(),
	}
	sum := sha256.Sum256([]byte(same.String()))
	return hex.EncodeToString(sum[:])
}

// key is the file's identity.
func (r Request) key(target *url.URL) string {
	if r.Identity == "" {
		return identity(target)
	}
	sum := sha256.Sum256([]byte("identity " + r.Identity))
	return hex.EncodeToString(sum[:])
}
