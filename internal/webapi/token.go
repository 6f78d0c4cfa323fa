package webapi

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spool-video/spool"
)

// Token is what a caller has to know: 256 random bits.
type Token string

const tokenBytes = 32

// OpenToken reads the token in a file, and makes both when there is none. The
// file is its owner's alone.
func OpenToken(path string) (Token, error) {
	t, err := ReadToken(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return t, err
	}
	secret := make([]byte, tokenBytes)
	if _, err := rand.Read(secret); err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	t = Token(base64.RawURLEncoding.EncodeToString(secret))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", unkept(path, err)
	}
	aside := path + ".new"
	f, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", unkept(path, err)
	}
	_, err = f.WriteString(string(t) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(aside, path)
	}
	if err != nil {
		return "", unkept(path, err)
	}
	return t, nil
}

// ReadToken reads the token in a file. fs.ErrNotExist is wrapped when there is
// no file.
func ReadToken(path string) (Token, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", &spool.Error{
			Class: spool.Environment, Code: "no-token", Err: err, Reason: "the API's token cannot be read from " + path,
			Hint: "it is made by spool serve, and is readable to who runs that",
		}
	}
	t := Token(strings.TrimSpace(string(b)))
	if len(t) < tokenBytes {
		return "", &spool.Error{
			Class: spool.Permanent, Code: "bad-token", Reason: path + " holds no token: it is too short",
			Hint: "delete it, and spool serve makes another one",
		}
	}
	return t, nil
}

func unkept(path string, err error) error {
	return &spool.Error{
		Class: spool.Environment, Code: "token-not-kept", Err: err, Reason: "the API's token cannot be written to " + path,
		Hint: "make room, or permit writing there",
	}
}

// bearer reports whether a request shows the token.
func (t Token) bearer(r *http.Request) bool {
	scheme, shown, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return t != "" && strings.EqualFold(scheme, "bearer") && subtle.ConstantTimeCompare([]byte(strings.TrimSpace(shown)), []byte(t)) == 1
}

// SignKey is the query of a link to a key that is good until a moment:
// "expires=SECONDS&signature=HEX", where the signature is the HMAC-SHA256, by
// the token, of "VIDEO/KEY" and the seconds since 1970, with a line feed
// between them.
func (t Token) SignKey(video, key string, until time.Time) string {
	seconds := strconv.FormatInt(until.Unix(), 10)
	return url.Values{"expires": {seconds}, "signature": {t.signature(video, key, seconds)}}.Encode()
}

func (t Token) signature(video, key, seconds string) string {
	mac := hmac.New(sha256.New, []byte(t))
	mac.Write([]byte(video + "/" + key + "\n" + seconds))
	return hex.EncodeToString(mac.Sum(nil))
}

// signed reports whether a query is a signature that is still good.
func (t Token) signed(query url.Values, video, key string, now time.Time) bool {
	text := query.Get("expires")
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || t == "" || now.Unix() >= seconds {
		return false
	}
	want := t.signature(video, key, text)
	return subtle.ConstantTimeCompare([]byte(strings.ToLower(query.Get("signature"))), []byte(want)) == 1
}
