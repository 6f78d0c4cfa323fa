package torturetest

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"math/rand/v2"
	"strings"
)

// box is a box of an MP4.
func box(kind string, payload ...[]byte) []byte {
	body := bytes.Join(payload, nil)
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	return append(append(b, kind...), body...)
}

func be32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func zeros(n int) []byte { return make([]byte, n) }

// tag is where the n-th box (from 0) of a kind begins, behind its length.
func tag(b []byte, kind string, n int) int {
	at := 0
	for ; ; n-- {
		found := bytes.Index(b[at:], []byte(kind))
		if found < 0 {
			panic("torturetest: there is no " + kind)
		}
		if at += found; n == 0 {
			return at
		}
		at += len(kind)
	}
}

// poke changes bytes at an offset behind the name of the first box of a kind.
func poke(kind string, offset int, value ...byte) func([]byte) []byte {
	return func(b []byte) []byte {
		copy(b[tag(b, kind, 0)+len(kind)+offset:], value)
		return b
	}
}

// renamed is with another name for all boxes, or codecs, of a kind.
func renamed(from, to string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(from), []byte(to)) }
}

// cutAt keeps a share of a file, in percent.
func cutAt(percent int) func([]byte) []byte {
	return func(b []byte) []byte { return b[:len(b)*percent/100] }
}

// cutBehind keeps what is before the first box of a kind, and some bytes of it.
func cutBehind(kind string, more int) func([]byte) []byte {
	return func(b []byte) []byte { return b[:tag(b, kind, 0)-4+more] }
}

// noisy damages one byte in so many.
func noisy(every, from int) func([]byte) []byte {
	return func(b []byte) []byte {
		for i := from; i < len(b); i += every {
			b[i] ^= 0x55
		}
		return b
	}
}

// noise is n bytes that mean nothing, the same every time.
func noise(n int) []byte {
	b, r := make([]byte, n), rand.New(rand.NewPCG(7, 11)) //nolint:gosec // it is no secret
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	b[0] = 0xa5 // the beginning of nothing that is known
	return b
}

// deflated is n zeros, compressed; n is at least 2 MiB.
func deflated(n int) []byte {
	const block = 1 << 20
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	_, _ = z.Write(make([]byte, block+n%block)) // into memory
	_ = z.Flush()                               // likewise
	head := out.Len()
	_, _ = z.Write(make([]byte, block))
	_ = z.Flush()
	// A block refers to what was before it, which is the same for all but the
	// first.
	again := bytes.Clone(out.Bytes()[head:])
	for range n/block - 2 {
		out.Write(again)
	}
	out.Write([]byte{3, 0}) // the last block, an empty one
	const prime = 65521     // of Adler-32, which counts zeros and nothing else
	return binary.BigEndian.AppendUint32(out.Bytes(), uint32(n%prime)<<16|1)
}

// nested is boxes in boxes.
func nested(kind string, depth int) []byte {
	var b []byte
	for ; depth >= 0; depth-- {
		b = append(append(b, be32(uint32(8*(depth+1)))...), kind...)
	}
	return b
}

// track is the smallest movie with one sound or picture track whose sample
// tables are given.
func track(handler, entry string, tables ...[]byte) []byte {
	stsd := box("stsd", be32(0), be32(1), []byte(entry))
	stbl := box("stbl", append([][]byte{stsd}, tables...)...)
	minf := box("minf", box("dinf", box("dref", be32(0), be32(1), box("url ", be32(1)))), stbl)
	mdhd := box("mdhd", be32(0), zeros(8), be32(1000), be32(2000), zeros(4))
	hdlr := box("hdlr", be32(0), zeros(4), []byte(handler), zeros(13))
	tkhd := box("tkhd", be32(3), zeros(8), be32(1), zeros(4), be32(2000), zeros(60))
	mvhd := box("mvhd", be32(0), zeros(8), be32(1000), be32(2000), zeros(80))
	return box("moov", mvhd, box("trak", tkhd, box("mdia", mdhd, hdlr, minf)))
}

// sampleEntry is one of pictures in raw RGB.
func sampleEntry(width, height uint16) string {
	b := append(zeros(6), 0, 1)
	b = append(b, zeros(16)...)
	b = binary.BigEndian.AppendUint16(b, width)
	b = binary.BigEndian.AppendUint16(b, height)
	b = append(b, zeros(50)...)
	return string(box("raw ", b))
}

var ftyp = box("ftyp", []byte("isom"), be32(512), []byte("isomiso2"))

// element is one of Matroska; length may lie.
func element(id string, length uint64, payload []byte) []byte {
	b := append([]byte(id), be64(length|1<<56)...)
	return append(b, payload...)
}

// playlist is one of HLS with some lines.
func playlist(lines ...string) string {
	return "#EXTM3U\n#EXT-X-TARGETDURATION:2\n" + strings.Join(lines, "\n") + "\n"
}
