package cmaf

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"
)

// First gives the first sample of a segment of which the start is at hand, as a
// fragment of its own. ErrMalformed is also wrapped when more is needed: up to
// the end of that sample.
func First(init, start []byte) (Fragment, error) {
	r := NewReader(bytes.NewReader(init))
	if _, err := r.Init(); err != nil {
		return Fragment{}, fmt.Errorf("read init section: %w", err)
	}
	for len(start) >= 8 {
		size := uint64(binary.BigEndian.Uint32(start))
		if size < 8 || size > uint64(len(start)) {
			break
		}
		if string(start[4:8]) == "moof" {
			return first(r.trex, start[:size], start[size:])
		}
		start = start[size:]
	}
	return Fragment{}, malformed("no moof in the start of a segment")
}

// first gives the first sample of a fragment, of whose mdat box the start is
// at hand.
func first(trex *mp4.TrexBox, header, rest []byte) (Fragment, error) {
	box, err := decodeBox("moof", header[8:])
	if err != nil {
		return Fragment{}, err
	}
	moof, ok := box.(*mp4.MoofBox)
	if !ok || len(rest) < 8 || string(rest[4:8]) != "mdat" || binary.BigEndian.Uint32(rest) < 8 {
		return Fragment{}, malformed("moof without mdat")
	}
	if len(moof.Trafs) == 1 && len(moof.Traf.Truns) > 0 && len(moof.Traf.Trun.Samples) > 0 {
		moof.Traf.Truns = moof.Traf.Truns[:1]
		moof.Traf.Trun.Samples = moof.Traf.Trun.Samples[:1]
	}
	return cutSamples(moof, trex, rest[8:], int64(len(header)))
}
