package mpegts

import (
	"bytes"
	"encoding/binary"
)

const (
	packetSize = 188
	syncByte   = 0x47
	headerSize = 4
	bodySize   = packetSize - headerSize
	counters   = 16 // continuity counters have 4 bits
)

// packets is the packets of a segment as they are written.
type packets struct {
	out   bytes.Buffer
	count map[int]int // by PID
}

// clock is what the first packet of a PES packet says in its adaptation field.
type clock struct {
	base   int64 // of the PCR, ticks of 90 kHz
	random bool  // random_access_indicator
}

// clockSize is how many bytes an adaptation field with a PCR has.
const clockSize = 8

// header writes a packet's header. start says that a PES packet or a section
// begins in it.
func (p *packets) header(pid int, start, adaptation bool) {
	b := [headerSize]byte{syncByte, byte(pid >> 8), byte(pid), 0x10 | byte(p.count[pid]%counters)}
	if start {
		b[1] |= 0x40
	}
	if adaptation {
		b[3] |= 0x20
	}
	p.count[pid]++
	p.out.Write(b[:])
}

// table writes a section, which fits a packet.
func (p *packets) table(pid int, section []byte) {
	p.header(pid, true, false)
	p.out.WriteByte(0) // pointer_field
	p.out.Write(section)
	p.fill(bodySize - 1 - len(section))
}

func (p *packets) tables() {
	p.table(patPID, patTable)
	p.table(pmtPID, pmtTable)
}

// pes writes a PES packet over so many packets, which are enough for it and
// not more than it has bytes.
func (p *packets) pes(pid int, body []byte, at clock, over int) {
	for n := range over {
		room := bodySize
		if n == 0 {
			room -= clockSize
		}
		// The packets to come have at least one byte each.
		take := min(room, len(body)-(over-n-1))
		empty := room - take
		p.header(pid, n == 0, n == 0 || empty > 0)
		switch {
		case n == 0:
			p.clock(at, empty)
		case empty > 0:
			p.out.WriteByte(byte(empty - 1)) // adaptation_field_length
			if empty > 1 {
				p.out.WriteByte(0) // no flags
				p.fill(empty - 2)
			}
		}
		p.out.Write(body[:take])
		body = body[take:]
	}
}

// clock writes an adaptation field with a PCR and so many bytes of stuffing.
func (p *packets) clock(at clock, empty int) {
	flags := byte(0x10)
	if at.random {
		flags |= 0x40
	}
	p.out.Write([]byte{byte(clockSize - 1 + empty), flags})
	// 33 bits of the base, 6 reserved ones, 9 of the extension.
	p.out.Write(binary.BigEndian.AppendUint64(nil, uint64(at.base)<<31|0x3f<<25)[:6])
	p.fill(empty)
}

func (p *packets) fill(n int) {
	for range n {
		p.out.WriteByte(0xff)
	}
}

// needed is how many packets a PES packet of that many bytes fills.
func needed(size int) int {
	return 1 + (max(size-(bodySize-clockSize), 0)+bodySize-1)/bodySize
}

// short is how many packets are lacking to a multiple of 16.
func short(packets int) int { return (counters - packets%counters) % counters }
