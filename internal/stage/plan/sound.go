package plan

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/grid"
)

// What sound becomes: every track is heard in stereo, and one that has
// surround sound in that, too. Rates are those that Apple's authoring
// specification has for AAC, in bits per second.
const (
	stereo       = 2
	stereoRate   = 128_000
	surround     = 6
	surroundRate = 320_000
)

// track is the sound of a source on the timeline. Its positions are in
// seconds from the timeline's 0, exact.
type track struct {
	stream *spool.AudioStream
	index  *ffmpeg.SoundIndex
	zero   *big.Rat // the timeline's 0 on the clock of index.PTS
	whole  bool     // reading from anywhere but the start is not safe
}

// newTracks gives the tracks that are published, the main one first, the
// others in the order of the file: sound that ends before the first picture is
// not heard.
func newTracks(facts spool.Facts, x *ffmpeg.FrameIndex) []*track {
	zero := ticks(x.Zero, x.TimeBase)
	if facts.Video == nil {
		zero = earliest(x)
	}
	main := ffmpeg.MainAudio(facts)
	var tracks []*track
	for i := range facts.Audio {
		stream := &facts.Audio[i]
		index := x.Sounds[stream.Index]
		if index == nil || stream.SampleRate <= 0 {
			continue
		}
		t := &track{stream: stream, index: index, zero: new(big.Rat).Sub(zero, ticks(index.Shift, index.TimeBase))}
		t.whole = x.Decoded || index.Untimed || facts.Format == "avi"
		switch {
		case t.at(index.End).Sign() <= 0:
		case stream == main:
			tracks = append([]*track{t}, tracks...)
		default:
			tracks = append(tracks, t)
		}
	}
	return tracks
}

// earliest is when the first sound of a source begins on the file's own clock,
// in seconds.
func earliest(x *ffmpeg.FrameIndex) *big.Rat {
	var first *big.Rat
	for _, s := range x.Sounds {
		if at := ticks(s.Start()+s.Shift, s.TimeBase); first == nil || at.Cmp(first) < 0 {
			first = at
		}
	}
	if first == nil {
		first = new(big.Rat)
	}
	return first
}

// ticks is a time in seconds.
func ticks(n int64, base spool.Ratio) *big.Rat {
	if !base.Known() {
		return new(big.Rat)
	}
	return new(big.Rat).Mul(new(big.Rat).SetInt64(n), big.NewRat(base.Num, base.Den))
}

// at is where a presentation time lies on the timeline.
func (t *track) at(pts int64) *big.Rat {
	return new(big.Rat).Sub(ticks(pts, t.index.TimeBase), t.zero)
}

// nearest counts units of 1/rate seconds, rounded; a half goes up.
func nearest(at *big.Rat, rate spool.Ratio) int64 {
	n := new(big.Rat).Mul(at, big.NewRat(2*rate.Num, rate.Den))
	n.Add(n, big.NewRat(1, 1))
	q := new(big.Int).Mul(n.Denom(), big.NewInt(2))
	return new(big.Int).Div(n.Num(), q).Int64()
}

func (t *track) length() float64 {
	f, _ := t.at(t.index.End).Float64()
	return f
}

// frames is how many output frames the sound lasts.
func (t *track) frames(rate spool.Ratio) int {
	return int(nearest(t.at(t.index.End), rate))
}

// laySounds puts tracks into a plan whose pictures are laid. With pictures the
// sounds are as long as they are, else as the longest of them.
func laySounds(p *spool.Plan, tracks []*track) {
	p.Sounds = nil
	if len(tracks) == 0 {
		return
	}
	end := new(big.Rat)
	for _, t := range tracks {
		p.Sounds = append(p.Sounds, t.sounds(len(p.Sounds))...)
		if at := t.at(t.index.End); at.Cmp(end) > 0 {
			end = at
		}
	}
	if p.Timeline.Frames > 0 {
		end = ticks(int64(p.Timeline.Frames), p.Timeline.Rate.Invert())
	}
	p.Timeline.Samples = nearest(end, spool.Ratio{Num: grid.SampleRate, Den: 1})
}

// sounds are what is made of a track: the first has the number n among those
// of the plan.
func (t *track) sounds(n int) []spool.Sound {
	origin, _ := t.zero.Float64()
	s := spool.Sound{
		Stream: t.stream.Index, Language: t.stream.Language, Title: t.stream.Title, Role: t.stream.Role,
		SampleRate: grid.SampleRate, Channels: stereo, BitRate: stereoRate, OriginSeconds: origin,
	}
	name := cmp.Or(t.stream.Language, "und")
	s.Name = fmt.Sprintf("a%d-%s", n, name)
	if t.stream.Channels < surround {
		return []spool.Sound{s}
	}
	wide := s
	wide.Name, wide.Channels, wide.BitRate = fmt.Sprintf("a%d-%s-%dch", n+1, name, surround), surround, surroundRate
	return []spool.Sound{s, wide}
}

// trackOf is the one that a sound is made of.
func trackOf(tracks []*track, s spool.Sound) *track {
	i := slices.IndexFunc(tracks, func(t *track) bool { return t.stream.Index == s.Stream })
	return tracks[i]
}

const (
	// preroll is what is encoded before a piece and dropped, with some to
	// spare, in seconds.
	preroll = 0.5
	// settle is how long a decoder may need after a seek to be right.
	settle = 0.5
)

// addPieces adds the pieces of one sound to a plan.
func addPieces(p *spool.Plan, n int, pieces []spool.AudioPiece) {
	for _, piece := range pieces {
		piece.Sound, piece.Number = n, len(p.Pieces)
		p.Pieces = append(p.Pieces, piece)
	}
}

// pieces says for each piece of sound n where reading begins, and which packet
// of the source ties it to the timeline.
func (t *track) pieces(p *spool.Plan, n int) []spool.AudioPiece {
	laid := p.SoundGrid(n)
	if p.Sounds[n].Copied {
		return grid.Pieces(laid)
	}
	if t.whole {
		return []spool.AudioPiece{{Segments: len(laid.Packets), Packets: total(laid.Packets)}}
	}
	pieces := grid.LongPieces(laid)
	if t.index.PacketSamples > 0 {
		pieces = grid.Pieces(laid)
	}
	for i := range pieces {
		if len(pieces) > 1 {
			t.place(&pieces[i])
		}
	}
	return pieces
}

// place says where the reading of a piece begins that is not the only one.
func (t *track) place(piece *spool.AudioPiece) {
	if piece.FirstSegment == 0 {
		piece.Anchor = t.first()
		return
	}
	start := begins(*piece)
	piece.Anchor = t.anchor(start)
	if piece.Anchor != nil {
		at, _ := t.at(piece.Anchor.PTS).Float64()
		start = min(start, at)
	}
	shift, _ := ticks(t.index.Shift, t.index.TimeBase).Float64()
	origin, _ := t.zero.Float64()
	if from := origin + shift + start - settle; t.late(start - settle) {
		piece.Seek = &from
	}
}

// begins is when the sound begins that is decoded for a piece, in seconds on
// the timeline.
func begins(piece spool.AudioPiece) float64 {
	return float64(piece.FirstPacket-1)*grid.PacketSamples/grid.SampleRate - preroll - settle
}

// late reports whether a place on the timeline lies behind the start of the
// sound: before it there is nothing to seek to.
func (t *track) late(at float64) bool {
	start, _ := t.at(t.index.PTS[0]).Float64()
	return at > start+1
}

// first ties the first piece to a packet that is wholly heard and lies before
// the timeline's 0, if there is one: a piece loses what lies before its
// anchor. Nil lets the first frame's own time count.
func (t *track) first() *spool.Anchor {
	n := t.index.Hidden + 1
	if t.index.PacketSamples == 0 || n >= len(t.index.PTS) || t.sample(n) > 0 {
		return nil
	}
	return t.tie(n)
}

// anchor ties a piece to the last packet before a place on the timeline whose
// first sample falls on a whole sample of the output. Nil when positions in
// the track cannot be counted.
func (t *track) anchor(before float64) *spool.Anchor {
	size, rate := int64(t.index.PacketSamples), int64(t.stream.SampleRate)
	if size == 0 {
		return nil
	}
	step := rate / spool.GCD(rate, grid.SampleRate)
	last := int(math.Floor((before*float64(rate) - float64(t.sample(0))) / float64(size)))
	last = min(last, len(t.index.PTS)-1)
	for n := last; n > t.index.Hidden && int64(last-n) < step; n-- {
		if t.sample(n)%step == 0 {
			return t.tie(n)
		}
	}
	if last > t.index.Hidden {
		return t.tie(last)
	}
	return nil
}

func (t *track) tie(n int) *spool.Anchor {
	return &spool.Anchor{PTS: t.index.PTS[n], Sample: t.sample(n)}
}

// sample is where packet n starts, in samples at the source's rate, counted
// from the first packet: times of packets may be rounded to milliseconds.
func (t *track) sample(n int) int64 {
	rate := spool.Ratio{Num: int64(t.stream.SampleRate), Den: 1}
	return nearest(t.at(t.index.PTS[0]), rate) + int64(n)*int64(t.index.PacketSamples)
}

func total(n []int) int {
	sum := 0
	for _, v := range n {
		sum += v
	}
	return sum
}
