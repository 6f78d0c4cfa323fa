package callback

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spool-video/spool"
)

// Secrets are what messages are signed with, and receivers check them by: one,
// or two while one takes the place of the other.
type Secrets []Secret

// Secret is the key of an HMAC. It shows nothing of itself.
type Secret struct{ key []byte }

// String hides it.
func (Secret) String() string { return prefix + "…" }

// The form of a secret: the prefix, and 24 to 64 bytes in base64.
const (
	prefix   = "whsec_"
	newKey   = 32
	leastKey = 24
	mostKey  = 64
	mostFile = 4 << 10
)

// Make is Read of a file that is made, for its owner alone, when there is none.
func Make(path string) (Secrets, error) {
	s, err := Read(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	key := make([]byte, newKey)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make a secret: %w", err)
	}
	err = keep(path, prefix+base64.StdEncoding.EncodeToString(key)+"\n")
	if err != nil {
		return nil, &spool.Error{
			Class: spool.Environment, Code: "webhook-secret-not-kept", Err: err, Reason: "the secret of callbacks cannot be written to " + path,
			Hint: "make room, or permit writing there",
		}
	}
	return Secrets{{key}}, nil
}

// keep writes a file whole, or not at all.
func keep(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	aside := path + ".new"
	f, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(aside, path)
}

// Read reads the secrets in a file, one a line. fs.ErrNotExist is wrapped when
// there is no file; else errors are Permanent, or Environment.
func Read(path string) (Secrets, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &spool.Error{
			Class: spool.Environment, Code: "no-webhook-secret", Err: err, Reason: "the secret of callbacks cannot be read from " + path,
			Hint: "leave --webhook-secret out, and spool serve makes one in its state folder",
		}
	}
	bad := func(why string) (Secrets, error) {
		return nil, &spool.Error{
			Class: spool.Permanent, Code: "bad-webhook-secret", Reason: path + " holds no secret of callbacks: " + why,
			Hint: "a secret is " + prefix + " and 24 to 64 random bytes in base64; one a line",
		}
	}
	if len(text) > mostFile {
		return bad("it is too large")
	}
	var all Secrets
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		encoded, found := strings.CutPrefix(line, prefix)
		key, err := base64.StdEncoding.DecodeString(encoded)
		if !found || err != nil || len(key) < leastKey || len(key) > mostKey {
			return bad(fmt.Sprintf("line %d is not in their form", len(all)+1))
		}
		all = append(all, Secret{key})
	}
	if len(all) == 0 {
		return bad("it is empty")
	}
	return all, nil
}

// sign is the value of webhook-signature: a signature by each secret.
func (all Secrets) sign(id string, at time.Time, body []byte) string {
	signatures := make([]string, len(all))
	for i, s := range all {
		mac := hmac.New(sha256.New, s.key)
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(signatures, " ")
}
