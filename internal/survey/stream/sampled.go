package stream

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
)

// AnnexB is a byte stream of H.264 without a container: what is left of MPEG-TS
// whose samples were decrypted.
const AnnexB Container = "H.264 byte stream"

// Sampled are the elementary streams of a segment whose samples were encrypted
// each by itself, decrypted: pictures as AnnexB, sound as packed audio.
type Sampled map[Kind][]byte

// samples decrypts samples as Apple's "MPEG-2 Stream Encryption Format for HTTP
// Live Streaming" has it, and keeps what comes out.
type samples struct {
	block cipher.Block
	iv    [16]byte
	clear Sampled
}

// ReadSampled reads a segment of MPEG-TS or packed audio that is under a key of
// SAMPLE-AES.
func ReadSampled(b, key []byte, iv [16]byte) (m Media, clear Sampled) {
	defer func() {
		if p := recover(); p != nil { // see Read
			m, clear = Media{Container: Sniff(b)}, nil
			m.wrong(104, "it cannot be read: %v", p)
		}
	}()
	block, err := aes.NewCipher(key)
	if err != nil || len(key) != aes.BlockSize {
		m = Read(nil, b)
		m.wrong(104, "its key is not 16 bytes long")
		return m, nil
	}
	s := &samples{block: block, iv: iv, clear: Sampled{}}
	if Sniff(b) == Packed {
		m = readPacked(b, s)
		return m, s.clear
	}
	m = readTransport(b, s)
	return m, s.clear
}

// What is clear of a slice and of an audio frame at its start, and of a slice
// after every block.
const (
	clearSlice = 32
	clearFrame = 16
	clearAfter = 144
	least      = 48 // bytes of the longest slice that is not encrypted
)

// unit decrypts a NAL unit: of slices one block in ten, chained from the IV on.
// A second emulation prevention lies over the encrypted bytes.
func (s *samples) unit(n []byte) (clear []byte, ok bool) {
	kind := n[0] & 0x1f
	if kind != h264Slice && kind != h264IDR || len(n) <= least {
		return n, true
	}
	ok = !looksLikeStart(n)
	n = bytes.ReplaceAll(n, []byte{0, 0, 3}, []byte{0, 0})
	chain := cipher.NewCBCDecrypter(s.block, s.iv[:])
	for rest := n[min(clearSlice, len(n)):]; len(rest) > aes.BlockSize; rest = rest[min(clearAfter, len(rest)):] {
		chain.CryptBlocks(rest[:aes.BlockSize], rest[:aes.BlockSize])
		rest = rest[aes.BlockSize:]
	}
	return n, ok
}

// looksLikeStart: bytes that would be taken for those of a start code.
func looksLikeStart(n []byte) bool {
	return bytes.Contains(n, []byte{0, 0, 0}) || bytes.Contains(n, []byte{0, 0, 2})
}

// frame decrypts an ADTS frame in place: all whole blocks behind its start.
func (s *samples) frame(f []byte) {
	header := 7
	if f[1]&1 == 0 {
		header = 9 // with a checksum
	}
	at := header + clearFrame
	if n := (len(f) - at) / aes.BlockSize * aes.BlockSize; n > 0 {
		cipher.NewCBCDecrypter(s.block, s.iv[:]).CryptBlocks(f[at:at+n], f[at:at+n])
	}
}

// picture decrypts the NAL units of a picture and keeps them; false when one has
// bytes that look like a start code.
func (s *samples) picture(nals [][]byte) (clear [][]byte, ok bool) {
	ok = true
	for _, n := range nals {
		plain, good := s.unit(n)
		ok = ok && good
		clear = append(clear, plain)
		s.clear[Video] = append(append(s.clear[Video], 0, 0, 0, 1), plain...)
	}
	return clear, ok
}
