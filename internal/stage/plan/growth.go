package plan

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/grid"
	"github.com/spool-video/spool/internal/tap"
)

// growth is a plan that is made packet by packet. What it says of a chunk or a
// piece depends on the packets up to a certain one alone, never on when they
// came: whoever reads the source again makes the same.
type growth struct {
	ctx    context.Context //nolint:containedctx // that of the job: step is called by the reader of packets
	source tap.Reader
	units  *tap.Units
	tell   func(spool.Progress)
	before *spool.Plan // as far as it had grown when the job was interrupted
	beside []spool.SubtitleFile
	plan   spool.Plan // so far

	begun   bool
	awaits  int                  // output frames that must be settled before there is another chunk
	decoded int                  // packets of pictures up to the last one that the chunks so far show
	fixed   int64                // frames up to here have been counted on
	pieces  [][]spool.AudioPiece // of each sound, that may be added when their packets are here
	unsaid  bool                 // the plan has grown since it was told
	told    bool
	when    time.Time // it was told
}

// evidence is how much of a source's pictures decides about the frame rate. It
// goes on to the second key frame, which tells whether it can be sought in.
const evidence = 10 * time.Second

// step takes one more packet.
func (g *growth) step(x *ffmpeg.Growing) error {
	if !g.begun {
		seen := x.TimeBase.Duration(x.Settled - x.First())
		if seen < evidence || len(x.Keys) < 2 && seen <= maxGOP*time.Second {
			return nil
		}
		if err := g.decide(x); err != nil {
			return err
		}
	}
	if err := g.addChunks(x); err != nil {
		return err
	}
	if err := g.addPieces(x); err != nil {
		return err
	}
	g.report()
	return nil
}

// decide lays down what all chunks depend on.
func (g *growth) decide(x *ffmpeg.Growing) error {
	x.CountSound()
	x.Fixed = &g.fixed
	view, p := x.Index(), &g.plan
	if unseekable(p.Facts, view) {
		return fmt.Errorf("few key frames: %w", ffmpeg.ErrWhole)
	}
	g.begun, g.fixed, p.Open = true, math.MinInt64, true
	t := &p.Timeline
	t.Origin, t.TimeBase = view.Origin(), view.TimeBase
	t.Rate, _ = outputRate(measured(p.Facts.Video.FrameRate, view), view.TimeBase, view.PTS)
	g.awaits = grid.Settled(1, t.Rate, p.Grid.Segment)
	tracks := newTracks(p.Facts, view)
	for _, a := range p.Facts.Audio {
		here := slices.ContainsFunc(tracks, func(t *track) bool { return t.stream.Index == a.Index && !t.whole })
		if a.SampleRate > 0 && !here {
			return fmt.Errorf("no sound of a track with the first pictures: %w", ffmpeg.ErrWhole)
		}
	}
	laySounds(p, tracks)
	return nil
}

// measured is the declared rate, or what the frames come at when that is a
// usual rate and the declared one is not near: a few seconds do not tell 29.97
// frames a second from 30 otherwise.
func measured(declared spool.Ratio, x *ffmpeg.FrameIndex) spool.Ratio {
	n, ticks, _ := pace(x.PTS)
	if n == 0 {
		return declared
	}
	rate := spool.Ratio{Num: x.TimeBase.Den * n, Den: x.TimeBase.Num * ticks}
	near := snap(rate, exact)
	if off := declared.Float()/rate.Float() - 1; near == rate || declared.Known() && off < exact && off > -exact {
		return declared
	}
	return near
}

// known counts the output frames before those that may still change.
func (g *growth) known(x *ffmpeg.Growing) int {
	t := &g.plan.Timeline
	return int(indexer(t.Rate, t.TimeBase, t.Origin)(x.Settled))
}

// addChunks adds the chunks that are certain now.
func (g *growth) addChunks(x *ffmpeg.Growing) error {
	frames := g.known(x)
	if frames < g.awaits {
		return nil
	}
	p, view := &g.plan, x.Index()
	if unseekable(p.Facts, view) {
		return fmt.Errorf("few key frames: %w", ffmpeg.ErrWhole)
	}
	t := &p.Timeline
	t.Frames, t.SourceFrames = frames, len(view.PTS)
	if len(p.Sounds) > 0 {
		t.Samples = t.Rate.Invert().RescaleNearest(int64(frames), spool.Ratio{Num: 1, Den: grid.SampleRate})
	}
	laid := grid.LayOpen(*t, p.Grid.Segment)
	for _, c := range grid.OpenChunks(laid)[len(p.Chunks):] {
		show(&c, p, view)
		ready, err := g.window(&c, x)
		if err != nil || !ready {
			return err
		}
		g.fixed = nextAfter(view, c.LastPTS) - 1
		g.unsaid = true
		p.Grid, p.Chunks = laid, append(p.Chunks, c)
		g.pieces = nil
		for n, s := range p.Sounds {
			g.pieces = append(g.pieces, grid.OpenPieces(laid, x.Sound(s.Stream).PacketSamples == 0)[g.soundPieces(n):])
		}
		if err := g.same(len(p.Chunks)-1, c); err != nil {
			return err
		}
	}
	segment := 0
	if last := len(p.Chunks) - 1; last >= 0 {
		segment = p.Chunks[last].FirstSegment + p.Chunks[last].Segments
	}
	g.awaits = grid.Settled(grid.Certain(len(p.Chunks), segment, p.Grid.Segment), t.Rate, p.Grid.Segment)
	return nil
}

// nextAfter is the first time after another, at most the end of what is known.
func nextAfter(x *ffmpeg.FrameIndex, pts int64) int64 {
	if i, _ := slices.BinarySearch(x.PTS, pts+1); i < len(x.PTS) {
		return min(x.PTS[i], x.End)
	}
	return x.End
}

// window finds the bytes from the unit with a chunk's first key frame to some
// packets after its last frame; false when those are not here yet.
func (g *growth) window(c *spool.Chunk, x *ffmpeg.Growing) (bool, error) {
	last := g.decoded
	for i := g.decoded; i < len(x.Pictures); i++ {
		if x.Pictures[i].PTS <= c.LastPTS {
			last = i
		}
	}
	beyond := last + 1 + tap.Slack
	if beyond >= len(x.Pictures) {
		return false, nil
	}
	end := int64(0)
	for _, p := range x.Pictures[g.decoded : beyond+1] {
		end = max(end, p.Pos)
	}
	var err error
	if c.Bytes, err = g.cut(g.key(c, x), end); err != nil {
		return false, err
	}
	g.decoded = last
	return true, nil
}

// key is where the key frame lies at which a chunk's decoding begins.
func (g *growth) key(c *spool.Chunk, x *ffmpeg.Growing) int64 {
	if c.Seek == nil {
		return 0
	}
	i, _ := slices.BinarySearchFunc(x.Keys, *c.Seek, func(p ffmpeg.Place, at int64) int { return int(max(min(p.PTS-at, 1), -1)) })
	return x.Keys[i].Pos
}

// cut makes a window of whole units, but for a cluster's end: from the one that
// holds a byte, or the start of the file, to the one that holds another.
func (g *growth) cut(from, to int64) (spool.Span, error) {
	var s spool.Span
	if from > 0 {
		first, err := g.units.Around(g.ctx, from)
		if err != nil {
			return s, err
		}
		s.From = first.From
	}
	last, err := g.units.Around(g.ctx, to)
	s.To = last.To
	return s, err
}

// addPieces adds the pieces of sound that are certain now.
func (g *growth) addPieces(x *ffmpeg.Growing) error {
	for n := range g.pieces {
		for len(g.pieces[n]) > 0 {
			piece := g.pieces[n][0]
			piece.Sound = n
			beyond, ok := g.heard(piece, x)
			if !ok {
				break
			}
			if err := g.addPiece(piece, x, beyond); err != nil {
				return err
			}
			g.pieces[n] = g.pieces[n][1:]
		}
	}
	return nil
}

// addPiece adds a piece whose sound is here; what follows it lies at beyond.
func (g *growth) addPiece(piece spool.AudioPiece, x *ffmpeg.Growing, beyond int64) error {
	if err := g.place(&piece, x, x.Index()); err != nil {
		return err
	}
	var err error
	if piece.Bytes, err = g.cut(g.heardFrom(piece, x), beyond); err != nil {
		return err
	}
	g.unsaid = true
	addPieces(&g.plan, piece.Sound, []spool.AudioPiece{piece})
	last := len(g.plan.Pieces) - 1
	return g.sameSound(last, g.plan.Pieces[last])
}

// soundPieces is how many pieces of a sound the plan has.
func (g *growth) soundPieces(n int) int {
	count := 0
	for _, p := range g.plan.Pieces {
		if p.Sound == n {
			count++
		}
	}
	return count
}

// heard is where the sound lies that follows a piece; false when it is not
// here yet.
func (g *growth) heard(piece spool.AudioPiece, x *ffmpeg.Growing) (int64, bool) {
	const margin = 1 // second
	end := float64(piece.FirstPacket+piece.Packets)*grid.PacketSamples/grid.SampleRate + margin
	sound := g.plan.Sounds[piece.Sound]
	heard := x.Sound(sound.Stream)
	i := soundAt(sound.OriginSeconds+end, heard)
	if i >= len(heard.Places) {
		return 0, false
	}
	return heard.Places[i].Pos, true
}

// heardFrom is where the reading of a piece begins.
func (g *growth) heardFrom(piece spool.AudioPiece, x *ffmpeg.Growing) int64 {
	if piece.Seek == nil {
		return 0
	}
	heard := x.Sound(g.plan.Sounds[piece.Sound].Stream)
	return heard.Places[max(soundAt(*piece.Seek, heard)-1, 0)].Pos
}

// soundAt is the first packet of sound at or after a time, in seconds on the
// source's clock.
func soundAt(at float64, heard *ffmpeg.Heard) int {
	base := heard.Index().TimeBase
	i, _ := slices.BinarySearchFunc(heard.Places, at, func(p ffmpeg.Place, at float64) int {
		if float64(p.PTS)*base.Float() < at {
			return -1
		}
		return 1
	})
	return i
}

// place lays a piece on the timeline. Behind a break in the sound positions
// are not counted: there the times of packets are trusted.
func (g *growth) place(piece *spool.AudioPiece, x *ffmpeg.Growing, view *ffmpeg.FrameIndex) error {
	stream := g.plan.Sounds[piece.Sound].Stream
	tracks := newTracks(g.plan.Facts, view)
	i := slices.IndexFunc(tracks, func(t *track) bool { return t.stream.Index == stream })
	if i < 0 || tracks[i].whole {
		return fmt.Errorf("sound without times: %w", ffmpeg.ErrWhole)
	}
	sound, heard := tracks[i], x.Sound(stream)
	if n := heard.Counted; heard.PacketSamples > 0 && n < len(heard.Places) {
		if at, _ := sound.at(heard.Places[n].PTS).Float64(); at < begins(*piece)+settle {
			uncounted := *sound.index
			uncounted.PacketSamples = 0
			sound.index = &uncounted
		}
	}
	sound.place(piece)
	return nil
}

// same makes sure that a chunk is what it was before an interruption.
func (g *growth) same(i int, c spool.Chunk) error {
	if g.before != nil && i < len(g.before.Chunks) && !reflect.DeepEqual(g.before.Chunks[i], c) {
		return fmt.Errorf("chunk %d is another than before: %w", i, ffmpeg.ErrWhole)
	}
	return nil
}

func (g *growth) sameSound(i int, p spool.AudioPiece) error {
	if g.before != nil && i < len(g.before.Pieces) && !reflect.DeepEqual(g.before.Pieces[i], p) {
		return fmt.Errorf("audio piece %d is another than before: %w", i, ffmpeg.ErrWhole)
	}
	return nil
}

// report tells of the plan so far. One that has not grown to what was told
// before an interruption is kept.
func (g *growth) report() {
	p := &g.plan
	if !g.unsaid || time.Since(g.when) < g.rest() {
		return
	}
	if b := g.before; b != nil && (len(p.Chunks) < len(b.Chunks) || len(p.Pieces) < len(b.Pieces)) {
		return
	}
	g.unsaid, g.told, g.when = false, true, time.Now()
	p.LeftOut = leftOut(p.Facts, p.Sounds)
	told := *p
	told.Facts.Duration = 0 // nothing is missing yet
	p.Notes = notes(&told, &ffmpeg.FrameIndex{}, true, 0)
	told = *p
	g.tell(spool.Progress{Phase: spool.Probing, Note: "reading the times of frames as they arrive", Result: &spool.Result{Plan: &told}})
}
