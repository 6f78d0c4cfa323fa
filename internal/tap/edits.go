package tap

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/big"
	"slices"
)

// edits are the edit list of a track (ISO/IEC 14496-12, 8.6.6) as far as it is
// read here: an empty time, then one piece of the media. Times are ticks of
// the track's time base.
type edits struct {
	listed   bool
	empty    int64 // nothing is shown for so long
	from     int64 // media time of the first sample shown
	duration int64
}

// readEdits reads an edts box.
func readEdits(edts []byte, scale, movieScale uint32) (edits, error) {
	var x edits
	parts, err := one(edts, "elst")
	if err != nil || parts["elst"] == nil {
		return x, err
	}
	elst := parts["elst"]
	width := 12
	if len(elst) > 0 && elst[0] == 1 {
		width = 20
	}
	entries, err := table("elst", elst, width)
	if err != nil {
		return x, err
	}
	for at := 0; at < len(entries); at += width {
		e := entries[at : at+width]
		duration, from := int64(u32(e, 0)), int64(int32(u32(e, 4)))
		if width == 20 {
			duration, from = int64(binary.BigEndian.Uint64(e)), int64(binary.BigEndian.Uint64(e[8:]))
		}
		if u32(e, width-4) != 1<<16 {
			return x, unsupported("played at another speed")
		}
		if duration <= 0 || duration > 1<<52 || from < -1 || from > 1<<52 {
			return x, unsupported("entry %d", at/width)
		}
		duration = rescaleAway(duration, scale, movieScale)
		switch {
		case x.listed:
			return x, unsupported("more than one piece of media")
		case from == -1:
			if x.empty += duration; x.empty > math.MaxInt64/4 {
				return x, unsupported("empty for %d ticks", x.empty)
			}
		default:
			x.listed, x.from, x.duration = true, from, duration
		}
	}
	if len(entries) > 0 && !x.listed {
		return x, unsupported("nothing but empty pieces")
	}
	return x, nil
}

// rescaleAway converts to the track's ticks: to the nearest, a half away from
// zero.
func rescaleAway(n int64, scale, movieScale uint32) int64 {
	p := new(big.Int).Mul(big.NewInt(n), big.NewInt(int64(scale)))
	p.Add(p, big.NewInt(int64(movieScale)/2))
	p.Div(p, big.NewInt(int64(movieScale)))
	if !p.IsInt64() {
		return math.MaxInt64 / 4
	}
	return min(p.Int64(), math.MaxInt64/4)
}

// place moves the samples to where the edit list has them, marks those that
// are not shown, and drops those that are neither shown nor needed. It follows
// the steps of ffmpeg's reader, for an edit list of one piece.
func (s *samples) place(x edits, scale int64) {
	for i := range s.all {
		s.all[i].DTS -= s.shift
	}
	if x.listed && len(s.all) > 0 {
		p := placing{samples: s, edits: x, clock: x.empty - s.shift, lowest: -1}
		p.run(p.start(scale))
		s.length = min(s.length, x.empty+x.duration)
	}
	for i := range s.all {
		s.all[i].PTS = s.all[i].DTS + s.offset(i)
		if s.offsets != nil {
			s.all[i].PTS += s.shift
		}
	}
}

// offset is by how much a sample is shown after it is decoded, of the media.
func (s *samples) offset(i int) int64 {
	if s.offsets == nil {
		return 0
	}
	return int64(s.offsets[i])
}

// placing is the state while samples are moved to where an edit list has them.
type placing struct {
	*samples
	edits
	clock   int64   // decoding time of the next sample
	started bool    // a sample that is shown was met
	ahead   []int64 // durations of the samples before it
	lowest  int64   // presentation time of a sample shown; negative: none so far
	closing bool    // a key frame that follows the piece was met
}

// start finds the sample that reading begins at: the last key frame that is
// decoded, and shown, no later than the piece begins; for sound a second
// earlier, from which decoders get going.
func (p *placing) start(scale int64) int {
	target := p.from
	if p.audio {
		target = max(target-scale, p.all[0].DTS)
	}
	target -= p.shift
	after, _ := slices.BinarySearchFunc(p.all, target+1, func(e Sample, at int64) int {
		return cmp.Compare(e.DTS, at)
	})
	for i := after - 1; i >= 0; i-- {
		if p.all[i].Key && p.all[i].DTS+p.offset(i) <= target {
			return i
		}
	}
	if p.offsets == nil { // no key frame: any sample will do
		return max(after-1, 0)
	}
	return 0
}

// run goes through the samples from one on and drops all others.
func (p *placing) run(first int) {
	end := first
	media := p.all[first].DTS
	for done := false; !done && end < len(p.all); end++ {
		length, next := p.duration, media
		if end+1 < len(p.all) {
			next = p.all[end+1].DTS
			length = next - media
		}
		done = p.put(end, media, length)
		media = next
	}
	p.all = p.all[first:end]
	if p.offsets != nil {
		p.offsets = p.offsets[first:end]
	}
	if p.lowest -= p.empty; p.audio || p.lowest <= 0 {
		return
	}
	for i := range p.all { // pictures begin at 0, or where the empty time ends
		p.all[i].DTS -= p.lowest
	}
}

// put places one sample, which the media has at a time and for a length, and
// reports whether the piece is complete.
func (p *placing) put(i int, media, length int64) bool {
	shown, end := media+p.shift+p.offset(i), p.from+p.duration
	sample := &p.all[i]
	switch {
	case shown >= p.from && shown < end:
		if at := p.clock + p.offset(i) + p.shift; p.lowest < 0 || at < p.lowest {
			p.lowest = at
		}
		p.begin(i)
	case p.audio && shown < p.from && shown+length > p.from:
		p.clock -= p.from - shown // heard from its middle on
		p.begin(i)
	default:
		sample.Hidden = true
		if !p.started {
			p.ahead = append(p.ahead, length)
		}
	}
	sample.DTS = p.clock
	if p.started {
		p.clock += length
	}
	if shown+length < end || !sample.Key && !p.audio {
		return false
	}
	// With B-frames, what follows the next key frame may belong to the piece.
	if p.offsets == nil || p.audio || p.closing {
		return true
	}
	p.closing = true
	return false
}

// begin is called with each sample that is shown: those before the first one
// get times that lead up to its own.
func (p *placing) begin(i int) {
	if p.started {
		return
	}
	p.started = true
	at := p.clock
	for k, length := range slices.Backward(p.ahead) {
		at -= length
		p.all[i-len(p.ahead)+k].DTS = at
	}
}
