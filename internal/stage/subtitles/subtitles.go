// Package subtitles makes the subtitles of a video: all tracks of text that its
// source has, read in one pass, and the files beside it; laid on the timeline,
// cut into segments of WebVTT and published. What cannot be read is left out,
// with a word: nobody loses a video for its subtitles.
package subtitles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/publish"
	"github.com/spool-video/spool/internal/tap"
	"github.com/spool-video/spool/internal/webvtt"
	"github.com/spool-video/spool/internal/wrap"
)

// Stage does the jobs of subtitles.
type Stage struct {
	Tools     ffmpeg.Tools
	Publisher publish.Publisher
	Sources   *tap.Desk // where sources that lie elsewhere are read; may be nil
	// Work gives the scratch folder of a job's video and revision.
	Work func(spool.JobKey) string
}

// Run makes and publishes the segments of all subtitles.
func (s Stage) Run(ctx context.Context, job spool.Job, progress func(spool.Progress)) (spool.Result, error) {
	if job.Plan == nil || job.Fetched == nil {
		return spool.Result{}, fmt.Errorf("make subtitles of %s: the job lacks plan or source", job.JobKey)
	}
	ends := job.Plan.SegmentEnds()
	part, err := publish.OpenPart(s.Work(job.JobKey), job.JobKey, mark{job.Plan.Subtitles, ends, job.Keys.IDs(), job.Settings.Container})
	if err != nil {
		return spool.Result{}, err
	}
	progress(spool.Progress{Phase: spool.Encoding, Note: "reading subtitles"})
	made, err := s.Publisher.Target(job).Run(ctx, part, len(job.Plan.Subtitles)*len(ends), progress,
		func(ctx context.Context, done func(publish.Plain) error) (publish.Record, error) {
			m := maker{stage: s, job: job, part: part, ends: ends, done: done}
			return m.record, m.make(ctx)
		})
	if err != nil {
		return spool.Result{}, fmt.Errorf("make subtitles of %s: %w", job.JobKey, err)
	}
	return spool.Result{Made: &made}, nil
}

// mark is all that the bytes of the segments depend on.
type mark struct {
	Subtitles []spool.Subtitle
	Ends      []time.Duration
	Keys      string
	Container string `json:",omitempty"`
}

// maker makes the subtitles of one job.
type maker struct {
	stage  Stage
	job    spool.Job
	part   *publish.Part
	ends   []time.Duration
	done   func(publish.Plain) error
	record publish.Record
}

// make reads what lies in the source, then the files beside it.
func (m *maker) make(ctx context.Context) error {
	var inside []spool.Subtitle
	for _, s := range m.job.Plan.Subtitles {
		if s.File == "" {
			inside = append(inside, s)
		}
	}
	if err := m.inside(ctx, inside); err != nil {
		return err
	}
	for _, s := range m.job.Plan.Subtitles {
		if s.File == "" {
			continue
		}
		if err := m.beside(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// inside reads tracks of the source: all in one pass, and when that fails each
// by itself, so that one that is damaged does not take the others along.
func (m *maker) inside(ctx context.Context, tracks []spool.Subtitle) error {
	if len(tracks) == 0 {
		return nil
	}
	address, release, err := m.stage.Sources.Address(m.job.Fetched)
	if err != nil {
		return err
	}
	defer release()
	input := ffmpeg.InputArgs(address)
	cues, err := m.read(ctx, input, tracks)
	if broken(err) && len(tracks) > 1 {
		cues = make([][]webvtt.Cue, len(tracks))
		for i := range tracks {
			one, err := m.read(ctx, input, tracks[i:i+1])
			if err != nil && !broken(err) {
				return err
			}
			cues[i] = one[0]
		}
	} else if err != nil && !broken(err) {
		return err
	}
	for i, track := range tracks {
		if err := m.write(track, cues[i]); err != nil {
			return err
		}
	}
	return nil
}

// broken reports whether an error says that subtitles cannot be read, and not
// that reading failed.
func broken(err error) bool {
	known := (*spool.Error)(nil)
	return errors.Is(err, webvtt.ErrTooMuch) || errors.As(err, &known) && known.Code == "encoder-failed"
}

// read gives the cues of tracks of one input. Those that were read before an
// error are among them.
func (m *maker) read(ctx context.Context, input []string, tracks []spool.Subtitle) ([][]webvtt.Cue, error) {
	cues := make([][]webvtt.Cue, len(tracks))
	wanted := make([]ffmpeg.TextTrack, len(tracks))
	for i, t := range tracks {
		wanted[i] = ffmpeg.TextTrack{Stream: max(t.Stream, 0), Codec: t.Codec}
	}
	err := ffmpeg.Texts(ctx, m.stage.Tools, input, wanted, func(n int, r io.Reader) (err error) {
		cues[n], err = webvtt.Parse(r)
		return err
	})
	return cues, err
}

// beside reads a file of subtitles. ffmpeg gets its text as UTF-8.
func (m *maker) beside(ctx context.Context, s spool.Subtitle) error {
	text, why, err := readText(s.File, s.Language)
	if err != nil {
		return err
	}
	if why != "" {
		m.leaveOut(s, why)
		return nil
	}
	ending := filepath.Ext(s.File)
	path := filepath.Join(m.part.Dir(), "text"+ending)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write subtitles to scratch: %w", err)
	}
	defer os.Remove(path) //nolint:errcheck // the folder goes with the revision
	input, ok := ffmpeg.TextFile(path, ending)
	if !ok {
		m.leaveOut(s, "it is of no kind that Spool reads")
		return nil
	}
	cues, err := m.read(ctx, input, []spool.Subtitle{s})
	if err != nil && !broken(err) {
		return err
	}
	return m.write(s, cues[0])
}

// write makes the segments of a track.
func (m *maker) write(s spool.Subtitle, cues []webvtt.Cue) error {
	zero := time.Duration(s.OriginSeconds * float64(time.Second))
	segments, shown := webvtt.Segments(cues, zero, m.ends), 0
	for _, segment := range segments {
		shown += len(segment)
	}
	if shown == 0 {
		m.leaveOut(s, "nothing of them can be shown")
		return nil
	}
	for n, segment := range segments {
		plain := publish.Plain{Rendition: s.Name, Number: n, Units: len(segment), Type: publish.TypeText}
		plain, err := m.part.Write(plain, webvtt.Encode(segment, wrap.Origin(m.job.Settings.Container)))
		if err != nil {
			return err
		}
		m.record.Segments = append(m.record.Segments, plain)
		if err := m.done(plain); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) leaveOut(s spool.Subtitle, why string) {
	what := "subtitles"
	if s.Language != "" {
		what += " (" + s.Language + ")"
	}
	if s.File != "" {
		what += " of " + filepath.Base(s.File)
	}
	m.record.Notes = append(m.record.Notes, what+" are left out: "+why)
}
