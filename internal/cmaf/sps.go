package cmaf

import (
	"bytes"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/bits"
)

// What ITU-T H.264 allows at most (7.4.2.1.1, E.2.2). The library makes room
// for as many as a sequence parameter set says.
const (
	mostCycle   = 255
	mostBuffers = 32
)

// ParseSPS reads a sequence parameter set of H.264, header byte included. One
// that is hostile is refused before it can use up memory.
func ParseSPS(unit []byte) (sps *avc.SPS, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = malformed("SPS: %v", p)
		}
	}()
	if err := bounded(unit); err != nil {
		return nil, err
	}
	sps, err = avc.ParseSPSNALUnit(unit, true)
	if err != nil {
		return nil, malformed("SPS: %v", err)
	}
	return sps, nil
}

// set reads a sequence parameter set for its counts.
type set struct{ *bits.EBSPReader }

// bounded goes through a set as the library does, and stops at a count that no
// set may have.
func bounded(unit []byte) error {
	s := set{bits.NewEBSPReader(bytes.NewReader(unit))}
	s.Read(8) // header
	profile := s.Read(8)
	s.Read(16)
	s.ReadExpGolomb()
	switch profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		s.chroma()
	}
	s.ReadExpGolomb()
	if n := s.order(); n > mostCycle {
		return malformed("SPS: a cycle of %d pictures", n)
	}
	s.ReadExpGolomb()
	s.Read(1)
	s.skip(2) // width and height
	if !s.ReadFlag() {
		s.Read(1)
	}
	s.Read(1)
	if s.ReadFlag() {
		s.skip(4) // cropping
	}
	if s.ReadFlag() {
		if n := s.usability(); n > mostBuffers {
			return malformed("SPS: %d buffers", n)
		}
	}
	if err := s.AccError(); err != nil {
		return malformed("SPS: %v", err)
	}
	return nil
}

func (s set) skip(golombs int) {
	for range golombs {
		s.ReadExpGolomb()
	}
}

// chroma goes through what high profiles have more.
func (s set) chroma() {
	format := s.ReadExpGolomb()
	lists := 8
	if format == 3 {
		lists = 12
		s.Read(1)
	}
	s.skip(2) // depths
	s.Read(1)
	if !s.ReadFlag() {
		return
	}
	for i := range lists {
		if !s.ReadFlag() {
			continue
		}
		size := 16
		if i >= 6 {
			size = 64
		}
		s.scaling(size)
	}
}

func (s set) scaling(size int) {
	last, next := 8, 8
	for range size {
		if next != 0 {
			next = (last + s.ReadSignedGolomb() + 256) % 256
		}
		if next != 0 {
			last = next
		}
	}
}

// order goes through the picture order count and gives the length of its
// cycle, which it does not go through when it is too long.
func (s set) order() uint {
	switch s.ReadExpGolomb() {
	case 0:
		s.ReadExpGolomb()
	case 1:
		s.Read(1)
		s.skip(2) // signed ones take the same bits
		cycle := s.ReadExpGolomb()
		if cycle <= mostCycle {
			s.skip(int(cycle))
		}
		return cycle
	}
	return 0
}

// usability goes through the VUI and gives the largest count of buffers.
func (s set) usability() uint {
	if s.ReadFlag() && s.Read(8) == 255 {
		s.Read(32)
	}
	if s.ReadFlag() {
		s.Read(1)
	}
	if s.ReadFlag() {
		s.Read(4)
		if s.ReadFlag() {
			s.Read(24)
		}
	}
	if s.ReadFlag() {
		s.skip(2)
	}
	if s.ReadFlag() {
		s.Read(32)
		s.Read(32)
		s.Read(1)
	}
	most := uint(0)
	for range 2 { // of units, and of the byte stream
		if !s.ReadFlag() {
			continue
		}
		n := s.ReadExpGolomb() + 1
		if most = max(most, n); n > mostBuffers {
			return most
		}
		s.Read(8)
		for range n {
			s.skip(2)
			s.Read(1)
		}
		s.Read(20)
	}
	return most
}
