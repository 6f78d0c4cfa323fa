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
	Sound    []Place // likewise
	// Settled is the time before which all frames should be known: what is to
	// come is decoded later.
	Settled int64
	// Fixed is the time up to which frames have been used; set by step. When
	// one comes that is not later ErrWhole follows.
	Fixed *int64
	// Counted is how many packets of sound, from the first on, lie where
	// counting by PacketSamples has them.
	Counted       int
	PacketSamples int // 0 until CountSound has found it

	scan  *scan
	first int64
}

// NewGrowing is the index of a stream of which nothing has been read. first is
// what FirstShown gave.
func NewGrowing(facts spool.Facts, first int64) *Growing {
	return &Growing{TimeBase: facts.Video.TimeBase, scan: newScan(facts), first: first, Settled: first}
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
	switch {
	case p.stream == g.scan.video:
		if err := g.show(p); err != nil {
			return err
		}
	case g.scan.audio != nil && p.stream == g.scan.audio.Index:
		if err := g.hear(p); err != nil {
			return err
		}
	default:
		return nil
	}
	return step()
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

func (g *Growing) hear(p packet) error {
	x := &g.scan.sound
	n := len(g.Sound)
	if x.Untimed || len(x.PTS) == 0 || p.pos < 0 && n == 0 {
		return onlyWhole("sound without times")
	}
	g.Sound = append(g.Sound, located(x.PTS[n], p.pos, g.Sound))
	if g.PacketSamples > 0 && g.Counted == n && x.places(n, g.scan.audio, g.PacketSamples) {
		g.Counted = n + 1
	}
	return nil
}

// First is the time of the first frame that is shown.
func (g *Growing) First() int64 { return g.first }

// CountSound finds out whether positions in the sound so far can be counted
// (SoundIndex.PacketSamples).
func (g *Growing) CountSound() {
	if g.scan.audio == nil || g.PacketSamples > 0 {
		return
	}
	if g.PacketSamples = CountSamples(&g.scan.sound, g.scan.audio, len(g.scan.lengths)); g.PacketSamples > 0 {
		g.Counted = len(g.Sound)
	}
}

// SoundIndex is the index of the sound so far, nil when nothing of it is heard.
func (g *Growing) SoundIndex() *SoundIndex {
	x := g.scan.sound
	if len(x.PTS) == 0 || x.Hidden == len(x.PTS) {
		return nil
	}
	x.PacketSamples = g.PacketSamples
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
	x := &FrameIndex{TimeBase: g.TimeBase, PTS: pts, End: end, Zero: g.first, Sound: g.SoundIndex()}
	for _, k := range g.Keys {
		x.Keys = append(x.Keys, k.PTS)
	}
	return x
}
