package plan

import (
	"context"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/tap"
)

// movies are the indexes of a source: of its pictures and of its sound, which
// are one unless the sound lies in a file of its own. Nil: there is none that
// tells everything.
type movies struct{ pictures, sound *tap.Movie }

func (m movies) known() bool { return m.pictures != nil && m.sound != nil }

// index is the source's, from its movies alone.
func (m movies) index(facts spool.Facts) (*ffmpeg.FrameIndex, error) {
	if m.pictures == m.sound {
		return m.pictures.Index(facts)
	}
	seen, heard := split(facts)
	x, err := m.pictures.Index(seen)
	if err != nil {
		return nil, err
	}
	y, err := m.sound.Index(heard)
	if err != nil {
		return nil, err
	}
	x.Sounds = y.Sounds
	return x, nil
}

// movies reads the indexes of a source that is here.
func (s Stage) movies(ctx context.Context, f *spool.Fetched) (movies, error) {
	var m movies
	var err error
	if m.pictures, err = s.movie(ctx, f); err != nil || f.Sound == nil {
		m.sound = m.pictures
		return m, err
	}
	m.sound, err = s.movie(ctx, f.Sound)
	return m, err
}

// probe finds the facts of a source that is here.
func (s Stage) probe(ctx context.Context, f *spool.Fetched) (spool.Facts, error) {
	facts, err := ffmpeg.Probe(ctx, s.Tools, f.Path)
	if err != nil || f.Sound == nil {
		return facts, err
	}
	heard, err := ffmpeg.Probe(ctx, s.Tools, f.Sound.Path)
	return join(facts, heard), err
}

// index reads the times of a source that is here. Those of a file of sound are
// times on the pictures' clock: both begin at one time.
func (s Stage) index(ctx context.Context, f *spool.Fetched, facts spool.Facts, careful bool) (*ffmpeg.FrameIndex, error) {
	if f.Sound == nil {
		return ffmpeg.Index(ctx, s.Tools, f.Path, facts, careful)
	}
	seen, heard := split(facts)
	x, err := ffmpeg.Index(ctx, s.Tools, f.Path, seen, careful)
	if err != nil {
		return nil, err
	}
	y, err := ffmpeg.Index(ctx, s.Tools, f.Sound.Path, heard, false)
	if err != nil {
		return nil, err
	}
	x.Sounds = y.Sounds
	return x, nil
}

// look finds movies and facts of a source that is arriving.
func (s Stage) look(ctx context.Context, f *spool.Fetched) (movies, spool.Facts, error) {
	movie, facts, err := s.lookAt(ctx, f)
	if err != nil || f.Sound == nil {
		return movies{movie, movie}, facts, err
	}
	sound, heard, err := s.lookAt(ctx, f.Sound)
	return movies{movie, sound}, join(facts, heard), err
}

// lookAt looks at one file, which may be here.
func (s Stage) lookAt(ctx context.Context, f *spool.Fetched) (*tap.Movie, spool.Facts, error) {
	source, end, err := s.Sources.Read(f)
	if err != nil {
		return nil, spool.Facts{}, err
	}
	defer end()
	movie, err := tap.Locate(ctx, source)
	if err != nil {
		return nil, spool.Facts{}, whole(err)
	}
	address, release, err := s.Sources.Address(f)
	if err != nil {
		return nil, spool.Facts{}, err
	}
	defer release()
	facts, err := ffmpeg.ProbeArriving(ctx, s.Tools, address, source.Size())
	return movie, facts, err
}

// join makes the facts of a source of those of its two files.
func join(seen, heard spool.Facts) spool.Facts {
	facts := seen
	facts.Audio = heard.Audio
	facts.Size += heard.Size
	facts.Duration = max(seen.Duration, heard.Duration)
	return facts
}

// split gives the facts of its files of the facts of a source.
func split(facts spool.Facts) (seen, heard spool.Facts) {
	seen, heard = facts, facts
	seen.Audio, heard.Video = nil, nil
	return seen, heard
}
