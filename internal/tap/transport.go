package tap

import (
	"context"

	"github.com/spool-video/spool"
)

const (
	syncByte = 0x47

	// headPackets is how many packets are looked through for PAT and PMT.
	headPackets = 1 << 15
	maxSection  = 1024 // bytes, ISO/IEC 13818-1 2.4.4
)

// transport reads the packets of a transport stream.
type transport struct {
	r      Reader
	length int64 // of a packet: 188, or 192 with a time code in front
	at     int64 // of the next packet
}

// readTransport finds the first PAT and the PMT of the only program in it.
func readTransport(ctx context.Context, r Reader) (*Stream, error) {
	t := &transport{r: r}
	if err := t.measure(ctx); err != nil {
		return nil, err
	}
	pat, where, err := t.section(ctx, 0, 0)
	if err != nil {
		return nil, err
	}
	pid, err := onlyProgram(pat)
	if err != nil {
		return nil, err
	}
	head := where
	if _, where, err = t.section(ctx, pid, 2); err != nil {
		return nil, err
	}
	for _, s := range where {
		head = head.Add(s)
	}
	return &Stream{Format: mpegts, Head: head, packet: t.length}, nil
}

// measure finds how long packets are.
func (t *transport) measure(ctx context.Context) error {
	const packets = 5
	var b [packets * 192]byte
	if err := ReadFull(ctx, t.r, b[:], 0); err != nil {
		return err
	}
	for _, length := range []int64{188, 192} {
		good := 0
		for n := range int64(packets) {
			if b[n*length+length-188] == syncByte {
				good++
			}
		}
		if good == packets {
			t.length = length
			return nil
		}
	}
	return unsupported("packets of a transport stream of another length")
}

// section reads the first section of a table, and says which packets hold it.
func (t *transport) section(ctx context.Context, pid int, table byte) ([]byte, spool.Spans, error) {
	var where spool.Spans
	var data []byte
	for range headPackets {
		var b [188]byte
		at := t.at
		if err := ReadFull(ctx, t.r, b[:], at+t.length-188); err != nil {
			return nil, nil, err
		}
		t.at += t.length
		if b[0] != syncByte {
			return nil, nil, unsupported("no transport packet at %d", at)
		}
		payload, starts, ok := payloadOf(b[:], pid)
		if !ok {
			continue
		}
		if starts {
			skip := 1 + int(payload[0])
			if skip >= len(payload) {
				continue
			}
			data, where = append([]byte(nil), payload[skip:]...), nil
		} else if len(where) == 0 {
			continue // the end of one whose start is not here
		} else {
			data = append(data, payload...)
		}
		where = where.Add(spool.Span{From: at, To: at + t.length})
		if len(data) < 3 {
			continue
		}
		if data[0] != table {
			data, where = nil, nil
			continue
		}
		length := 3 + (int(data[1])&0x0f)<<8 + int(data[2])
		switch {
		case length > maxSection:
			return nil, nil, unsupported("a section of %d bytes", length)
		case len(data) >= length:
			return data[:length], where, nil
		}
	}
	return nil, nil, unsupported("table %d is not among the first %d packets", table, headPackets)
}

// payloadOf gives what a packet of a PID carries.
func payloadOf(b []byte, pid int) (payload []byte, starts, ok bool) {
	if (int(b[1])&0x1f)<<8|int(b[2]) != pid || b[1]&0x80 != 0 || b[3]&0x10 == 0 {
		return nil, false, false
	}
	from := 4
	if b[3]&0x20 != 0 {
		from += 1 + int(b[4])
	}
	if from >= len(b) {
		return nil, false, false
	}
	return b[from:], b[1]&0x40 != 0, true
}

// onlyProgram gives the PID of the PMT of a PAT's program.
func onlyProgram(pat []byte) (int, error) {
	const before, crc = 8, 4
	found := 0
	for at := before; at+4 <= len(pat)-crc; at += 4 {
		if pat[at] == 0 && pat[at+1] == 0 {
			continue // the network's table
		}
		if found != 0 {
			return 0, unsupported("several programs in a transport stream")
		}
		found = (int(pat[at+2])&0x1f)<<8 | int(pat[at+3])
	}
	if found == 0 {
		return 0, unsupported("no program in a transport stream")
	}
	return found, nil
}
