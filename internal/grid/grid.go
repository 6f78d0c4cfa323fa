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

	longestGOP  = 2 // seconds: players seek to key frames
	pieceLength = time.Minute
	longPiece   = 5 * time.Minute
)

// Lay lays the grid of a timeline, with segments of so many seconds; 0 is
// spool.UsualSegment. A segment is some GOPs of equal length, 2 s or a little
// less: three of them are the usual 6 s. When the last segment would be shorter
// than half of one, the one before gives it a GOP, or a part of its only one.
// Audio segments end at the packet boundary nearest to the pictures' end.
func Lay(t spool.Timeline, segment int) spool.Grid {
	g := spool.Grid{Segment: segment, Target: seconds(segment)}
	if t.Frames > 0 {
		g.GOP = GOP(t.Rate, segment)
		g.Frames = balance(t.Frames, g.GOP, gops(segment))
		g.Target = target(t.Rate, segment)
	}
	if t.Samples > 0 {
		g.PrimingSamples = Priming
		g.Packets = packets(t, g.Frames, g)
	}
	return g
}

// seconds is how long segments are meant to be.
func seconds(segment int) int {
	if segment > 0 {
		return segment
	}
	return spool.UsualSegment
}

// gops is how many GOPs a segment has: as few as are no longer than 2 s.
func gops(segment int) int { return (seconds(segment) + longestGOP - 1) / longestGOP }

// GOP is the number of frames between key frames.
func GOP(rate spool.Ratio, segment int) int {
	return int(max(1, gopLength(segment).RescaleNearest(1, rate.Invert())))
}

// gopLength is how long a GOP is meant to be, in seconds.
func gopLength(segment int) spool.Ratio {
	return spool.Ratio{Num: int64(seconds(segment)), Den: int64(gops(segment))}
}

// target is the target duration: the length of a full segment in whole
// seconds, rounded to the nearest as RFC 8216 compares them. It does not depend
// on how many segments there are, since that is not always known when players
// are told of it.
func target(rate spool.Ratio, segment int) int {
	full := gops(segment) * GOP(rate, segment)
	return max(seconds(segment), int(rate.Invert().RescaleNearest(int64(full), spool.Ratio{Num: 1, Den: 1})))
}

// balance divides n units into segments of so many GOPs. None is longer; the
// last is at least half a segment or a GOP, unless there is less than that in
// all.
func balance(n, gop, gops int) []int {
	full := gops * gop
	var segments []int
	for n >= full {
		segments = append(segments, full)
		n -= full
	}
	switch last := len(segments) - 1; {
	case n == 0:
	case 2*n >= full || last < 0:
		segments = append(segments, n)
	case gops == 1:
		segments[last] = (full + n + 1) / 2
		segments = append(segments, (full+n)/2)
	default:
		segments[last] -= gop
		segments = append(segments, n+gop)
	}
	return segments
}

// packets divides the audio of a grid into segments as long as those of its
// pictures, of which frames are the lengths. Packet i holds the samples from
// i*1024-priming on.
func packets(t spool.Timeline, frames []int, g spool.Grid) []int {
	priming := int64(g.PrimingSamples)
	total := int((t.Samples + priming + PacketSamples - 1) / PacketSamples)
	if len(frames) == 0 {
		gop := int(gopLength(g.Segment).RescaleNearest(1, spool.Ratio{Num: PacketSamples, Den: SampleRate}))
		segments := balance(total-1, gop, gops(g.Segment))
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

// Chunks are the segments that one encoder process makes each: one at first,
// then as many as fit in 12 s, and fewer towards the end. There is to be
// something to see soon, and the last encoders are to end at about the same
// time. While a source arrives, encoders that wait for all of a longer chunk
// have nothing to do; one that is here is divided alike, since the bytes that
// an encoder writes depend on where it begins.
func Chunks(g spool.Grid) []spool.Chunk {
	return divide(g, func(number, segment int) int { return min(chunkSize(number, g.Segment), taper(g, segment)) })
}

// longest is how long chunk number may last, unless it has one segment.
func longest(number int) time.Duration {
	switch {
	case number < 2:
		return 0
	case number < 6:
		return earlyChunk
	}
	return chunkLength
}

// taper is how many segments a chunk may have that begins at a segment: half
// of what is left.
func taper(g spool.Grid, segment int) int { return max(1, (len(g.Frames)-segment)/2) }

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
func Pieces(g spool.Grid) []spool.AudioPiece { return pieces(g, length(g, false)) }

// LongPieces are Pieces of about five minutes behind a short first one, for
// sound whose packets tell their places only roughly: the fewer joints the
// better.
func LongPieces(g spool.Grid) []spool.AudioPiece { return pieces(g, length(g, true)) }

// length is how long each piece is.
func length(g spool.Grid, long bool) func(number int) time.Duration {
	return func(number int) time.Duration {
		if long && number > 0 {
			return longPiece
		}
		return min(2*time.Duration(seconds(g.Segment))*time.Second<<min(number, 8), pieceLength)
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
