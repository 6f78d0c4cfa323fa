package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/wrap"
)

// clear is a segment that is to be decoded.
type clear struct {
	number int
	media  []byte
}

// stretch reads some segments of a rendition and decodes those that are as the
// manifest says.
func (c *checker) stretch(ctx context.Context, r Rendition, numbers []int) error {
	var good []clear
	for _, n := range numbers {
		media, err := c.segment(ctx, r, n)
		if err != nil {
			return err
		}
		if media != nil {
			good = append(good, clear{n, media})
		}
	}
	// Segments of MPEG-TS are decoded as they begin: each by itself.
	if len(good) > 1 && c.manifest.Settings.Container != spool.TS {
		if fine, err := c.together(ctx, r, good); fine || err != nil {
			return err
		}
	}
	// One alone, or one of several is wrong: each says by itself whether it is.
	for _, s := range good {
		if err := c.alone(ctx, r, s); err != nil {
			return err
		}
	}
	return nil
}

// together decodes segments one after another in one process, and reports
// whether every frame of them came out.
func (c *checker) together(ctx context.Context, r Rendition, segments []clear) (bool, error) {
	all := [][]byte{c.texts[r.Init.Name]}
	units := 0
	for _, s := range segments {
		all = append(all, s.media)
		units += c.units(r, s.number)
	}
	frames, err := c.frames(ctx, r, bytes.Join(all, nil))
	if errors.Is(err, ffmpeg.ErrUndecodable) || err == nil && !complete(r, units, frames) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("decode %s: %w", r.Name, err)
	}
	c.report.Decoded += len(segments)
	return true, nil
}

// alone decodes a segment as a player does that begins there.
func (c *checker) alone(ctx context.Context, r Rendition, one clear) error {
	s := r.Segments[one.number]
	frames, err := c.frames(ctx, r, bytes.Join([][]byte{c.texts[r.Init.Name], one.media}, nil))
	switch {
	case errors.Is(err, ffmpeg.ErrUndecodable):
		c.fail(s.Name, RuleDecode, err.Error(), "", "")
		return nil
	case err != nil:
		return fmt.Errorf("decode %s: %w", s.Name, err)
	}
	c.report.Decoded++
	if !complete(r, c.units(r, one.number), frames) {
		c.fail(s.Name, RuleDecode, "not every frame decodes", fmt.Sprint(c.units(r, one.number)), fmt.Sprint(frames))
	}
	return nil
}

// frames lets ffmpeg decode media and counts what comes out.
func (c *checker) frames(ctx context.Context, r Rendition, media []byte) (int, error) {
	if err := c.decoding.Acquire(ctx); err != nil {
		return 0, err //nolint:wrapcheck // the context's own
	}
	defer c.decoding.Release()
	counts, err := ffmpeg.Decode(ctx, c.o.Tools, wrap.Demuxer(c.manifest.Settings.Container, !r.Sound()), media)
	switch {
	case err != nil && ctx.Err() != nil:
		return 0, ctx.Err()
	case err != nil:
		return 0, err //nolint:wrapcheck // the caller says what was decoded
	case r.Sound():
		return counts["audio"], nil
	}
	return counts["video"], nil
}

// units is how many frames or packets of a segment are to come out.
func (c *checker) units(r Rendition, number int) int {
	if r.Sound() {
		return r.Segments[number].Units - c.leftOut(r, number)
	}
	return r.Segments[number].Units
}

// complete reports whether as many frames came out as went in. A decoder of
// sound may hold back the packet that is priming.
func complete(r Rendition, units, frames int) bool {
	return frames == units || r.Sound() && frames == units-1
}
