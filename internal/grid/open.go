package grid

import (
	"time"

	"github.com/spool-video/spool"
)

// LayOpen lays what is certain of the grid of a timeline whose end is not
// known: of t.Frames frames that there are at least. Its segments are the
// first ones of what Lay lays in the end.
func LayOpen(t spool.Timeline, segment int) spool.Grid {
	g := spool.Grid{Segment: segment, Target: target(t.Rate, segment), GOP: GOP(t.Rate, segment)}
	full := gops(segment) * g.GOP
	// What follows a segment, when it is less than half of one, takes from it.
	for n := t.Frames - (full+1)/2; n >= full; n -= full {
		g.Frames = append(g.Frames, full)
	}
	if t.Samples > 0 {
		g.PrimingSamples = Priming
		// The last segment takes what is left; it is not one of these.
		g.Packets = packets(t, append(g.Frames[:len(g.Frames):len(g.Frames)], 1), g)[:len(g.Frames)]
	}
	return g
}

// Settled is how many output frames must be known before LayOpen lays so many
// segments, each of segment seconds.
func Settled(segments int, rate spool.Ratio, segment int) int {
	full := gops(segment) * GOP(rate, segment)
	return segments*full + (full+1)/2
}

// OpenChunks are those of Chunks that stay as they are whatever follows an open
// grid.
func OpenChunks(g spool.Grid) []spool.Chunk {
	chunks := Chunks(g)
	for i, c := range chunks {
		if taper(g, c.FirstSegment) < chunkSize(i, g.Segment) {
			return chunks[:i]
		}
	}
	return chunks
}

// Certain is how many segments of so many seconds an open grid needs until
// OpenChunks has a chunk of that number, which begins at segment first.
func Certain(number, first, segment int) int {
	n := chunkSize(number, segment)
	if n == 1 {
		return first + 1
	}
	return first + 2*n
}

// chunkSize is how many segments of so many seconds a chunk has that is not
// near the end.
func chunkSize(number, segment int) int {
	return max(1, int(longest(number)/time.Second)/seconds(segment))
}

// OpenPieces are the pieces of sound that end within an open grid: LongPieces
// when long is set, else Pieces. Whatever follows is in pieces of its own.
func OpenPieces(g spool.Grid, long bool) []spool.AudioPiece {
	closed, _ := divideSound(g, length(g, long))
	return closed
}

// ClosedPieces are OpenPieces and one more with what is left in the end.
func ClosedPieces(g spool.Grid, long bool) []spool.AudioPiece {
	closed, rest := divideSound(g, length(g, long))
	if rest.Segments > 0 {
		closed = append(closed, rest)
	}
	return closed
}
