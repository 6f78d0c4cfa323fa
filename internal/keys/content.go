// Package keys makes content keys, encrypts segments with them, and keeps
// them: wrapped by a master key for the ledger, and exported to the folder
// that players get them from.
//
// Segments are encrypted as HLS's AES-128 method says (RFC 8216, section 5):
// the whole segment, CBC, PKCS#7 padding, CBC restarted at each segment. The
// IV follows from the content key, the rendition and the segment's number, so
// that any worker makes the same bytes from the same segment and no two
// segments of a revision share an IV.
package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// ContentKeySize is the length of a content key in bytes.
const ContentKeySize = 16

// ErrPadding: decrypted bytes do not end in PKCS#7 padding; the key, the IV
// or the bytes are wrong.
var ErrPadding = errors.New("padding is not PKCS#7: wrong key or damaged bytes")

// ErrBlockSize: encrypted bytes are not whole AES blocks, so some are missing.
var ErrBlockSize = errors.New("length is not a positive multiple of 16")

// NewContentKey makes the 16 random bytes of a content key.
func NewContentKey() ([]byte, error) {
	return randomBytes(ContentKeySize)
}

// ID names a key of a revision: like the revision when it has one key, else
// with the key's number behind that, so that every key has its own address.
func ID(revision string, number int, rotated bool) string {
	if !rotated {
		return revision
	}
	return fmt.Sprintf("%s-%05d", revision, number)
}

// Named finds the ID that ID made in a key's URI, when it is known whose
// revision it is. Without one in it, the revision's only key is meant.
func Named(uri, revision string) string {
	at := strings.LastIndex(uri, revision+"-")
	if at < 0 {
		return revision
	}
	end := at + len(revision) + 1
	for end < len(uri) && uri[end] >= '0' && uri[end] <= '9' {
		end++
	}
	return uri[at:end]
}

// Still is what the n-th I-frame of a rendition's segment counts as when it is
// encrypted by itself: no rendition has such a name, so no IV is used twice.
func Still(rendition string, n int) string { return fmt.Sprintf("%s/iframe-%d", rendition, n) }

// IV is the initialisation vector of one segment: the first 16 bytes of
// HMAC-SHA256(key, rendition ‖ 0 ‖ number as 8 bytes, big-endian).
func IV(key []byte, rendition string, number int) [16]byte {
	mac := hmac.New(sha256.New, key)
	message := append([]byte(rendition), 0)
	mac.Write(binary.BigEndian.AppendUint64(message, uint64(number)))
	var iv [16]byte
	copy(iv[:], mac.Sum(nil))
	return iv
}

// Encrypt encrypts a whole segment. The result is the padded length, 1 to 16
// bytes more than plain.
func Encrypt(key []byte, rendition string, number int, plain []byte) ([]byte, error) {
	block, err := newBlock(key)
	if err != nil {
		return nil, fmt.Errorf("encrypt %s segment %d: %w", rendition, number, err)
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	out := make([]byte, len(plain)+pad)
	copy(out, plain)
	for i := len(plain); i < len(out); i++ {
		out[i] = byte(pad)
	}
	iv := IV(key, rendition, number)
	cipher.NewCBCEncrypter(block, iv[:]).CryptBlocks(out, out)
	return out, nil
}

// Decrypt reverses Encrypt. The errors of damaged input wrap ErrBlockSize or
// ErrPadding.
func Decrypt(key []byte, iv [16]byte, encrypted []byte) ([]byte, error) {
	block, err := newBlock(key)
	if err != nil {
		return nil, fmt.Errorf("decrypt: %w", err)
	}
	if len(encrypted) == 0 || len(encrypted)%aes.BlockSize != 0 {
		return nil, fmt.Errorf("decrypt %d bytes: %w", len(encrypted), ErrBlockSize)
	}
	out := make([]byte, len(encrypted))
	cipher.NewCBCDecrypter(block, iv[:]).CryptBlocks(out, encrypted)
	pad := int(out[len(out)-1])
	if pad < 1 || pad > aes.BlockSize {
		return nil, fmt.Errorf("decrypt %d bytes: %w", len(encrypted), ErrPadding)
	}
	for _, b := range out[len(out)-pad:] {
		if int(b) != pad {
			return nil, fmt.Errorf("decrypt %d bytes: %w", len(encrypted), ErrPadding)
		}
	}
	return out[:len(out)-pad], nil
}

// DecryptStart decrypts the whole blocks in the start of what Encrypt gave; the
// padding stays, when it is among them.
func DecryptStart(key []byte, iv [16]byte, encrypted []byte) ([]byte, error) {
	block, err := newBlock(key)
	if err != nil {
		return nil, fmt.Errorf("decrypt: %w", err)
	}
	out := make([]byte, len(encrypted)/aes.BlockSize*aes.BlockSize)
	cipher.NewCBCDecrypter(block, iv[:]).CryptBlocks(out, encrypted[:len(out)])
	return out, nil
}

func newBlock(key []byte) (cipher.Block, error) {
	if len(key) != ContentKeySize {
		return nil, fmt.Errorf("content key of %d bytes, want %d", len(key), ContentKeySize)
	}
	return aes.NewCipher(key)
}

func randomBytes(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		return nil, fmt.Errorf("read random bytes: %w", err)
	}
	return b, nil
}
