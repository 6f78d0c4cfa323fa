package mpegts

import (
	"fmt"

	"github.com/spool-video/spool/internal/cmaf"
)

// lag is how much earlier, in ticks, the clock says that a picture arrives than
// it is decoded.
const lag = Clock / 2

// picture is one coded picture as a PES packet.
type picture struct {
	pes  []byte
	dts  int64
	key  bool
	over int // packets
}

// Pictures wraps GOPs that follow one another as a segment. config is the avcC
// payload of all pictures; times of the fragments are ticks of timescale a
// second, on the timeline. Its errors wrap ErrUnfit.
func Pictures(config []byte, timescale int, gops []cmaf.Fragment) ([]byte, error) {
	sets, err := parse(config)
	if err != nil {
		return nil, err
	}
	var all []picture
	largest := 0
	for _, gop := range gops {
		decode := int64(gop.Decode)
		for i, s := range gop.Samples {
			p, err := sets.picture(s, decode, timescale)
			if err != nil {
				return nil, fmt.Errorf("picture %d of the GOP at tick %d: %w", i, gop.Decode, err)
			}
			decode += int64(s.Duration)
			all = append(all, p)
			if len(p.pes) > len(all[largest].pes) {
				largest = len(all) - 1
			}
		}
	}
	if len(all) == 0 || !all[0].key {
		return nil, unfit("a segment does not begin with a key frame")
	}
	if err := spread(all, largest); err != nil {
		return nil, err
	}
	return write(all), nil
}

// spread has the largest picture take the packets that are lacking to a
// multiple of 16.
func spread(all []picture, largest int) error {
	total := 0
	for _, p := range all {
		total += p.over
	}
	p := &all[largest]
	p.over += short(total)
	if len(p.pes)-p.over < pesHeaderSize {
		return unfit("its largest picture has %d bytes, too few for %d packets", len(p.pes), p.over)
	}
	return nil
}

func write(all []picture) []byte {
	out := packets{count: map[int]int{}}
	for _, p := range all {
		if p.key {
			out.tables()
		}
		out.pes(picturePID, p.pes, clock{base: (p.dts - lag + Wrap) % Wrap, random: p.key}, p.over)
	}
	for range short(out.count[patPID]) {
		out.tables()
	}
	return out.out.Bytes()
}

// picture makes the PES packet of a sample. decode is its decode time in
// ticks of timescale.
func (s sets) picture(sample cmaf.Sample, decode int64, timescale int) (picture, error) {
	shown := decode + int64(sample.Offset)
	at, parts := s.decoded(decode, int64(sample.Duration))
	if shown*parts < at {
		return picture{}, unfit("it is shown before it can be decoded: %d ticks of %d early, at most %d pictures wait", decode-shown, sample.Duration, s.reorder)
	}
	data, err := s.annexB(sample)
	if err != nil {
		return picture{}, err
	}
	pts, dts := Time(shown, timescale), Time(at, timescale*int(parts))
	pes := append(pesHeader(pts, dts), data...)
	return picture{pes: pes, dts: dts, key: sample.Sync, over: needed(len(pes))}, nil
}

// decoded is the time at which a picture is decoded, in parts of a tick:
// earlier than in fragmented MP4, where it may be shown before, by as many
// pictures as wait to be shown. The first ones of a video are decoded in quick
// succession, from the time at which the first is shown: hls.js has its
// timeline begin with the first DTS.
func (s sets) decoded(decode, duration int64) (at, parts int64) {
	parts = int64(s.reorder) + 1
	return max((decode-int64(s.reorder)*duration)*parts, decode), parts
}

// Decodes are the DTS of so many pictures of a stream, from the one on that is
// decoded at a tick of the timeline in fragmented MP4; all last equally long.
func Decodes(config []byte, timescale int, first, duration int64, pictures int) ([]int64, error) {
	sets, err := parse(config)
	if err != nil {
		return nil, err
	}
	all := make([]int64, pictures)
	for i := range all {
		at, parts := sets.decoded(first+int64(i)*duration, duration)
		all[i] = Time(at, timescale*int(parts))
	}
	return all, nil
}

// PictureRate is what coded pictures of a rate, in bits per second, have at
// most in segments of two seconds and more: every picture has headers, and half
// a packet that is empty on the average; every segment has tables and stuffing.
func PictureRate(rate int, pictures float64) int {
	const (
		each    = clockSize + pesHeaderSize + bodySize/2
		segment = (2*counters + counters/2) * packetSize
		seconds = 2
	)
	bytes := float64(rate)/8 + pictures*each
	return int(8 * (bytes*packetSize/bodySize + segment/seconds))
}

// pesHeaderSize is that of a PES packet with PTS and DTS.
const pesHeaderSize = 19

// pesHeader begins a PES packet of video, which need not say how long it is;
// ISO/IEC 13818-1 section 2.4.3.7.
func pesHeader(pts, dts int64) []byte {
	const aligned, both = 0x84, 0xc0 // the picture begins right after the header; it has PTS and DTS
	b := []byte{0, 0, 1, 0xe0, 0, 0, aligned, both, pesHeaderSize - 9}
	b = appendTime(b, 3, pts)
	return appendTime(b, 1, dts)
}

// appendTime writes 33 bits in groups of 3, 15 and 15 with marker bits.
func appendTime(b []byte, prefix byte, t int64) []byte {
	return append(b, prefix<<4|byte(t>>30&7)<<1|1, byte(t>>22), byte(t>>15&0x7f)<<1|1, byte(t>>7), byte(t&0x7f)<<1|1)
}
