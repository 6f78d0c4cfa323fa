package mpegts

import "github.com/spool-video/spool"

// IFrames finds the key frames of a clear segment of pictures that this package
// wrote: from the tables before each to its last packet, which is a stream by
// itself. Its errors wrap ErrUnfit.
func IFrames(segment []byte) ([]spool.IFrame, error) {
	var found []spool.IFrame
	pictures, tables, open := 0, int64(0), false
	for at := 0; at < len(segment); at += packetSize {
		if len(segment)-at < packetSize || segment[at] != syncByte {
			return nil, unfit("%d bytes are no packets", len(segment)-at)
		}
		b := segment[at : at+packetSize]
		switch pid := int(b[1]&0x1f)<<8 | int(b[2]); {
		case pid == patPID:
			tables, open = int64(at), false
			continue
		case pid != picturePID:
			continue
		}
		if b[1]&0x40 != 0 {
			if open = random(b); open {
				found = append(found, spool.IFrame{Frame: pictures, Offset: tables})
			}
			pictures++
		}
		if open {
			last := &found[len(found)-1]
			last.Size = int64(at+packetSize) - last.Offset
		}
	}
	return found, nil
}

// random reports whether a packet says that decoding can begin with it.
func random(packet []byte) bool {
	const adaptation, randomAccess = 0x20, 0x40
	return packet[3]&adaptation != 0 && packet[headerSize] > 0 && packet[headerSize+1]&randomAccess != 0
}

// Still is a key frame of a segment as a segment of its own.
func Still(segment []byte, i spool.IFrame) ([]byte, error) {
	if i.Offset < 0 || i.Size <= 0 || i.Offset+i.Size > int64(len(segment)) {
		return nil, unfit("an I-frame does not lie in its segment")
	}
	return segment[i.Offset : i.Offset+i.Size : i.Offset+i.Size], nil
}
