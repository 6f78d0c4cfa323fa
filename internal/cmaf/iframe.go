package cmaf

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/spool-video/spool"
)

// IFrames finds the key frames of a clear segment: the first picture of each of
// its fragments, from the fragment's moof to the picture's last byte.
func IFrames(segment []byte) ([]spool.IFrame, error) {
	var found []spool.IFrame
	samples := 0
	for at := 0; at < len(segment); {
		name, size, err := head(segment[at:])
		if err != nil {
			return nil, fmt.Errorf("find I-frames: %w", err)
		}
		if name == "moof" {
			f, first, err := fragmentAt(segment[at:])
			if err != nil {
				return nil, fmt.Errorf("find I-frames: %w", err)
			}
			if f.Samples[0].Sync {
				found = append(found, spool.IFrame{Frame: samples, Offset: int64(at), Size: int64(first)})
			}
			samples += len(f.Samples)
		}
		at += size
	}
	return found, nil
}

// Still makes a segment of a key frame alone, which is shown until the next one
// of its segment, or the segment's end.
func Still(segment []byte, i spool.IFrame) ([]byte, error) {
	if i.Offset < 0 || i.Offset > int64(len(segment)) {
		return nil, fmt.Errorf("make still: %w", malformed("it does not lie in its segment"))
	}
	rest := segment[i.Offset:]
	f, _, err := fragmentAt(rest)
	if err != nil {
		return nil, fmt.Errorf("make still: %w", err)
	}
	length, err := shown(rest)
	if err != nil {
		return nil, fmt.Errorf("make still: %w", err)
	}
	f.Samples = f.Samples[:1]
	f.Samples[0].Duration = length
	var out bytes.Buffer
	if err := WriteSegmentStart(&out); err != nil {
		return nil, err
	}
	if err := WriteFragment(&out, f); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// shown is how many ticks there are from the key frame that b begins with to
// the next one, or to the end.
func shown(b []byte) (ticks uint32, err error) {
	for at := 0; at < len(b); {
		name, size, err := head(b[at:])
		if err != nil {
			return 0, err
		}
		if name == "moof" {
			f, _, err := fragmentAt(b[at:])
			if err != nil || at > 0 && f.Samples[0].Sync {
				return ticks, err
			}
			for _, s := range f.Samples {
				ticks += s.Duration
			}
		}
		at += size
	}
	return ticks, nil
}

// head gives the name and the size of the box that b begins with. Segments of
// this package have no boxes of 64-bit sizes.
func head(b []byte) (name string, size int, err error) {
	if len(b) < 8 {
		return "", 0, malformed("it is cut within a box header")
	}
	name, size = string(b[4:8]), int(binary.BigEndian.Uint32(b))
	if size < 8 || size > len(b) {
		return "", 0, malformed("box %q claims %d of %d bytes", name, size, len(b))
	}
	return name, size, nil
}

// fragmentAt reads the fragment that b begins with, and tells how many bytes
// there are from there to the end of its first sample.
func fragmentAt(b []byte) (f Fragment, first int, err error) {
	name, size, err := head(b)
	if err != nil {
		return f, 0, err
	}
	if name != "moof" {
		return f, 0, malformed("box %q where a moof is expected", name)
	}
	next, length, err := head(b[size:])
	if err != nil {
		return f, 0, err
	}
	box, err := decodeBox("moof", b[8:size])
	if err != nil {
		return f, 0, err
	}
	moof, ok := box.(*mp4.MoofBox)
	if !ok || next != "mdat" {
		return f, 0, malformed("moof is followed by %q, not mdat", next)
	}
	data := b[size+8 : size+length]
	if f, err = cutSamples(moof, &mp4.TrexBox{}, data, int64(size)); err != nil {
		return f, 0, err
	}
	if !moof.Traf.Truns[0].HasDataOffset() {
		return f, 0, malformed("a trun does not say where its samples lie")
	}
	return f, int(moof.Traf.Truns[0].DataOffset) + len(f.Samples[0].Data), nil
}
