package stream

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"slices"

	"github.com/asticode/go-astits"
)

// Of MPEG-TS, ISO/IEC 13818-1.
const (
	sync    = 0x47
	nullPID = 0x1fff
	clock   = 90000 // ticks a second of PTS and DTS
)

// PacketSize is how many bytes a packet of MPEG-TS has.
const PacketSize = 188

// Wrap is after how many ticks PTS and DTS begin anew.
const Wrap = int64(1) << 33

// streams name the elementary streams that HLS knows, as sample entries do.
var streams = map[astits.StreamType]struct {
	kind  Kind
	entry string
}{
	astits.StreamTypeH264Video: {Video, "avc1"}, astits.StreamTypeH265Video: {Video, "hvc1"},
	astits.StreamTypeMPEG2Video: {Video, "mp2v"}, astits.StreamTypeMPEG4Video: {Video, "mp4v"},
	astits.StreamTypeAACAudio: {Audio, "mp4a"}, astits.StreamTypeMPEG1Audio: {Audio, "mp3"}, astits.StreamTypeMPEG2Audio: {Audio, "mp3"},
	astits.StreamTypeAC3Audio: {Audio, "ac-3"}, astits.StreamTypeEAC3Audio: {Audio, "ec-3"},
	0x11: {Audio, "latm"},
	0xdb: {Video, "avc1"}, 0xcf: {Audio, "mp4a"}, 0xc1: {Audio, "ac-3"}, 0xc2: {Audio, "ec-3"}, // SAMPLE-AES
}

// registered name what private streams carry, by their registration descriptor.
var registered = map[string]struct {
	kind  Kind
	entry string
}{
	"AV01": {Video, "av01"}, "HEVC": {Video, "hvc1"}, "Opus": {Audio, "Opus"}, "AC-3": {Audio, "ac-3"}, "EAC3": {Audio, "ec-3"},
}

// carried is what a stream carries; "" when that is not known.
func carried(s *astits.PMTElementaryStream) (Kind, string) {
	known := streams[s.StreamType]
	for _, d := range s.ElementaryStreamDescriptors {
		if s.StreamType == astits.StreamTypePrivateData && d.Registration != nil {
			known = registered[string(binary.BigEndian.AppendUint32(nil, d.Registration.FormatIdentifier))]
		}
	}
	return known.kind, known.entry
}

// sampledTypes are the stream types of what SAMPLE-AES encrypts.
var sampledTypes = []astits.StreamType{0xdb, 0xcf, 0xc1, 0xc2}

// transport is the state of readTransport.
type transport struct {
	media   Media
	pat     bool
	pmt     bool
	early   bool            // media came before PAT and PMT
	pmts    map[uint16]bool // PIDs
	tracks  map[uint16]*elementary
	order   []uint16
	packets int
	samples *samples // nil: none are encrypted, or there is no key
}

// readTransport reads a segment of MPEG-TS.
func readTransport(b []byte, s *samples) Media {
	t := transport{samples: s, media: Media{Container: TS, Counters: map[int]Counters{}}, pmts: map[uint16]bool{}, tracks: map[uint16]*elementary{}}
	if over := len(b) % PacketSize; over > 0 {
		t.media.wrong(32, "it is not whole packets of %d bytes: %d bytes are over", PacketSize, over)
		b = b[:len(b)-over]
	}
	t.demux(b)
	if !t.pat || !t.pmt || t.early {
		t.media.wrong(42, "PAT and PMT do not stand before its media")
	}
	for _, pid := range t.order {
		if run, ok := t.tracks[pid].finish(&t.media); ok {
			t.media.Runs = append(t.media.Runs, run)
		}
	}
	return t.media
}

func (t *transport) demux(b []byte) {
	silent := log.New(io.Discard, "", 0)
	d := astits.NewDemuxer(context.Background(), bytes.NewReader(b),
		astits.DemuxerOptPacketSize(PacketSize), astits.DemuxerOptLogger(silent),
		astits.DemuxerOptPacketSkipper(func(p *astits.Packet) bool { t.packet(p); return false }))
	for range len(b)/PacketSize*2 + 16 { // what does not end is ended
		data, err := d.NextData()
		switch {
		case errors.Is(err, astits.ErrNoMorePackets):
			return
		case err != nil && t.packets*PacketSize >= len(b):
			return
		case err != nil:
			t.media.wrong(32, "a packet or a table cannot be read, after %d packets", t.packets)
			if errors.Is(err, astits.ErrPacketMustStartWithASyncByte) {
				return
			}
		case data != nil:
			t.data(data)
		}
	}
}

// packet looks at the header of every packet, in order.
func (t *transport) packet(p *astits.Packet) {
	t.packets++
	h := p.Header
	if h.TransportErrorIndicator {
		t.media.wrong(32, "packet %d is marked as damaged", t.packets)
	}
	if h.PID == nullPID {
		return
	}
	fresh := p.AdaptationField != nil && p.AdaptationField.DiscontinuityIndicator
	c, known := t.media.Counters[int(h.PID)]
	if !known {
		if h.HasPayload {
			t.media.Counters[int(h.PID)] = Counters{First: h.ContinuityCounter, Last: h.ContinuityCounter, Fresh: fresh}
		}
		return
	}
	due := c.Last
	if h.HasPayload {
		due = (c.Last + 1) & 0xf
	}
	if h.ContinuityCounter != due && !fresh && (!h.HasPayload || h.ContinuityCounter != c.Last) {
		t.media.wrong(32, "PID %d: the continuity counter of packet %d is %d, %d is due", h.PID, t.packets, h.ContinuityCounter, due)
	}
	c.Last = h.ContinuityCounter
	t.media.Counters[int(h.PID)] = c
}

func (t *transport) data(d *astits.DemuxerData) {
	switch {
	case d.PAT != nil:
		t.pat = true
	case d.PMT != nil:
		t.pmt = true
		t.program(d.PMT)
	case d.PES != nil:
		e := t.tracks[d.PID]
		if e == nil {
			t.early = t.early || !t.pmt
			return
		}
		e.add(d.PES)
	}
}

func (t *transport) program(p *astits.PMTData) {
	for _, s := range p.ElementaryStreams {
		if t.tracks[s.ElementaryPID] != nil {
			continue
		}
		kind, entry := carried(s)
		track := Track{ID: int(s.ElementaryPID), Kind: kind, Entry: entry, Timescale: clock}
		switch entry {
		case "":
			track.Kind = Other
		case "ac-3", "ec-3":
			track.Codec = entry
		case "mp3":
			track.Codec = "mp4a.40.34"
		}
		track.Sampled = slices.Contains(sampledTypes, s.StreamType)
		e := &elementary{track: track}
		if track.Sampled {
			e.samples = t.samples
		}
		t.tracks[s.ElementaryPID] = e
		t.order = append(t.order, s.ElementaryPID)
	}
}

// elementary collects the packets of one elementary stream.
type elementary struct {
	track   Track
	times   []int64 // PTS of each PES packet, unwrapped
	decodes []int64
	run     Run
	started bool
	untimed bool
	audio   []byte // what is left over of the last packet
	sampled int64  // audio samples that were counted
	samples *samples
	bare    bool // an encrypted NAL unit has bytes that look like a start code
}

// near unwraps a time so that it is nearest to another.
func near(at, other int64) int64 {
	for at-other > Wrap/2 {
		at -= Wrap
	}
	for other-at > Wrap/2 {
		at += Wrap
	}
	return at
}

func (e *elementary) add(p *astits.PESData) {
	var h *astits.PESOptionalHeader
	if p.Header != nil {
		h = p.Header.OptionalHeader
	}
	if h == nil || h.PTS == nil {
		e.untimed = e.untimed || e.track.Kind == Video && len(e.times) == 0
	} else {
		pts := h.PTS.Base
		dts := pts
		if h.DTS != nil {
			dts = h.DTS.Base
		}
		if len(e.times) > 0 {
			pts, dts = near(pts, e.times[0]), near(dts, e.times[0])
		}
		e.times, e.decodes = append(e.times, pts), append(e.decodes, dts)
	}
	e.run.Bytes += int64(len(p.Data))
	switch {
	case e.track.Kind == Video:
		e.video(p.Data)
	case e.track.Entry == "mp4a":
		e.adts(p.Data)
	case e.track.Entry == "latm" && e.track.Codec == "":
		e.track.latm(p.Data)
	}
	e.started = true
}

func (e *elementary) video(b []byte) {
	var p picture
	nals := split(b)
	if e.samples != nil && e.track.Entry == "avc1" {
		clear, ok := e.samples.picture(nals)
		nals, e.bare = clear, e.bare || !ok
	}
	switch e.track.Entry {
	case "avc1":
		p = lookH264(nals)
		e.track.h264(p.sets)
	case "hvc1":
		p = lookHEVC(nals)
		e.track.hevc("hvc1", p.sets)
	default:
		p.idr = true
	}
	if len(p.sets) > 0 && len(e.track.Config) == 0 {
		e.track.Config = slices.Clone(p.sets[0])
	}
	if !e.started {
		e.run.IDR, e.run.First = p.idr, p.kind
		if !p.slices && !p.idr {
			e.run.First = "no picture"
		}
	}
	if p.idr && len(e.times) > 0 {
		e.run.Keys = append(e.run.Keys, KeyFrame{At: e.times[len(e.times)-1], Offset: -1})
	}
	e.run.Captions = e.run.Captions || p.captions
}

// split cuts a byte stream into NAL units at its start codes, ITU-T H.264
// annex B.
func split(b []byte) [][]byte {
	var nals [][]byte
	code := []byte{0, 0, 1}
	at := bytes.Index(b, code)
	for at >= 0 {
		b = b[at+len(code):]
		at = bytes.Index(b, code)
		end := len(b)
		if at >= 0 {
			end = at
		}
		if nal := bytes.TrimRight(b[:end], "\x00"); len(nal) > 0 {
			nals = append(nals, nal)
		}
	}
	return nals
}

// finish makes a run of what was collected.
func (e *elementary) finish(m *Media) (Run, bool) {
	if !e.started || e.track.Kind == Other {
		return Run{}, false
	}
	r := e.run
	r.Track = e.track
	if e.bare {
		m.wrong(104, "PID %d: an encrypted NAL unit has bytes of a start code: emulation prevention was not applied again", e.track.ID)
	}
	if len(e.times) == 0 || e.untimed {
		m.wrong(32, "PID %d: its media has no time stamps", e.track.ID)
		return r, false
	}
	for i := 1; i < len(e.decodes); i++ {
		if e.decodes[i] <= e.decodes[i-1] {
			m.wrong(32, "PID %d: the decode time of picture or packet %d is not after the one before", e.track.ID, i+1)
			break
		}
	}
	r.Decode = e.decodes[0]
	r.Start, r.End = slices.Min(e.times), slices.Max(e.times)
	if e.track.Kind == Video {
		e.pictures(m, &r)
		return r, true
	}
	if e.track.Entry == "mp4a" && e.sampled == 0 && (e.samples != nil || !e.track.Sampled) {
		m.wrong(33, "PID %d: it is marked as AAC in ADTS, and holds no frame of it", e.track.ID)
	}
	r.IDR = true
	r.Samples = len(e.times)
	r.Frame = typical(e.decodes)
	if e.sampled > 0 && e.track.Sound.Rate > 0 {
		r.Samples = int(e.sampled / aacSamples)
		r.Frame = aacSamples * clock / int64(e.track.Sound.Rate)
		r.Duration = e.sampled * clock / int64(e.track.Sound.Rate)
	} else {
		r.Packets = true
		r.Duration = r.End - r.Start + r.Frame
	}
	r.End = r.Start + r.Duration
	return r, true
}

func (e *elementary) pictures(m *Media, r *Run) {
	r.Samples = len(e.times)
	r.Frame = typical(e.decodes)
	r.End += r.Frame
	r.Duration = int64(len(e.decodes)) * r.Frame
	for i := 1; i < len(e.decodes) && r.Frame > 0; i++ {
		if gap := e.decodes[i] - e.decodes[i-1]; gap > 2*r.Frame && gap > clock/4 {
			m.wrong(32, "PID %d: there is a gap of %s before picture %d", e.track.ID, ticks(gap, e.track), i+1)
		}
	}
	r.Steady = steady(e.decodes, r.Frame)
	if len(e.decodes) > 1 {
		r.Duration = e.decodes[len(e.decodes)-1] - e.decodes[0] + r.Frame
	}
	// A video may begin with pictures that are decoded in quick succession, so
	// that the first need not wait to be shown. They are counted as if they had
	// been decoded one by one.
	for i := 1; i < len(e.decodes) && 4*(e.decodes[i]-e.decodes[i-1]) < 3*r.Frame; i++ {
		early := r.Frame - (e.decodes[i] - e.decodes[i-1])
		r.Decode -= early
		r.Duration += early
	}
}

// steady: the distances of consecutive times are one, but for the first ones,
// which may be shorter.
func steady(times []int64, step int64) bool {
	short := true
	for i := 1; i < len(times); i++ {
		off := times[i] - times[i-1] - step
		if short = short && off < -1; !short && max(off, -off) > 1 {
			return false
		}
	}
	return true
}

// typical is the median distance of consecutive times.
func typical(times []int64) int64 {
	var steps []int64
	for i := 1; i < len(times); i++ {
		steps = append(steps, times[i]-times[i-1])
	}
	if len(steps) == 0 {
		return 0
	}
	slices.Sort(steps)
	return steps[len(steps)/2]
}
