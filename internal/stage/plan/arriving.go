package plan

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/grid"
	"github.com/spool-video/spool/internal/ladder"
	"github.com/spool-video/spool/internal/tap"
)

// arriving plans a source of which only the head and its moov box need be
// here: that box tells when each frame is shown, and where it lies. What it
// does not tell exactly is planned when all of the source is here.
func (s Stage) arriving(ctx context.Context, job spool.Job) (*spool.Plan, error) {
	m, facts, err := s.look(ctx, job.Fetched)
	if err != nil {
		return nil, err
	}
	p := &spool.Plan{Facts: facts, Grid: spool.Grid{Segment: job.Settings.Segment}}
	if p.Rungs, err = ladder.Choose(facts, job.Settings, s.Ladders); err != nil {
		return nil, err
	}
	index, err := m.index(facts)
	if err != nil {
		return nil, whole(err)
	}
	top := newCandidate(facts, p.Rungs, job.Settings, m)
	if top.trust(p, job.Careful) > 0 {
		return nil, needsWhole(errDoubt)
	}
	if err := lay(p, index, top, 0); err != nil {
		return nil, err
	}
	laySubtitles(p, index, job.Fetched.Subtitles)
	windows(p, m)
	return p, nil
}

// errDoubt: a plan by the index alone was not right before.
var errDoubt = errors.New("the source's index does not tell the truth")

// whole says that a plan has to wait for all of the source, where that is what
// an error means.
func whole(err error) error {
	if !errors.Is(err, tap.ErrUnsupported) {
		return fmt.Errorf("read the source's index: %w", err)
	}
	return needsWhole(err)
}

// elsewhere makes one that is copied first of a source that lies elsewhere,
// and can be planned only when all of it is here.
func elsewhere(job spool.Job, err error) error {
	if err == nil || !job.Fetched.Anywhere() || spool.AsError(err).Class != spool.NeedsWhole {
		return err
	}
	return &spool.Error{
		Class: spool.Replan, Code: spool.NeedsCopy, Err: err,
		Reason: "the source can be planned only when all of it is here", Hint: "it is copied first",
	}
}

// windows says which bytes of the source each part of a plan needs. A part
// that has no window needs all of them.
func windows(p *spool.Plan, m movies) {
	for i := range p.Chunks {
		if c := &p.Chunks[i]; !p.Sequential {
			seek := int64(tap.Start)
			if c.Seek != nil {
				seek = *c.Seek
			}
			c.Bytes = m.pictures.Tracks[p.Facts.Video.Index].Window(seek, c.LastPTS)
		}
	}
	for i := range p.Pieces {
		piece := &p.Pieces[i]
		sound := p.Sounds[piece.Sound]
		track := &m.sound.Tracks[sound.Stream]
		if sound.Copied {
			first := sound.First + piece.FirstPacket
			piece.Bytes = track.Bytes(first, first+piece.Packets)
			continue
		}
		piece.Bytes = soundWindow(sound, track, *piece)
	}
}

// slack is how much more sound than a piece holds its decoder and filters may
// read, in seconds.
const slack = 2

// soundWindow is what the decoder of a piece reads.
func soundWindow(sound spool.Sound, t *tap.Track, piece spool.AudioPiece) spool.Span {
	after := func(at float64) int {
		return sort.Search(len(t.Samples), func(i int) bool { return float64(t.Samples[i].PTS)*t.TimeBase.Float() > at })
	}
	from := 0
	if piece.Seek != nil {
		from = after(*piece.Seek - slack)
	}
	end := float64(piece.FirstPacket+piece.Packets) * grid.PacketSamples / grid.SampleRate
	return t.Bytes(from, after(sound.OriginSeconds+end+slack))
}
