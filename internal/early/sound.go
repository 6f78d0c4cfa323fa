package early

import "time"

// Piece is some of the sound of which nothing is there yet. It is made when all
// of it has come, and then fast: its segments are there at about the same time.
type Piece struct {
	First, Segments int
	In              time.Duration // by the clock: how long it will be; below 0 is unknown
}

// longestPiece is how long pieces are that the plan does not have yet, unless
// the last one that it has is longer.
const longestPiece = time.Minute

// hearing measures how the main sound comes. A piece has come when its first
// segment is there.
type hearing struct {
	segments           int  // of the sound, from the start without a gap
	start, first, last mark // when measuring began, the first piece since had come, and the last
}

// mark is how much there was at a time.
type mark struct {
	media time.Duration
	at    time.Time
}

// rate is how much media came in a time of the clock since another mark.
func (m mark) rate(since mark) float64 {
	return float64(m.media-since.media) / float64(max(m.at.Sub(since.at), time.Millisecond))
}

// listen notes what of the sound is there.
func (g *growth) listen(now time.Time) {
	if g.lists[0].sound == nil {
		return
	}
	h := &g.meter.hearing
	for g.lists[0].has(h.segments, g.plan.Grid) {
		h.segments++
	}
	come := 0
	for _, p := range g.plan.Pieces {
		if p.Sound == 0 && p.FirstSegment < h.segments {
			come = max(come, p.FirstSegment+p.Segments)
		}
	}
	media := g.played(come)
	if media <= h.last.media {
		return
	}
	if h.last = (mark{media, now}); h.first.at.IsZero() {
		h.first = h.last
	}
}

// measureFrom: what comes from now on.
func (h *hearing) measureFrom(now time.Time) {
	h.last.at = now
	h.start, h.first = h.last, mark{}
}

// rate is how fast the sound comes; 0 before it is known. What was there when
// the first piece had come may have waited for it.
func (h *hearing) rate() float64 {
	switch {
	case h.first.at.IsZero():
		return 0
	case h.last.media == h.first.media:
		return h.last.rate(h.start)
	}
	return min(h.last.rate(h.start), h.last.rate(h.first))
}

// pieces are those of the main sound, of so many segments. Those that are not
// planned yet are guessed: twice as long as the one before, as the first ones
// are.
func (g *growth) pieces(segments int) []Piece {
	var all []Piece
	n, size := 0, 1
	for _, p := range g.plan.Pieces {
		if p.Sound == 0 {
			all = append(all, Piece{First: p.FirstSegment, Segments: p.Segments})
			n, size = p.FirstSegment+p.Segments, p.Segments
		}
	}
	if !g.plan.Open || len(all) == 0 {
		return all
	}
	most := max(size, int(longestPiece.Seconds())/g.plan.Grid.Target)
	for ; n < segments; n += size {
		size = min(2*size, most)
		all = append(all, Piece{First: n, Segments: min(size, segments-n)})
	}
	return all
}

// sound is what of it has not come, when the segments play so long.
func (g *growth) sound(segments []time.Duration, now time.Time) []Piece {
	if g.lists[0].sound == nil {
		return nil
	}
	h, rate := &g.meter.hearing, g.meter.hearing.rate()
	ends := make([]time.Duration, len(segments)+1) // of the first n
	for n, d := range segments {
		ends[n+1] = ends[n] + d
	}
	var missing []Piece
	elapsed := now.Sub(h.last.at)
	for _, p := range g.pieces(len(segments)) {
		end := min(p.First+p.Segments, len(segments))
		if p.First >= end || p.First < h.segments {
			continue
		}
		ahead := float64(ends[end] - h.last.media)
		if len(missing) == 0 && rate > 0 && elapsed > 0 {
			rate = min(rate, ahead/float64(elapsed)) // it is late: it comes more slowly
		}
		if p.In = unknown; rate > 0 {
			p.In = max(0, time.Duration(ahead/rate)-elapsed)
		}
		missing = append(missing, p)
	}
	return missing
}
