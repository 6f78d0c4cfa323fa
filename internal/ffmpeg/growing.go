package ffmpeg

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/process"
)

// Place is where a packet lies, by its presentation time.
type Place struct{ PTS, Pos int64 }

// Growing is the index of a stream, as far as it has been read. Times of
// pictures are ticks of the video stream's time base. It belongs to the
// goroutine that calls Follow.
type Growing struct {
	TimeBase spool.Ratio
	PTS      []int64 // of the frames that are shown, sorted
	Keys     []Place // sorted by time; also those that are not shown
	Pictures []Place // all packets, in the order of the file
	Sounds   []Heard // the tracks, in the order of the facts
	// Settled is the time before which all frames should be known: what is to
	// come is decoded later.
	Settled int64
	// Fixed is the time up to which frames have been used; set by step. When
	// one comes that is not later ErrWhole follows.
	Fixed *int64

	scan  *scan
	first int64
}

// Heard is what is known of one track of sound.
type Heard struct {
	Places []Place // all packets, in the order of the file
	// Counted is how many packets, from the first on, lie where counting by
	// PacketSamples has them.
	Counted       int
	PacketSamples int // 0 until CountSound has found it

	*listener
}

// NewGrowing is the index of a stream of which nothing has been read. first is
// what FirstShown gave.
func NewGrowing(facts spool.Facts, first int64) *Growing {
	g := &Growing{TimeBase: facts.Video.TimeBase, scan: newScan(facts), first: first, Settled: first}
	for _, l := range g.scan.sounds {
		g.Sounds = append(g.Sounds, Heard{listener: l})
	}
	return g
}

// Follow reads the packets of a stream as they arrive, from its start on.
// After each packet of the pictures or of the sound step is called; its error
// ends it. In the end the index is complete. Streams whose packets do not tell
// the times of all frames give ErrWhole; those that Index refuses are refused
// with the same *spool.Error.
func (g *Growing) Follow(ctx context.Context, tools Tools, s Stream, step func() error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	args := []string{"-v", "error", "-show_entries", "packet=stream_index,pts,dts,duration,flags,pos", "-of", "compact=p=0"}
	command := tools.probe(append(args, PipedArgs(s.Format)...))
	var failed error
	command.Stdout = &lines{each: func(line []byte) {
		if failed != nil {
			return
		}
		if failed = g.line(line, step); failed != nil {
			cancel(failed)
		}
	}}
	err := tools.feed(ctx, s, command)
	var exit *process.ExitError
	switch {
	case failed != nil:
		return failed
	case errors.As(err, &exit) && exit.Signal == 0 && len(g.Pictures) > 0:
		return nil // damaged towards its end; what was read counts
	}
	return err
}

// line takes one packet.
func (g *Growing) line(text []byte, step func() error) error {
	p, ok := parsePacket(text)
	if !ok {
		return nil
	}
	g.scan.take(p)
	if p.stream == g.scan.video {
		if err := g.show(p); err != nil {
			return err
		}
		return step()
	}
	for i := range g.Sounds {
		if g.Sounds[i].stream.Index != p.stream {
			continue
		}
		if err := g.Sounds[i].take(p); err != nil {
			return err
		}
		return step()
	}
	return nil
}

func (g *Growing) show(p packet) error {
	switch {
	case g.scan.pictures.untimed:
		return onlyWhole("packets without a time")
	case g.scan.pictures.restarts:
		return clockRestarts()
	case g.Fixed != nil && p.pts <= *g.Fixed && !p.hidden:
		return onlyWhole("pictures that come late")
	case g.scan.jumpy && (p.pts < 0 || p.pts >= 1<<33):
		return onlyWhole("a clock that wraps")
	case g.TimeBase.Duration(p.pts-g.first) > MaxDuration:
		return refuse("too-long", "the source lasts more than 24 hours, which is what is allowed", "cut it into parts")
	}
	if p.pos < 0 && len(g.Pictures) == 0 {
		return onlyWhole("packets without a place")
	}
	place := located(p.pts, p.pos, g.Pictures)
	g.Pictures = append(g.Pictures, place)
	if p.key {
		at, _ := slices.BinarySearchFunc(g.Keys, p.pts+1, comparePlace)
		g.Keys = slices.Insert(g.Keys, at, place)
	}
	if !p.hidden && p.pts >= g.first {
		at, _ := slices.BinarySearch(g.PTS, p.pts+1)
		g.PTS = slices.Insert(g.PTS, at, p.pts)
	}
	if p.sorted {
		g.Settled = max(g.Settled, min(p.dts, p.pts))
	}
	if g.TimeBase.Duration(g.Settled-g.first) > time.Second && (len(g.PTS) == 0 || g.PTS[0] != g.first) {
		return onlyWhole("the decoder counts otherwise than the packets")
	}
	return nil
}

// located gives a packet its place: that of the one before when several lie in
// one, since only the first says where.
func located(pts, pos int64, before []Place) Place {
	if pos < 0 {
		pos = before[len(before)-1].Pos
	}
	return Place{pts, pos}
}

func comparePlace(p Place, pts int64) int {
	switch {
	case p.PTS < pts:
		return -1
	case p.PTS > pts:
		return 1
	}
	return 0
}

// take takes one packet, which the listener has heard.
func (h *Heard) take(p packet) error {
	x := &h.index
	n := len(h.Places)
	if x.Untimed || len(x.PTS) == 0 || p.pos < 0 && n == 0 {
		return onlyWhole("sound without times")
	}
	h.Places = append(h.Places, located(x.PTS[n], p.pos, h.Places))
	if h.PacketSamples > 0 && h.Counted == n && h.index.places(n, h.stream, h.PacketSamples) {
		h.Counted = n + 1
	}
	return nil
}

// First is the time of the first frame that is shown.
func (g *Growing) First() int64 { return g.first }

// CountSound finds out of which sounds so far positions can be counted
// (SoundIndex.PacketSamples).
func (g *Growing) CountSound() {
	for i := range g.Sounds {
		h := &g.Sounds[i]
		if h.PacketSamples > 0 {
			continue
		}
		if h.PacketSamples = CountSamples(&h.index, h.stream, len(h.lengths)); h.PacketSamples > 0 {
			h.Counted = len(h.Places)
		}
	}
}

// Sound is what is known of the track with a stream index, which is one of
// sound.
func (g *Growing) Sound(stream int) *Heard {
	for i := range g.Sounds {
		if g.Sounds[i].stream.Index == stream {
			return &g.Sounds[i]
		}
	}
	return nil
}

// Index is the index of the sound so far, nil when nothing of it is heard.
func (h *Heard) Index() *SoundIndex {
	x := h.index
	if len(x.PTS) == 0 || x.Hidden == len(x.PTS) {
		return nil
	}
	x.PacketSamples = h.PacketSamples
	return &x
}

// Index is the index so far, as Index gives it: of the frames that are
// settled. It shares memory with g.
func (g *Growing) Index() *FrameIndex {
	settled, _ := slices.BinarySearch(g.PTS, g.Settled)
	return g.upTo(g.PTS[:settled], g.Settled)
}

// Whole is the complete index, when no more packets come.
func (g *Growing) Whole() (*FrameIndex, error) {
	if len(g.PTS) == 0 || g.PTS[0] != g.first {
		return nil, onlyWhole("no frame is shown")
	}
	x := g.upTo(g.PTS, 0)
	x.finish(g.scan)
	return x, nil
}

func (g *Growing) upTo(pts []int64, end int64) *FrameIndex {
	x := &FrameIndex{TimeBase: g.TimeBase, PTS: pts, End: end, Zero: g.first, Sounds: map[int]*SoundIndex{}}
	for i := range g.Sounds {
		if s := g.Sounds[i].Index(); s != nil {
			x.Sounds[g.Sounds[i].stream.Index] = s
		}
	}
	for _, k := range g.Keys {
		x.Keys = append(x.Keys, k.PTS)
	}
	return x
}
