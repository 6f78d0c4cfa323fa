package tap_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/tap"
)

// rebuild gives boxes with every box of a kind changed: to the boxes that
// change makes of its body.
func rebuild(boxes []byte, kind string, change func(body []byte) []byte) []byte {
	var out []byte
	for len(boxes) >= 8 {
		size := int(binary.BigEndian.Uint32(boxes))
		name, body := string(boxes[4:8]), boxes[8:size]
		switch name {
		case kind:
			out = append(out, change(body)...)
		case "moov", "trak", "mdia", "minf", "stbl", "edts":
			out = append(out, wrap(name, rebuild(body, kind, change))...)
		default:
			out = append(out, boxes[:size]...)
		}
		boxes = boxes[size:]
	}
	return out
}

func wrap(kind string, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	return append(append(b, kind...), body...)
}

// words are 32-bit numbers, as boxes hold them.
func words(n ...uint32) []byte {
	var b []byte
	for _, v := range n {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// TestTablesThatFFmpegDoesNotWrite: other muxers do, and ffprobe reads them.
func TestTablesThatFFmpegDoesNotWrite(t *testing.T) {
	source := film{name: "silent.mp4", args: pictures + quick}
	for _, c := range []struct {
		name, kind string
		whole      bool // how long the last picture lasts is not told
		change     func(body []byte) []byte
	}{
		{"sizes of 16 bits", "stsz", false, func(b []byte) []byte {
			n := binary.BigEndian.Uint32(b[8:])
			out := words(0, 16, n)
			for i := range n {
				out = append(out, b[12+4*i+2], b[12+4*i+3])
			}
			return wrap("stz2", out)
		}},
		{"wide offsets", "stco", false, func(b []byte) []byte {
			out := b[:8:8]
			for i := range binary.BigEndian.Uint32(b[4:]) {
				out = append(out, words(0, binary.BigEndian.Uint32(b[8+4*i:]))...)
			}
			return wrap("co64", out)
		}},
		{"partial sync", "stss", false, func([]byte) []byte {
			return append(wrap("stss", words(0, 2, 1, 25)), wrap("stps", words(0, 3, 13, 37, 49))...)
		}},
		{"random access points", "stss", false, func([]byte) []byte {
			return append(wrap("stss", words(0, 1, 1)), wrap("sbgp", append([]byte("\x00\x00\x00\x00rap "), words(9, 12, 0, 1, 1, 11, 0, 1, 2, 11, 0, 1, 1, 11, 0, 1, 1, 1, 0)...))...)
		}},
		{"no edits", "edts", false, func([]byte) []byte { return nil }},
		{"a long start of nothing", "elst", false, func([]byte) []byte {
			return wrap("elst", words(0, 3, 300, 1<<32-1, 1<<16, 200, 1<<32-1, 1<<16, 2000, 1024, 1<<16))
		}},
		{"times of 64 bits", "elst", false, func([]byte) []byte {
			return wrap("elst", words(1<<24, 1, 0, 1500, 0, 4096, 1<<16))
		}},
		{"an end in the middle", "elst", false, func([]byte) []byte {
			return wrap("elst", words(0, 1, 700, 1024, 1<<16))
		}},
		{"a piece of the middle", "elst", false, func([]byte) []byte {
			return wrap("elst", words(0, 2, 333, 1<<32-1, 1<<16, 500, 9000, 1<<16))
		}},
		{"before the first picture", "elst", false, func([]byte) []byte {
			return wrap("elst", words(0, 1, 2000, 0, 1<<16))
		}},
		{"time that does not pass evenly", "stts", true, func([]byte) []byte {
			return wrap("stts", words(0, 4, 10, 512, 1, 3000, 38, 511, 1, 7))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := changed(t, source.make(t), c.kind, c.change)
			track := readMovie(t, path).Tracks[0]
			if track.Err != nil {
				t.Fatal(track.Err)
			}
			sameLines(t, 0, track.Samples, packets(t, path)[0])
			sameIndex(t, path, c.whole, 0)
		})
	}
}

// changed writes a film, whose moov box comes last, with other boxes of a kind.
func changed(t *testing.T, path, kind string, change func(body []byte) []byte) string {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	box := moov(t, file)
	media := len(file) - len(box)
	file = append(file[:media:media], rebuild(box, kind, change)...)
	path = filepath.Join(t.TempDir(), "changed.mp4")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestKeyFramesMustBeListed: a file that lists none says that all are, but
// muxers leave the list out by mistake, too.
func TestKeyFramesMustBeListed(t *testing.T) {
	path := changed(t, film{name: "silent.mp4", args: pictures + quick}.make(t), "stss", func([]byte) []byte { return nil })
	m := readMovie(t, path)
	facts := spool.Facts{Video: &spool.VideoStream{Codec: "h264", TimeBase: m.Tracks[0].TimeBase}}
	if _, err := m.Index(facts); !errors.Is(err, tap.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}
