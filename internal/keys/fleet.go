package keys

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/disk"
)

// A fleet key file is text: lines of fleetWord and a key in base64, of which
// the first seals and all open; lines that begin with # are for people.
const (
	fleetWord = "spool-fleet-key-1"
	fleetHead = "# Spool's fleet key: serve and all workers of a fleet have the same file.\n" +
		"# The first key seals, every key opens. To change it, add a new line below\n" +
		"# everywhere, then move it to the top everywhere, then take the old one away.\n"
	fleetKeySize = chacha20poly1305.KeySize
	fleetIDSize  = 8
)

var (
	// ErrForeign: what was sealed is whole, as far as can be seen, and of a
	// key that this fleet key file does not have.
	ErrForeign = errors.New("sealed with another fleet key")
	// ErrDamaged: nobody with one of these keys sealed this for this purpose.
	ErrDamaged = errors.New("not sealed with a fleet key, or changed since")
)

// Fleet is the key, or keys, that serve and the workers share: what they tell
// one another through a broker is sealed with it. It is safe for concurrent
// use.
type Fleet struct {
	Path string
	keys []fleetKey // the first one seals
}

type fleetKey struct {
	id    [fleetIDSize]byte
	token string
	aead  cipher.AEAD
}

// MakeFleet writes a new fleet key file that only its owner may read, and
// refuses to write over one that is there.
func MakeFleet(path string) error {
	key, err := randomBytes(fleetKeySize)
	if err != nil {
		return fmt.Errorf("make fleet key: %w", err)
	}
	temp, err := writeTemp(filepath.Dir(path), []byte(fleetHead+fleetWord+" "+base64.StdEncoding.EncodeToString(key)+"\n"))
	if err != nil {
		return fmt.Errorf("make fleet key: %w", err)
	}
	defer os.Remove(temp)
	err = os.Link(temp, path)
	if errors.Is(err, fs.ErrExist) {
		return &spool.Error{
			Class: spool.Permanent, Code: "fleet-key-exists",
			Reason: fmt.Sprintf("%s is there already, and a fleet whose key is lost does not understand what is under way", path),
			Hint:   "choose another name; the file says how a key is changed",
		}
	}
	if err != nil {
		return fmt.Errorf("make fleet key: %w", err)
	}
	return disk.Sync(filepath.Dir(path))
}

// OpenFleet reads a fleet key file. It refuses one that others may read.
func OpenFleet(path string) (*Fleet, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &spool.Error{
			Class: spool.Environment, Code: "no-fleet-key", Err: err,
			Reason: fmt.Sprintf("the fleet key file %s cannot be read", path),
			Hint:   "spool keys fleet FILE makes one; serve and all workers have the same",
		}
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return nil, &spool.Error{
			Class: spool.Environment, Code: "fleet-key-exposed",
			Reason: fmt.Sprintf("the fleet key file %s may be read or written by others (mode %04o)", path, info.Mode().Perm()),
			Hint:   "chmod 600 " + path + ", and make a new one if somebody may have read it",
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("fleet key: %w", err)
	}
	f := &Fleet{Path: path}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, err := parseFleetKey(line)
		if err != nil {
			return nil, f.damaged()
		}
		f.keys = append(f.keys, key)
	}
	if len(f.keys) == 0 {
		return nil, f.damaged()
	}
	return f, nil
}

func (f *Fleet) damaged() error {
	return &spool.Error{
		Class: spool.Environment, Code: "fleet-key-damaged",
		Reason: fmt.Sprintf("%s is no fleet key file, or is damaged", f.Path),
		Hint:   "copy it again from the machine where spool keys fleet made it",
	}
}

func parseFleetKey(line string) (k fleetKey, err error) {
	word, encoded, _ := strings.Cut(line, " ")
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil || word != fleetWord || len(key) != fleetKeySize {
		return k, ErrDamaged
	}
	sealing, err := hkdf.Expand(sha256.New, key, "spool fleet bodies", fleetKeySize)
	if err != nil {
		return k, err
	}
	token, err := hkdf.Expand(sha256.New, key, "spool fleet token", fleetKeySize)
	if err != nil {
		return k, err
	}
	id, err := hkdf.Expand(sha256.New, key, "spool fleet id", fleetIDSize)
	if err != nil {
		return k, err
	}
	k.token = base64.RawURLEncoding.EncodeToString(token)
	copy(k.id[:], id)
	k.aead, err = chacha20poly1305.NewX(sealing)
	return k, err
}

// ID names the key that seals, in 16 hexadecimal digits. It is no secret.
func (f *Fleet) ID() string { return hex.EncodeToString(f.keys[0].id[:]) }

// Token is what a worker shows to a queue server in serve: who has the key
// has it, and it gives nothing of the key away.
func (f *Fleet) Token() string { return f.keys[0].token }

// Tokens are those that a queue server lets in: one for every key, so that a
// key can be changed while workers run.
func (f *Fleet) Tokens() []string {
	var all []string
	for _, k := range f.keys {
		all = append(all, k.token)
	}
	return all
}

// FleetOverhead is how much longer than the body what Seal returns is, in
// bytes.
const FleetOverhead = fleetIDSize + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// Seal encrypts body for one purpose: only Unseal for the same purpose, with
// the same key, gives it back. The form is the key's ID, a random nonce, and
// XChaCha20-Poly1305 with ID and purpose as associated data.
func (f *Fleet) Seal(purpose string, body []byte) ([]byte, error) {
	nonce, err := randomBytes(chacha20poly1305.NonceSizeX)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	k := f.keys[0]
	out := make([]byte, 0, len(body)+FleetOverhead)
	out = append(append(out, k.id[:]...), nonce...)
	return k.aead.Seal(out, nonce, body, k.bound(purpose)), nil
}

// Unseal reverses Seal. Its errors wrap ErrForeign or ErrDamaged.
func (f *Fleet) Unseal(purpose string, sealed []byte) ([]byte, error) {
	if len(sealed) < FleetOverhead {
		return nil, ErrDamaged
	}
	id, nonce := sealed[:fleetIDSize], sealed[fleetIDSize:fleetIDSize+chacha20poly1305.NonceSizeX]
	i := slices.IndexFunc(f.keys, func(k fleetKey) bool { return bytes.Equal(k.id[:], id) })
	if i < 0 {
		return nil, fmt.Errorf("%w: %x", ErrForeign, id)
	}
	k := f.keys[i]
	body, err := k.aead.Open(nil, nonce, sealed[fleetIDSize+chacha20poly1305.NonceSizeX:], k.bound(purpose))
	if err != nil {
		return nil, ErrDamaged
	}
	return body, nil
}

func (k fleetKey) bound(purpose string) []byte { return append(k.id[:], purpose...) }
