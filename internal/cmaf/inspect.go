package cmaf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// SegmentInfo is what a segment says of itself. Times are ticks of Timescale.
type SegmentInfo struct {
	Track     Track
	Sequence  uint32 // of the first fragment
	Decode    uint64 // decode time of the first sample
	Duration  uint64 // Σ sample durations
	Samples   int
	Sync      []int // positions of sync samples, from 0
	IDR       bool  // the first sample is an H.264 IDR picture; false for audio
	Start     int64 // first presentation time, the edit list applied
	End       int64 // end of the last sample presented, the edit list applied
	Fragments int
}

// Inspect reads a clear segment with its init section, checks that fragments
// follow each other without a gap, and tells what is in it.
func Inspect(init, segment []byte) (SegmentInfo, error) {
	r := NewReader(io.MultiReader(bytes.NewReader(init), bytes.NewReader(segment)))
	track, err := r.Init()
	if err != nil {
		return SegmentInfo{}, fmt.Errorf("inspect init section: %w", err)
	}
	info := SegmentInfo{Track: track}
	for {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return SegmentInfo{}, fmt.Errorf("inspect segment: %w", err)
		}
		if err := info.add(f); err != nil {
			return SegmentInfo{}, fmt.Errorf("inspect segment: %w", err)
		}
	}
	if info.Samples == 0 {
		return SegmentInfo{}, fmt.Errorf("inspect segment: %w", malformed("it holds no samples"))
	}
	return info, nil
}

func (s *SegmentInfo) add(f Fragment) error {
	if s.Fragments == 0 {
		s.Sequence, s.Decode = f.Sequence, f.Decode
		s.IDR = s.Track.Video && IsIDR(f.Samples[0].Data, s.Track.Config)
		s.Start = int64(f.Decode) + int64(f.Samples[0].Offset) - s.Track.Priming
	}
	at := s.Decode + s.Duration
	if f.Decode != at {
		return malformed("a fragment starts at tick %d where %d is due", f.Decode, at)
	}
	for _, sample := range f.Samples {
		start := int64(at) + int64(sample.Offset) - s.Track.Priming
		s.Start = min(s.Start, start)
		s.End = max(s.End, start+int64(sample.Duration))
		if sample.Sync {
			s.Sync = append(s.Sync, s.Samples)
		}
		at += uint64(sample.Duration)
		s.Samples++
	}
	s.Duration = at - s.Decode
	s.Fragments++
	return nil
}

// IsIDR reports whether the first slice of a picture, in the length-prefixed
// form that avcC describes, belongs to an IDR picture.
func IsIDR(sample, avcC []byte) bool {
	if len(avcC) < 5 {
		return false
	}
	prefix := int(avcC[4]&3) + 1
	for len(sample) > prefix {
		var wide [4]byte
		copy(wide[4-prefix:], sample[:prefix])
		length := uint64(binary.BigEndian.Uint32(wide[:]))
		sample = sample[prefix:]
		if length == 0 || length > uint64(len(sample)) {
			return false
		}
		if kind := sample[0] & 0x1f; kind >= 1 && kind <= 5 {
			return kind == 5
		}
		sample = sample[length:]
	}
	return false
}
