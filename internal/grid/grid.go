// Package grid says where segments end, and which segments are made together.
// It is arithmetic on a timeline: any machine lays the same grid.
package grid

import (
	"time"

	"github.com/spool-video/spool"
)

const (
	// PacketSamples is how many samples an AAC packet holds.
	PacketSamples = 1024
	// Priming is how many samples ffmpeg's AAC encoder puts before the first.
	Priming = 1024
	// SampleRate is the output's, in Hz.
	SampleRate = 48000

	gopsPerSegment = 3
	target         = 6 // seconds
	pieceLength    = time.Minute
	longPiece      = 5 * time.Minute
	chunkSegments  = 3 // of all chunks after the first three
)

// gopPackets is the unit of an audio-only grid: 94 packets are 2.005 s.
const gopPackets = 94

// Lay lays the grid of a timeline. Segments are 6 s, three GOPs of 2 s each;
// when the last would be shorter than half of one, the one before gives it a
// GOP. Audio segments end at the packet boundary nearest to the pictures' end.
func Lay(t spool.Timeline) spool.Grid {
	g := spool.Grid{Target: target}
	if t.Frames > 0 {
		g.GOP = GOP(t.Rate)
		g.Frames = balance(t.Frames, g.GOP)
		g.Target = max(target, longest(g.Frames, t.Rate))
	}
	if t.Samples > 0 {
		g.PrimingSamples = Priming
		g.Packets = packets(t, g.Frames, Priming)
	}
	return g
}

// GOP is the number of frames between key frames: 2 s, rounded to frames.
func GOP(rate spool.Ratio) int {
	return int(max(1, spool.Ratio{Num: 2, Den: 1}.RescaleNearest(1, rate.Invert())))
}

// balance divides n units into segments of three GOPs. None is longer; the
// last is at least a GOP, unless there is less than that in all.
func balance(n, gop int) []int {
	full := gopsPerSegment * gop
	var segments []int
	for n >= full {
		segments = append(segments, full)
		n -= full
	}
	switch last := len(segments) - 1; {
	case n == 0:
	case 2*n >= full || last < 0:
		segments = append(segments, n)
	default:
		segments[last] -= gop
		segments = append(segments, n+gop)
	}
	return segments
}

// longest is the longest segment in whole seconds, rounded to the nearest as
// RFC 8216 compares it with the target duration.
func longest(frames []int, rate spool.Ratio) int {
	n := 0
	for _, f := range frames {
		n = max(n, f)
	}
	return int(rate.Invert().RescaleNearest(int64(n), spool.Ratio{Num: 1, Den: 1}))
}

// packets divides the audio. Packet i holds the samples from i*1024-priming on.
func packets(t spool.Timeline, frames []int, priming int64) []int {
	total := int((t.Samples + priming + PacketSamples - 1) / PacketSamples)
	if len(frames) == 0 {
		segments := balance(total-1, gopPackets)
		segments[0]++
		return segments
	}
	// In units of 1/(SampleRate*Rate.Num) seconds all of it is whole.
	frame, packet := t.Rate.Den*SampleRate, t.Rate.Num*PacketSamples
	segments := make([]int, len(frames))
	shown, done := 0, 0
	for k, f := range frames {
		shown += f
		end := int((2*(int64(shown)*frame+priming*t.Rate.Num) + packet) / (2 * packet))
		if k == len(frames)-1 {
			end = total
		}
		segments[k] = end - done
		done = end
	}
	return segments
}

// firstChunks are the segments of the first chunks: there is to be something
// to see soon.
var firstChunks = []int{1, 1, 2}

// Chunks are the segments that one encoder process makes each: one, one and
// two, then three (18 s), and fewer towards the end, so that the last encoders
// end at about the same time.
func Chunks(g spool.Grid) []spool.Chunk {
	return divide(g, func(number, segment int) int { return min(chunkSize(number), taper(g, segment)) })
}

// taper is how many segments a chunk may have that begins at a segment: half
// of what is left.
func taper(g spool.Grid, segment int) int { return (len(g.Frames) - segment + 1) / 2 }

// divide makes chunks of the segments of a grid. size is how many segments
// chunk number has, which begins at a segment.
func divide(g spool.Grid, size func(number, segment int) int) []spool.Chunk {
	var chunks []spool.Chunk
	segment, frame := 0, 0
	for segment < len(g.Frames) {
		c := spool.Chunk{Number: len(chunks), FirstSegment: segment, FirstFrame: frame}
		c.Segments = min(size(c.Number, segment), len(g.Frames)-segment)
		for _, n := range g.Frames[segment : segment+c.Segments] {
			c.Frames += n
		}
		segment, frame = segment+c.Segments, frame+c.Frames
		chunks = append(chunks, c)
	}
	return chunks
}

// Whole is one chunk of all segments.
func Whole(g spool.Grid) []spool.Chunk {
	c := spool.Chunk{Segments: len(g.Frames)}
	for _, n := range g.Frames {
		c.Frames += n
	}
	return []spool.Chunk{c}
}

// Pieces are the audio segments that one process makes each: two, four and
// eight, so that there is something to hear soon, then about a minute. What
// would be less than half of one is part of the piece before.
func Pieces(g spool.Grid) []spool.AudioPiece { return pieces(g, length(false)) }

// LongPieces are Pieces of about five minutes behind a short first one, for
// sound whose packets tell their places only roughly: the fewer joints the
// better.
func LongPieces(g spool.Grid) []spool.AudioPiece { return pieces(g, length(true)) }

// length is how long each piece is.
func length(long bool) func(number int) time.Duration {
	return func(number int) time.Duration {
		if long && number > 0 {
			return longPiece
		}
		return min(2*target*time.Second<<min(number, 8), pieceLength)
	}
}

// enough is how many packets close a piece. Segments end at the nearest
// packet: one less is as good.
func enough(length time.Duration) int {
	return int(length.Seconds()*SampleRate/PacketSamples) - 1
}

func pieces(g spool.Grid, length func(number int) time.Duration) []spool.AudioPiece {
	pieces, open := divideSound(g, length)
	switch last := len(pieces) - 1; {
	case open.Segments == 0:
	case last >= 0 && open.Packets < enough(length(open.Number))/2:
		pieces[last].Segments += open.Segments
		pieces[last].Packets += open.Packets
	default:
		pieces = append(pieces, open)
	}
	return pieces
}

// divideSound makes pieces of the segments of a grid, and one of what is left,
// which may be empty.
func divideSound(g spool.Grid, length func(number int) time.Duration) (pieces []spool.AudioPiece, open spool.AudioPiece) {
	for k, n := range g.Packets {
		open.Segments++
		open.Packets += n
		if open.Packets >= enough(length(open.Number)) {
			pieces = append(pieces, open)
			open = spool.AudioPiece{
				Number: len(pieces), FirstSegment: k + 1, FirstPacket: open.FirstPacket + open.Packets,
			}
		}
	}
	return pieces, open
}
