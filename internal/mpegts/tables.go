package mpegts

import "encoding/binary"

// The PIDs and stream types of a segment, ISO/IEC 13818-1 tables 2-3 and 2-34.
const (
	patPID     = 0
	pmtPID     = 0x1000
	picturePID = 0x100

	program    = 1
	streamH264 = 0x1b
)

// patTable and pmtTable are sections without their CRC: the same in every
// segment. There is one program, and one stream, which carries the clock.
var (
	patTable = section([]byte{
		0x00, 0xb0, 0, // program_association_section, its length
		0, 1, // transport_stream_id
		0xc1, 0, 0, // version 0, current; section 0 of 0
		0, program, 0xe0 | pmtPID>>8, pmtPID & 0xff,
	})
	pmtTable = section([]byte{
		0x02, 0xb0, 0, // TS_program_map_section, its length
		0, program,
		0xc1, 0, 0, // version 0, current; section 0 of 0
		0xe0 | picturePID>>8, picturePID & 0xff, // PCR_PID
		0xf0, 0, // no descriptors
		streamH264, 0xe0 | picturePID>>8, picturePID & 0xff, 0xf0, 0,
	})
)

// section fills in a section's length and adds its CRC.
func section(b []byte) []byte {
	b[2] = byte(len(b) - 3 + 4)
	return binary.BigEndian.AppendUint32(b, crc(b))
}

// crc is the CRC-32 of ISO/IEC 13818-1 annex A, whose bits are not reflected
// and whose end is not inverted, unlike that of package hash/crc32.
func crc(b []byte) uint32 {
	const polynomial = 0x04c11db7
	sum := ^uint32(0)
	for _, v := range b {
		sum ^= uint32(v) << 24
		for range 8 {
			if sum&(1<<31) != 0 {
				sum = sum<<1 ^ polynomial
			} else {
				sum <<= 1
			}
		}
	}
	return sum
}
