package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/grid"
	"github.com/spool-video/spool/internal/ladder"
	"github.com/spool-video/spool/internal/tap"
)

// candidate is what may be copied of a source: the top rung, and the sound.
type candidate struct {
	movies  movies // none when nothing is
	coded   ladder.Coded
	base    spool.Ratio
	samples []tap.Sample // in the order of decoding
	heard   float64      // when the sound ends, in seconds on the file's clock
	// whole: a packet of sound has to begin where the pictures do.
	whole bool
}

// candidate reads the source's index, when it matters.
func (s Stage) candidate(ctx context.Context, job spool.Job, p *spool.Plan) (candidate, error) {
	var m movies
	if job.Settings.Copy != spool.CopyNever && (ladder.MayCopy(p.Rungs, p.Facts) || mayHear(p.Facts)) && strings.HasPrefix(p.Facts.Format, "mov,") {
		var err error
		if m, err = s.movies(ctx, job.Fetched); err != nil {
			return candidate{}, fmt.Errorf("plan %s: %w", job.JobKey, err)
		}
	}
	return newCandidate(p.Facts, p.Rungs, job.Settings, m), nil
}

// movie reads the index of an MP4 or QuickTime file; nil when it has none that
// tells everything.
func (s Stage) movie(ctx context.Context, f *spool.Fetched) (*tap.Movie, error) {
	source, end, err := s.Sources.Read(f)
	if err != nil {
		return nil, err
	}
	defer end()
	movie, err := tap.Locate(ctx, source)
	if errors.Is(err, tap.ErrUnsupported) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the source's index: %w", err)
	}
	return movie, nil
}

// newCandidate looks at what may be copied of a source as its moov box names
// it. There are no movies of sources that have none that tells
// everything.
func newCandidate(facts spool.Facts, rungs []spool.Rung, settings spool.Settings, m movies) candidate {
	if settings.Copy == spool.CopyNever {
		return refused("as asked for")
	}
	c := codedOf(facts, rungs, m)
	c.movies, c.whole = m, settings.Container == spool.TS
	return c
}

// codedOf looks at the pictures alone.
func codedOf(facts spool.Facts, rungs []spool.Rung, m movies) candidate {
	movie := m.pictures
	switch {
	case !ladder.MayCopy(rungs, facts):
		return candidate{} // what the facts say is reason enough
	case movie == nil:
		return refused("only MP4 and MOV whose index lies in one place are copied")
	}
	at := slices.IndexFunc(movie.Tracks, func(t tap.Track) bool { return t.Index == facts.Video.Index })
	if at < 0 || movie.Tracks[at].Err != nil || len(movie.Tracks[at].Samples) == 0 {
		return refused("its index does not tell where each picture lies")
	}
	track := movie.Tracks[at]
	if track.Codec != "avc1" {
		return refused("its parameter sets lie among the pictures")
	}
	h, err := cmaf.ParseH264(track.Config)
	switch {
	case errors.Is(err, cmaf.ErrSets):
		return refused("the parameter sets change")
	case errors.Is(err, cmaf.ErrLengths):
		return refused("its NAL units have lengths that few players expect")
	case err != nil:
		return refused("its parameters cannot be read")
	case h.Width != facts.Video.Width || h.Height != facts.Video.Height:
		return refused("its parameters and its index differ about the size")
	}
	return candidate{
		base: track.TimeBase, samples: track.Samples, heard: heard(facts, m.sound),
		coded: ladder.Coded{
			Profile: h.Profile, Level: h.Level, Chroma: h.Chroma, BitDepth: h.BitDepth,
			Progressive: h.Progressive, FullRange: h.FullRange,
		},
	}
}

// heard is when the sound of a movie ends, in seconds; 0 without sound.
func heard(facts spool.Facts, movie *tap.Movie) float64 {
	end, audio := 0.0, ffmpeg.MainAudio(facts)
	if movie == nil {
		return 0
	}
	for _, t := range movie.Tracks {
		if audio == nil || t.Index != audio.Index || t.Err != nil {
			continue
		}
		for _, s := range t.Samples {
			end = max(end, t.TimeBase.Float()*float64(s.PTS+int64(s.Duration)))
		}
	}
	return end
}

func refused(why string) candidate { return candidate{coded: ladder.Coded{Refused: why}} }

// decide says of the top rung of a plan whether it is copied, and when it is,
// lays the grid of the source's key frames. The plan has a timeline; shown are
// the times of all frames that are shown, sorted, and end is when the last of
// them ends.
func (c candidate) decide(p *spool.Plan, shown []int64, end int64) {
	coded, laid := c.examine(p, shown, end)
	if p.Sequential && coded.Refused == "" {
		coded.Refused = "its times are in doubt"
	}
	p.Rungs = ladder.Copy(p.Rungs, p.Facts, coded, grid.LongestGOP)
	if copied(p.Rungs) {
		p.Grid = laid
	}
}

// copies reports whether something of the source would be copied, as far as its
// index tells.
func (c candidate) copies(p spool.Plan) bool {
	if len(c.samples) > 0 && copied(c.foresee(p).Rungs) {
		return true
	}
	if !c.movies.known() {
		return false
	}
	index, err := c.movies.index(p.Facts)
	if err != nil {
		return false
	}
	p.Rungs = slices.Clone(p.Rungs)
	return lay(&p, index, c, 0) == nil && slices.ContainsFunc(p.Sounds, func(s spool.Sound) bool { return s.Copied })
}

// trust takes note that a plan was not right, so many times. The first thing
// that is given up is the copy: what a source that would be copied did wrong
// says nothing against decoding it. It gives how often the rest was wrong.
func (c *candidate) trust(p *spool.Plan, careful int) int {
	if careful == 0 || !c.copies(*p) {
		return careful
	}
	*c = refused("its pictures are not what its index says")
	return careful - 1
}

// examine holds the coded pictures against the timeline of a plan, and lays the
// grid that a copy would have.
func (c candidate) examine(p *spool.Plan, shown []int64, end int64) (ladder.Coded, spool.Grid) {
	coded, line := c.coded, p.Timeline
	if len(c.samples) == 0 {
		return coded, spool.Grid{}
	}
	number := indexer(line.Rate, line.TimeBase, line.Origin)
	first := c.samples[0]
	coded.Cut = !first.Key || len(shown) != len(c.samples) || shown[0] != first.PTS
	coded.Constant = number(end) == int64(len(shown)) && regular(line.Rate, line.TimeBase, shown)
	coded.Outlived = line.Frames > len(shown)
	if coded.Cut || !coded.Constant {
		return coded, spool.Grid{}
	}
	var keys []int
	for i, s := range c.samples {
		if s.Key {
			keys = append(keys, i)
		}
	}
	longest := 0
	for i, from := range keys {
		to := len(c.samples)
		if i+1 < len(keys) {
			to = keys[i+1]
		}
		longest = max(longest, to-from)
		coded.Open = coded.Open || !closed(c.samples[from:to], int64(from), number)
	}
	coded.Gap = line.Rate.Invert().Duration(int64(longest))
	if coded.Outlived {
		return coded, spool.Grid{}
	}
	laid, ok := grid.LayCopied(line, keys, p.Grid.Segment)
	if ok {
		coded.Peak = c.peak(laid, line.Rate)
	}
	return coded, laid
}

// closed reports whether the pictures of a GOP are shown at the frames from
// first on, the key frame before all others: then nothing outside of it is
// needed to show them.
func closed(gop []tap.Sample, first int64, number func(int64) int64) bool {
	for i, s := range gop {
		n := number(s.PTS)
		if n < first || n >= first+int64(len(gop)) || i == 0 && n != first {
			return false
		}
	}
	return true
}

// peak is the highest rate of a segment of the grid, or of all of it: segments
// that are so short that their key frame is most of them do not count.
func (c candidate) peak(g spool.Grid, rate spool.Ratio) int {
	const least = 4 * time.Second
	peak, at, all := 0.0, 0, 0.0
	for _, n := range g.Frames {
		bits := 0.0
		for _, s := range c.samples[at : at+n] {
			bits += 8 * float64(s.Size)
		}
		at, all = at+n, all+bits
		if length := rate.Invert().Duration(int64(n)); length >= least {
			peak = max(peak, bits/length.Seconds())
		}
	}
	return int(max(peak, all/rate.Invert().Duration(int64(at)).Seconds()))
}
