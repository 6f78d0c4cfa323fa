package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/disk"
)

const (
	masterKeySize = 32
	wrapVersion   = 1
	nonceSize     = 12
)

// ErrUnwrap: a wrapped key does not open with this master key, for this video
// and revision.
var ErrUnwrap = errors.New("the wrapped key does not open with this master key")

// Master wraps content keys for the ledger, so that a copy of the ledger
// alone decrypts nothing.
type Master struct {
	aead cipher.AEAD
}

// OpenMaster reads the master key file, or makes one of 32 random bytes that
// only its owner may read; created tells which. It refuses a file that others
// may read, and one of another length.
func OpenMaster(path string) (m *Master, created bool, err error) {
	key, err := readMaster(path)
	if errors.Is(err, fs.ErrNotExist) {
		if created, err = createMaster(path); err != nil {
			return nil, false, err
		}
		key, err = readMaster(path)
	}
	if err != nil {
		return nil, false, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, false, fmt.Errorf("master key %s: %w", path, err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, false, fmt.Errorf("master key %s: %w", path, err)
	}
	return &Master{aead: aead}, created, nil
}

func readMaster(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return nil, &spool.Error{
			Class: spool.Environment, Code: "master-key-exposed",
			Reason: fmt.Sprintf("the master key file %s may be read or written by others (mode %04o)", path, info.Mode().Perm()),
			Hint:   "chmod 600 " + path + ", and make new revisions if somebody may have read it",
		}
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	if len(key) != masterKeySize {
		return nil, &spool.Error{
			Class: spool.Environment, Code: "master-key-damaged",
			Reason: fmt.Sprintf("the master key file %s holds %d bytes, not %d", path, len(key), masterKeySize),
			Hint:   "restore it from a backup: without it the content keys in the ledger cannot be read",
		}
	}
	return key, nil
}

// createMaster writes a new key beside path and links it there, so that of
// two processes one wins and nobody ever reads half a key. It reports whether
// this process won.
func createMaster(path string) (bool, error) {
	key, err := randomBytes(masterKeySize)
	if err != nil {
		return false, fmt.Errorf("create master key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, fmt.Errorf("create master key: %w", err)
	}
	temp, err := writeTemp(filepath.Dir(path), key)
	if err != nil {
		return false, fmt.Errorf("create master key: %w", err)
	}
	defer os.Remove(temp) //nolint:errcheck // after the link it is a second name, after an error it is rubbish
	err = os.Link(temp, path)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		// Some file systems have no links; a rename is the next best.
		err = os.Rename(temp, path)
	}
	if err != nil {
		return false, fmt.Errorf("create master key: %w", err)
	}
	return true, disk.Sync(filepath.Dir(path))
}

// Wrap encrypts a content key for keeping. What it returns opens only with
// the same master key, video and revision.
func (m *Master) Wrap(video, revision string, key []byte) ([]byte, error) {
	if len(key) != ContentKeySize {
		return nil, fmt.Errorf("wrap key of %s/%s: %d bytes, want %d", video, revision, len(key), ContentKeySize)
	}
	nonce, err := randomBytes(nonceSize)
	if err != nil {
		return nil, fmt.Errorf("wrap key of %s/%s: %w", video, revision, err)
	}
	out := append([]byte{wrapVersion}, nonce...)
	return m.aead.Seal(out, nonce, key, binding(video, revision)), nil
}

// Unwrap reverses Wrap. Its errors wrap ErrUnwrap.
func (m *Master) Unwrap(video, revision string, wrapped []byte) ([]byte, error) {
	if len(wrapped) < 1+nonceSize || wrapped[0] != wrapVersion {
		return nil, fmt.Errorf("unwrap key of %s/%s: unknown form: %w", video, revision, ErrUnwrap)
	}
	nonce, sealed := wrapped[1:1+nonceSize], wrapped[1+nonceSize:]
	key, err := m.aead.Open(nil, nonce, sealed, binding(video, revision))
	if err != nil {
		return nil, fmt.Errorf("unwrap key of %s/%s: %w", video, revision, ErrUnwrap)
	}
	return key, nil
}

// binding ties a wrapped key to its place, so that a row copied over another
// one is noticed.
func binding(video, revision string) []byte {
	return []byte("spool content key\x00" + video + "\x00" + revision)
}
