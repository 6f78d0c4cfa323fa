// Package plan decides everything about a revision before its first frame is
// encoded: from what probing and indexing find it makes the timeline, the
// ladder, the grid, the chunks with the frames that each must show, and the
// pieces of sound.
package plan

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/grid"
	"github.com/spool-video/spool/internal/ladder"
	"github.com/spool-video/spool/internal/tap"
)

// Stage does plan jobs.
type Stage struct {
	Tools   ffmpeg.Tools
	Ladders map[string]ladder.Spec // those that the configuration defines, by name
	Sources *tap.Desk              // where sources that are still arriving are read; may be nil
}

// Run makes the plan of a source that was fetched. Errors that end the video
// are *spool.Error.
func (s Stage) Run(ctx context.Context, job spool.Job, progress func(spool.Progress)) (spool.Result, error) {
	if job.Fetched == nil {
		return spool.Result{}, fmt.Errorf("plan %s: the job has no source", job.JobKey)
	}
	progress(spool.Progress{Phase: spool.Probing})
	if p, err := s.streamed(ctx, job, progress); p != nil || err != nil {
		return spool.Result{Plan: p}, elsewhere(job, err)
	}
	if s.Sources.Tapped(job.Fetched) || s.Sources.Tapped(job.Fetched.Hearing()) {
		p, err := s.arriving(ctx, job)
		return spool.Result{Plan: p}, elsewhere(job, err)
	}
	facts, err := s.probe(ctx, job.Fetched)
	if err != nil {
		return spool.Result{}, err
	}
	p := &spool.Plan{Facts: facts, Grid: spool.Grid{Segment: job.Settings.Segment}}
	if p.Rungs, err = ladder.Choose(facts, job.Settings, s.Ladders); err != nil {
		return spool.Result{}, err
	}
	top, err := s.candidate(ctx, job, p)
	if err != nil {
		return spool.Result{}, err
	}
	careful := top.trust(p, job.Careful)
	progress(spool.Progress{Phase: spool.Probing, Note: "reading the times of all frames"})
	index, err := s.index(ctx, job.Fetched, facts, careful > 0)
	if err != nil {
		return spool.Result{}, err
	}
	if err := lay(p, index, top, careful); err != nil {
		return spool.Result{}, err
	}
	laySubtitles(p, index, job.Fetched.Subtitles)
	return spool.Result{Plan: p}, nil
}

// lay fills a plan that has facts, rungs, the highest of which may be copied,
// and the length of segments. It is pure.
func lay(p *spool.Plan, x *ffmpeg.FrameIndex, top candidate, careful int) error {
	tracks := newTracks(p.Facts, x)
	constant := true
	if p.Facts.Video != nil {
		constant = timeline(p, x, tracks)
	}
	laySounds(p, tracks)
	if p.Timeline.Frames == 0 && p.Timeline.Samples == 0 {
		return &spool.Error{
			Class: spool.Permanent, Code: "no-media", Reason: "the source lasts no time at all",
			Hint: "check that the source plays",
		}
	}
	p.Grid = grid.Lay(p.Timeline, p.Grid.Segment)
	if p.Facts.Video != nil {
		p.Sequential = unseekable(p.Facts, x) || careful > 0
		top.decide(p, x.PTS, x.End)
		p.Chunks = chunks(p, x)
	}
	p.Pieces = nil
	for n := range p.Sounds {
		t := trackOf(tracks, p.Sounds[n])
		top.hear(p, t, &p.Sounds[n])
		addPieces(p, n, t.pieces(p, n))
	}
	p.LeftOut = leftOut(p.Facts, p.Sounds)
	p.Notes = append(notes(p, x, constant, careful), cut(p, tracks)...)
	return nil
}

// timeline lays the pictures. It reports whether they come at one rate.
func timeline(p *spool.Plan, x *ffmpeg.FrameIndex, tracks []*track) (constant bool) {
	t := &p.Timeline
	t.Origin, t.TimeBase = x.Origin(), x.TimeBase
	t.Rate, constant = outputRate(p.Facts.Video.FrameRate, x.TimeBase, x.PTS)
	extent(t, x, tracks)
	return constant
}

// extent finds how many frames a timeline has whose rate is known. Only the
// main track makes it longer than the pictures: other languages often end a
// little later.
func extent(t *spool.Timeline, x *ffmpeg.FrameIndex, tracks []*track) {
	number := indexer(t.Rate, t.TimeBase, t.Origin)
	t.Frames = int(max(number(x.End), 1))
	if len(tracks) > 0 {
		sound := tracks[0]
		// What is within two packets is the padding of a codec, not sound.
		if n := sound.frames(t.Rate); t.Rate.Float()*sound.length() > float64(t.Frames)+max(1, padding*t.Rate.Float()) {
			t.Frames = max(t.Frames, n)
		}
	}
	t.SourceFrames = frames{x.PTS, number}.shown(t.Frames-1) + 1
}

// padding is how much longer than the pictures, in seconds, encoders make the
// sound to fill its last packets.
const padding = 0.06

// maxGOP is how far apart key frames may be, in seconds, for a source that is
// decoded from several places.
const maxGOP = 30

// unseekable reports whether decoding from anywhere but the start was proved
// wrong for such a source.
func unseekable(facts spool.Facts, x *ffmpeg.FrameIndex) bool {
	if x.Decoded || facts.Format == "avi" || len(x.Keys) == 0 {
		return true
	}
	limit := spool.Ratio{Num: 1, Den: 1}.Rescale(maxGOP, x.TimeBase)
	before := min(x.Keys[0], x.Origin())
	for _, k := range append(x.Keys[:len(x.Keys):len(x.Keys)], x.End) {
		if k-before > limit {
			return true
		}
		before = k
	}
	return false
}

// chunks says for each chunk which source frames it shows and where decoding
// begins.
func chunks(p *spool.Plan, x *ffmpeg.FrameIndex) []spool.Chunk {
	list := grid.Chunks(p.Grid)
	switch {
	case p.Sequential:
		list = grid.Whole(p.Grid)
	case copied(p.Rungs):
		list = grid.CopiedChunks(p.Grid, p.Timeline.Rate)
	}
	for i := range list {
		show(&list[i], p, x)
	}
	return list
}

// show says which source frames a chunk shows.
func show(c *spool.Chunk, p *spool.Plan, x *ffmpeg.FrameIndex) {
	f := frames{x.PTS, indexer(p.Timeline.Rate, p.Timeline.TimeBase, p.Timeline.Origin)}
	first, last := f.shown(c.FirstFrame), f.shown(c.FirstFrame+c.Frames-1)
	c.FirstPTS, c.LastPTS = x.PTS[first], x.PTS[last]
	c.SourceFrames = count(x.PTS, c.FirstPTS, c.LastPTS)
	if !p.Sequential {
		c.Seek = seek(x, c.FirstPTS, exactSeek(p.Facts))
	}
}

// count is how many times lie between two, both included: two frames may have
// one time.
func count(pts []int64, first, last int64) int {
	from, _ := slices.BinarySearch(pts, first)
	to, _ := slices.BinarySearch(pts, last+1)
	return to - from
}

// exactSeek reports whether the container says where each frame lies, so that
// a seek hits the key frame that is asked for, and nothing before it is
// needed: MP4's sample tables do. A deinterlacer looks back all the same.
func exactSeek(facts spool.Facts) bool {
	return strings.HasPrefix(facts.Format, "mov,") && !facts.Video.Interlaced
}

// seek is the key frame from which a chunk is decoded: the one at or before
// its first frame where seeks are exact, else one that lies a whole GOP and a
// second before it. Other containers seek by decoding times or by guessing at
// byte positions and come out late, by up to a GOP; a deinterlacer looks back.
// Frames of an open GOP that lean on the key frame's predecessor are shown
// before the key frame, so no chunk that begins at it wants them. Nil is the
// start.
func seek(x *ffmpeg.FrameIndex, first int64, exact bool) *int64 {
	later, _ := slices.BinarySearch(x.Keys, first+1)
	if exact && later > 1 {
		at := x.Keys[later-1]
		return &at
	}
	second := spool.Ratio{Num: 1, Den: 1}.Rescale(1, x.TimeBase)
	for i := later - 2; i > 0; i-- {
		if first-x.Keys[i] >= second {
			at := x.Keys[i]
			return &at
		}
	}
	return nil
}
