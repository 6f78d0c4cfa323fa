package download

import (
	"crypto/sha256"
	"encoding"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strings"
)

// digest is the SHA-256 of a file's beginning. It grows with the run of bytes
// that is here from the file's start: what came before its turn is read back.
type digest struct {
	sum hash.Hash
	at  int64 // bytes that it holds
}

// followMost is what one call of follow reads at most, bytes: 10 ms or so, in
// which all connections wait.
const followMost = 4 << 20

func newDigest() digest { return digest{sum: sha256.New()} }

// loadDigest is the reverse of save.
func loadDigest(state []byte, at int64) (digest, bool) {
	d := newDigest()
	if at == 0 && len(state) == 0 {
		return d, true
	}
	d.at = at
	sum, ok := d.sum.(encoding.BinaryUnmarshaler)
	return d, ok && sum.UnmarshalBinary(state) == nil
}

// save gives the state from which loadDigest goes on.
func (d *digest) save() ([]byte, error) {
	sum, ok := d.sum.(encoding.BinaryMarshaler)
	if !ok {
		return nil, errors.New("the hash cannot be saved")
	}
	return sum.MarshalBinary()
}

// take hashes bytes that were written at a place, if it is their turn.
func (d *digest) take(b []byte, at int64) {
	if at == d.at {
		_, _ = d.sum.Write(b) // a hash never fails
		d.at += int64(len(b))
	}
}

// follow hashes what is in the file up to end, and not more than most bytes.
func (d *digest) follow(file io.ReaderAt, end, most int64) error {
	end = min(end, d.at+most)
	if d.at >= end {
		return nil
	}
	n, err := io.Copy(d.sum, io.NewSectionReader(file, d.at, end-d.at))
	d.at += n
	if err == nil && d.at < end {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (d *digest) hex() string { return hex.EncodeToString(d.sum.Sum(nil)) }

// announced is the SHA-256 of the whole file, in hex, as an answer's head tells
// it (RFC 9530 3, RFC 3230 4.3.2); "" when it does not.
func announced(h http.Header) string {
	for _, name := range []string{"Repr-Digest", "Digest"} {
		for item := range strings.SplitSeq(strings.Join(h.Values(name), ","), ",") {
			kind, value, _ := strings.Cut(strings.TrimSpace(item), "=")
			if !strings.EqualFold(kind, "sha-256") {
				continue
			}
			sum, err := base64.StdEncoding.DecodeString(strings.Trim(value, ":"))
			if err == nil && len(sum) == sha256.Size {
				return hex.EncodeToString(sum)
			}
		}
	}
	return ""
}
