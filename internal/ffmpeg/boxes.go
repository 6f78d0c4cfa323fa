package ffmpeg

import (
	"encoding/binary"
	"io"
)

// movie is what the boxes of an MP4 or QuickTime file say, before ffprobe
// reads it: ffprobe shows an encrypted track as if it were a plain one, and
// fails on an incomplete file without saying why.
type movie struct {
	moov      bool // there is a complete moov box
	cut       bool // a box goes beyond the end of the file
	tracks    int
	encrypted bool
}

const (
	maxBoxes = 20_000 // that are looked at
	maxDepth = 8
)

// walker walks boxes (ISO/IEC 14496-12) and reads only their headers.
type walker struct {
	file  io.ReaderAt
	found movie
	boxes int
}

// inspect walks a file of the given size. It never fails: what is not a box
// ends the walk.
func inspect(file io.ReaderAt, size int64) movie {
	w := walker{file: file}
	w.walk(0, size, 0)
	return w.found
}

// walk looks at the boxes between two offsets.
func (w *walker) walk(at, end int64, depth int) {
	for at+8 <= end && w.boxes < maxBoxes {
		w.boxes++
		kind, body, next, ok := w.header(at, end)
		if !ok {
			return
		}
		if next > end {
			w.found.cut = w.found.cut || depth == 0
			if kind == "moov" || depth > 0 {
				return
			}
		}
		w.visit(kind, body, min(next, end), depth)
		at = next
	}
}

// visit takes note of one box and goes into those that hold others.
func (w *walker) visit(kind string, body, end int64, depth int) {
	switch kind {
	case "moov":
		w.found.moov = true
	case "trak":
		w.found.tracks++
	case "encv", "enca", "sinf":
		w.found.encrypted = true
	}
	if depth >= maxDepth {
		return
	}
	switch kind {
	case "moov", "trak", "mdia", "minf", "stbl":
		w.walk(body, end, depth+1)
	case "stsd":
		w.walk(body+8, end, depth+1) // version, flags and a count come first
	}
}

// header reads a box's header; next is where the next box begins.
func (w *walker) header(at, end int64) (kind string, body, next int64, ok bool) {
	var b [16]byte
	if _, err := w.file.ReadAt(b[:8], at); err != nil {
		return "", 0, 0, false
	}
	size := int64(binary.BigEndian.Uint32(b[:4]))
	body = at + 8
	switch size {
	case 0: // to the end of the file
		size = end - at
	case 1:
		if _, err := w.file.ReadAt(b[8:], at+8); err != nil {
			return "", 0, 0, false
		}
		size, body = int64(binary.BigEndian.Uint64(b[8:])), at+16
	}
	if size < body-at || size > 1<<50 {
		return "", 0, 0, false
	}
	return string(b[4:8]), body, at + size, true
}
