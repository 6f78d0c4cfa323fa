package grid

import (
	"slices"
	"sort"
	"time"

	"github.com/spool-video/spool"
)

const (
	// longTarget is the longest target duration, in seconds, of a grid that key
	// frames of the source force to have longer segments than are asked for.
	longTarget = 10
	// margin is what a segment may last beyond the target duration, which is
	// compared with lengths that are rounded to whole seconds.
	margin = 490 * time.Millisecond
	// chunkLength is how long a chunk lasts at most, but for those of one
	// segment.
	chunkLength = 12 * time.Second
	// earlyChunk is chunkLength of the first ones, of which viewers may wait for
	// the next segment: two of 4 s, as copied grids often have, since each
	// process costs 0.1 s.
	earlyChunk = 8 * time.Second
	// opening is how many segments at the start end as soon as they may.
	opening = 2
)

// LongestGOP is how far apart key frames of a source may be that is copied.
const LongestGOP = longTarget*time.Second + margin

// LayCopied lays the grid of a timeline whose top rung is copied. Its segments
// end only at keys, the output frames that are key frames of the source,
// ascending from 0. As few of them as possible are shorter than two thirds of
// what is asked for; the first ones are as short as that allows, so that there
// is something to see soon, and the others as long as possible: within what is
// asked for (6.49 s when that is 6 s) when key frames are so close that this
// costs at most one short segment, a rest, else within as few seconds more as
// that takes, up to 10.49 s. Other rungs have their key frames every GOP frames
// counted from the start of each segment.
//
// It reports false when two key frames, or the last one and the end, are
// farther apart than LongestGOP.
func LayCopied(t spool.Timeline, keys []int, segment int) (spool.Grid, bool) {
	g := spool.Grid{Segment: segment, Target: seconds(segment), GOP: GOP(t.Rate, segment)}
	w := newWays(t, keys, segment)
	fewest := w.lay(longTarget)
	if fewest < 0 {
		return spool.Grid{}, false
	}
	for ; g.Target <= longTarget; g.Target++ {
		if short := w.lay(g.Target); short >= 0 && short <= fewest+1 {
			break
		}
	}
	g.Frames = w.segments()
	if t.Samples > 0 {
		g.PrimingSamples = Priming
		g.Packets = packets(t, g.Frames, g)
	}
	g.Target = min(g.Target, longestOf(g, t))
	return g, true
}

// longestOf is a target duration that all segments of a grid keep to, in
// seconds, also when their sound is divided anew. Players begin three of them
// before the end of a list that grows: what is shorter can be watched sooner.
func longestOf(g spool.Grid, t spool.Timeline) int {
	const packet = time.Second * PacketSamples / SampleRate
	longest := t.Rate.Invert().Duration(int64(slices.Max(g.Frames)))
	for _, n := range g.Packets {
		longest = max(longest, time.Duration(n)*packet)
	}
	return max(1, int((longest+2*packet).Round(time.Second)/time.Second))
}

// Primed divides the sound of a grid anew, for packets of a source that are
// copied: the first begins priming samples before 0, and there are at most so
// many. It needs pictures.
func Primed(g spool.Grid, t spool.Timeline, priming, most int) spool.Grid {
	g.PrimingSamples = priming
	g.Packets = packets(t, g.Frames, g)
	if last := len(g.Packets) - 1; last >= 0 {
		for _, n := range g.Packets {
			most -= n
		}
		g.Packets[last] += min(most, 0)
	}
	return g
}

// ways are the segmentations of a timeline, from each key frame to the end.
type ways struct {
	ends    []int // output frames at which a segment may begin or end
	rate    spool.Ratio
	least   int // frames of a segment that is not short
	longest int // frames of any segment
	best    []way
}

// way is the best segmentation from one key frame to the end.
type way struct {
	next  int // place in ends at which the first segment ends
	short int // segments that are too short; -1 when the end cannot be reached
	count int // segments
}

func newWays(t spool.Timeline, keys []int, segment int) *ways {
	w := &ways{rate: t.Rate, ends: make([]int, 0, len(keys)+1)}
	w.ends = append(append(w.ends, keys...), t.Frames)
	w.least = -w.frames(-time.Duration(seconds(segment)) * time.Second * 2 / 3)
	return w
}

var milli = spool.Ratio{Num: 1, Den: 1000}

// frames is how many whole frames lie within a time; of a negative time, the
// frames that cover it.
func (w *ways) frames(d time.Duration) int {
	return int(milli.Rescale(d.Milliseconds(), w.rate.Invert()))
}

// lay finds the best segmentation from every key frame, with segments that
// round to at most target seconds. It gives how many segments from the start
// are too short, or -1 when there is no segmentation.
func (w *ways) lay(target int) (short int) {
	w.longest = w.frames(time.Duration(target)*time.Second + margin)
	last := len(w.ends) - 1
	w.best = make([]way, len(w.ends))
	for from := last - 1; from >= 0; from-- {
		w.best[from] = w.choose(from)
	}
	return w.best[0].short
}

// choose finds the best segmentation from one key frame, when those from later
// ones are known.
func (w *ways) choose(from int) way {
	best := way{short: -1}
	for to := w.reach(from); to > from; to-- {
		rest := w.best[to]
		if rest.short < 0 {
			continue
		}
		this := way{next: to, short: rest.short, count: rest.count + 1}
		if w.ends[to]-w.ends[from] < w.least {
			this.short++
		}
		if best.short < 0 || this.short < best.short || this.short == best.short && this.count < best.count {
			best = this
		}
		if best.short == 0 {
			break // ends that are nearer only make more segments
		}
	}
	return best
}

// reach is the last place at which a segment may end that begins at another.
func (w *ways) reach(from int) int {
	return sort.SearchInts(w.ends, w.ends[from]+w.longest+1) - 1
}

// segments are the lengths of the best segmentation, in frames.
func (w *ways) segments() []int {
	var frames []int
	for at := 0; at < len(w.ends)-1; {
		to := w.best[at].next
		if len(frames) < opening {
			to = w.soon(at)
		}
		frames = append(frames, w.ends[to]-w.ends[at])
		at = to
	}
	return frames
}

// soon is the nearest end for a segment that costs no short segment.
func (w *ways) soon(from int) int {
	best := w.best[from]
	for to := from + 1; to < best.next; to++ {
		rest := w.best[to].short
		if rest >= 0 && rest <= best.short && w.ends[to]-w.ends[from] >= w.least {
			return to
		}
	}
	return best.next
}

// CopiedChunks are Chunks of a copied grid, whose segments are not equally
// long.
func CopiedChunks(g spool.Grid, rate spool.Ratio) []spool.Chunk {
	return divide(g, func(number, segment int) int {
		fits := int(milli.Rescale(longest(number).Milliseconds(), rate.Invert()))
		most := taper(g, segment)
		n, frames := 0, 0
		for _, f := range g.Frames[segment:] {
			if frames += f; n > 0 && (n == most || frames > fits) {
				break
			}
			n++
		}
		return n
	})
}
