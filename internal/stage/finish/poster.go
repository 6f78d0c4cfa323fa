package finish

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/process"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/verify"
	"github.com/spool-video/spool/internal/wrap"
)

const (
	maxPoster = 8 << 20 // bytes up to which a picture may be a poster
	// posterSide is the short side, in pixels, that a poster's rung is near to.
	posterSide = 720
	// maxSegment bounds what is read of a segment, in bytes.
	maxSegment = 256 << 20
)

// poster gives the poster's JPEG, a frame of the published pictures. Nil: there
// are no pictures, or none that decodes, which verify will say better.
func (s Stage) poster(ctx context.Context, job spool.Job, p *parcel) ([]byte, error) {
	var rungs []verify.Rendition
	for _, r := range p.manifest.Renditions {
		if r.Pictures() {
			rungs = append(rungs, r)
		}
	}
	if len(rungs) == 0 {
		return nil, nil
	}
	off := func(r verify.Rendition) int {
		side := min(r.Init.Width, r.Init.Height)
		return max(side-posterSide, posterSide-side)
	}
	rung := slices.MinFunc(rungs, func(a, b verify.Rendition) int { return cmp.Compare(off(a), off(b)) })
	media, err := s.clear(ctx, job, rung)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("poster of %s: %w", job.Video, err)
	}
	if media == nil {
		return nil, nil
	}
	return s.frame(ctx, wrap.Demuxer(job.Settings.Container, true), media)
}

// clear reads one segment of a rung, from the first third of the video where
// titles are over, with its init section, if there is one, before it. Nil: it is not what was
// published.
func (s Stage) clear(ctx context.Context, job spool.Job, r verify.Rendition) ([]byte, error) {
	number := len(r.Segments) / 3
	var init, content []byte
	err := flow.Run(ctx, func(g *flow.Group) {
		for name, into := range map[string]*[]byte{r.Init.Name: &init, r.Segments[number].Name: &content} {
			if name == "" {
				continue // the container needs none
			}
			g.Go(func(ctx context.Context) (err error) {
				if *into, err = read(ctx, s.Store, job.Video+"/"+name, maxSegment); err != nil {
					return fmt.Errorf("read %s: %w", name, err)
				}
				return nil
			})
		}
	})
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what was read
	}
	if key := job.Keys.Of(number); key != nil {
		content, err = keys.Decrypt(key.Bytes, keys.IV(key.Bytes, r.Name, number), content)
		if errors.Is(err, keys.ErrPadding) || errors.Is(err, keys.ErrBlockSize) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", r.Segments[number].Name, err)
		}
	}
	return append(init, content...), nil
}

// frame gives the frame that is most like all others of a segment.
func (s Stage) frame(ctx context.Context, format string, media []byte) ([]byte, error) {
	program := s.Tools.FFmpeg
	if program == "" {
		program = "ffmpeg"
	}
	command := s.Tools.Command(program, []string{
		"-nostdin", "-hide_banner", "-v", "error", "-protocol_whitelist", "pipe", "-codec_whitelist", "h264",
		"-f", format, "-i", "pipe:0", "-map", "0:0",
		"-vf", "thumbnail=50,scale=in_range=tv:out_range=pc,format=yuvj420p",
		"-frames:v", "1", "-q:v", "3", "-f", "mjpeg", "pipe:1",
	})
	command.Stdin = bytes.NewReader(media)
	picture, err := process.Run(ctx, command)
	var exit *process.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("make poster: %w", ctx.Err())
	case errors.As(err, &exit) && !exit.Died(): // killed, it is tried again
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("make poster: %w", err)
	case !isJPEG(picture):
		return nil, nil
	}
	return picture, nil
}

func isJPEG(b []byte) bool {
	return len(b) > 3 && len(b) <= maxPoster && b[0] == 0xff && b[1] == 0xd8 && b[2] == 0xff
}
