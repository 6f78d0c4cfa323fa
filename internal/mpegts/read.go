package mpegts

import (
	"bytes"
	"encoding/binary"

	"github.com/spool-video/spool/internal/cmaf"
)

// Picture is one coded picture of a segment.
type Picture struct {
	PTS, DTS int64 // ticks of Clock, 33 bits
	Key      bool
	// Data is the picture as a sample of fragmented MP4 has it: NAL units with
	// their lengths, without delimiter and without the sets of its avcC.
	Data []byte
}

// reader is a segment of pictures as it is read.
type reader struct {
	sets     sets
	count    map[int]int // packets by PID
	last     int         // PID of the packet before
	tabled   bool        // PAT and PMT stand right before
	pes      []byte      // so far; nil before the first
	pcr      int64       // of the PES packet that is read
	pictures []Picture
}

// ReadPictures reads a clear segment of pictures and holds it against all that
// Pictures promises but the times, which are given as they are, in the order of
// decoding. Its errors wrap ErrUnfit.
func ReadPictures(config, segment []byte) ([]Picture, error) {
	sets, err := parse(config)
	if err != nil {
		return nil, err
	}
	if len(segment) == 0 || len(segment)%packetSize != 0 {
		return nil, unfit("%d bytes are no whole packets", len(segment))
	}
	r := reader{sets: sets, count: map[int]int{}, last: -1}
	for n := 0; n < len(segment); n += packetSize {
		if err := r.packet(segment[n : n+packetSize]); err != nil {
			return nil, unfit("packet %d: %v", n/packetSize, err)
		}
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	for pid, n := range r.count {
		if short(n) != 0 {
			return nil, unfit("PID %d has %d packets, no multiple of %d", pid, n, counters)
		}
	}
	if len(r.pictures) == 0 {
		return nil, unfit("it holds no pictures")
	}
	return r.pictures, nil
}

// First gives the first picture of a segment of which the start is at hand, as
// Picture.Data. ErrUnfit is also wrapped when more is needed: the packet that
// follows the picture.
func First(config, start []byte) ([]byte, error) {
	sets, err := parse(config)
	if err != nil {
		return nil, err
	}
	r := reader{sets: sets, count: map[int]int{}, last: -1}
	for n := 0; n+packetSize <= len(start) && len(r.pictures) < 2; n += packetSize {
		if err := r.packet(start[n : n+packetSize]); err != nil {
			return nil, unfit("packet %d: %v", n/packetSize, err)
		}
	}
	if len(r.pictures) == 0 || r.pictures[0].Data == nil {
		return nil, unfit("the first picture is not whole")
	}
	return r.pictures[0].Data, nil
}

func (r *reader) packet(b []byte) error {
	pid := int(b[1]&0x1f)<<8 | int(b[2])
	switch {
	case b[0] != syncByte || b[1]&0xa0 != 0 || b[3]&0xd0 != 0x10:
		return unfit("its header is % x", b[:headerSize])
	case int(b[3]&0xf) != r.count[pid]%counters:
		return unfit("continuity counter %d of PID %d, %d is due", b[3]&0xf, pid, r.count[pid]%counters)
	case r.last < 0 && pid != patPID:
		return unfit("a segment begins with PID %d", pid)
	}
	r.count[pid]++
	before := r.last
	r.last = pid
	switch pid {
	case patPID:
		return isTable(b, patTable)
	case pmtPID:
		if before != patPID {
			return unfit("a PMT without a PAT before it")
		}
		r.tabled = true
		return isTable(b, pmtTable)
	case picturePID:
		err := r.media(b)
		r.tabled = false
		return err
	}
	return unfit("PID %d, which no table names", pid)
}

// isTable compares a packet with a section.
func isTable(b, section []byte) error {
	want := packets{count: map[int]int{}}
	want.table(int(b[1]&0x1f)<<8|int(b[2]), section)
	if got := want.out.Bytes(); b[1] != got[1] || !bytes.Equal(b[headerSize:], got[headerSize:]) {
		return unfit("another table than that of one program with one stream of H.264")
	}
	return nil
}

// media reads a packet of the pictures.
func (r *reader) media(b []byte) error {
	start, body := b[1]&0x40 != 0, b[headerSize:]
	var field []byte // the adaptation field, after its length
	if b[3]&0x20 != 0 {
		length := int(body[0])
		if 1+length >= len(body) {
			return unfit("an adaptation field of %d bytes", length)
		}
		field, body = body[1:1+length], body[1+length:]
	}
	if !start {
		if r.pes == nil || len(field) > 0 && field[0] != 0 {
			return unfit("it is not the start of a picture, and not the rest of one")
		}
		r.pes = append(r.pes, body...)
		return nil
	}
	if err := r.end(); err != nil {
		return err
	}
	if len(field) < clockSize-1 || field[0]&0xbf != 0x10 {
		return unfit("a picture begins without a PCR, or with more than that")
	}
	if random := field[0]&0x40 != 0; random != r.tabled {
		return unfit("random_access_indicator is %v, PAT and PMT before it: %v", random, r.tabled)
	}
	base := binary.BigEndian.Uint64(append([]byte{0, 0}, field[1:7]...))
	r.pcr = int64(base >> 15)
	r.pes = append(make([]byte, 0, packetSize), body...)
	if r.tabled {
		r.pictures = append(r.pictures, Picture{Key: true})
	} else {
		r.pictures = append(r.pictures, Picture{})
	}
	return nil
}

// end reads the PES packet that is complete now.
func (r *reader) end() error {
	if r.pes == nil {
		return nil
	}
	p := &r.pictures[len(r.pictures)-1]
	header, ok := pesTimes(r.pes)
	if !ok {
		return unfit("the header of a PES packet is % x", r.pes[:min(len(r.pes), pesHeaderSize)])
	}
	p.PTS, p.DTS = header[0], header[1]
	if early := (p.DTS - r.pcr + Wrap) % Wrap; early > Wrap/2 {
		return unfit("a picture is decoded at %d, before its clock says %d", p.DTS, r.pcr)
	}
	return r.sets.sample(r.pes[pesHeaderSize:], p)
}

// pesTimes are PTS and DTS of a PES packet with the header that pesHeader
// writes.
func pesTimes(pes []byte) (times [2]int64, ok bool) {
	if len(pes) < pesHeaderSize {
		return times, false
	}
	for i := range times {
		b := pes[9+5*i:]
		times[i] = int64(b[0]>>1&7)<<30 | int64(b[1])<<22 | int64(b[2]>>1)<<15 | int64(b[3])<<7 | int64(b[4]>>1)
	}
	return times, bytes.Equal(pesHeader(times[0], times[1]), pes[:pesHeaderSize])
}

// sample makes a sample of a byte stream.
func (s sets) sample(stream []byte, p *Picture) error {
	code := []byte{0, 0, 0, 1}
	if !bytes.HasPrefix(stream, code) {
		return unfit("a picture does not begin with a start code")
	}
	units := bytes.Split(stream[len(code):], code)
	head := [][]byte{delimiter}
	if p.Key {
		head = append(head, s.all...)
	}
	if len(units) <= len(head) {
		return unfit("a picture of %d NAL units", len(units))
	}
	for i, want := range head {
		if !bytes.Equal(units[i], want) {
			return unfit("NAL unit %d of a picture is not its delimiter or parameter set", i)
		}
	}
	for _, u := range units[len(head):] {
		if len(u) == 0 || bytes.Contains(u, code[1:]) {
			return unfit("a start code of 3 bytes, or two in a row")
		}
		var wide [4]byte
		binary.BigEndian.PutUint32(wide[:], uint32(len(u)))
		p.Data = append(append(p.Data, wide[4-s.length:]...), u...)
	}
	// What the sample is, is proved as before it was wrapped.
	again, err := s.annexB(cmaf.Sample{Sync: p.Key, Data: p.Data})
	if err != nil {
		return err
	}
	if !bytes.Equal(again, stream) {
		return unfit("a picture does not come out as it went in")
	}
	return nil
}

// ReadSound reads clear packed audio and holds it against all that Sound
// promises: the PTS of its first packet, ticks of Clock, and the packets. Its
// errors wrap ErrUnfit.
func ReadSound(config, segment []byte) (first int64, packets [][]byte, err error) {
	header, _, err := adtsHeader(config)
	if err != nil {
		return 0, nil, err
	}
	if len(segment) < tagSize {
		return 0, nil, unfit("%d bytes of packed audio", len(segment))
	}
	first = int64(binary.BigEndian.Uint64(segment[tagSize-8:]))
	if first < 0 || first >= Wrap || !bytes.Equal(appendTag(nil, first), segment[:tagSize]) {
		return 0, nil, unfit("it does not begin with an ID3 tag that says when it is heard")
	}
	for rest := segment[tagSize:]; len(rest) > 0; {
		if len(rest) < adtsHeaderSize {
			return 0, nil, unfit("packet %d is cut", len(packets))
		}
		size := int(rest[3]&3)<<11 | int(rest[4])<<3 | int(rest[5])>>5
		want := header
		want[3], want[4], want[5] = want[3]|byte(size>>11), byte(size>>3), want[5]|byte(size<<5)
		if !bytes.Equal(want[:], rest[:adtsHeaderSize]) || size <= adtsHeaderSize || size > len(rest) {
			return 0, nil, unfit("the header of packet %d is % x", len(packets), rest[:adtsHeaderSize])
		}
		packets = append(packets, rest[adtsHeaderSize:size])
		rest = rest[size:]
	}
	if len(packets) == 0 {
		return 0, nil, unfit("it holds no packets")
	}
	return first, packets, nil
}
