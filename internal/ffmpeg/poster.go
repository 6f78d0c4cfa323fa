package ffmpeg

import (
	"fmt"
	"strings"

	"github.com/spool-video/spool"
)

const (
	posterWidth = 1280 // pixels at most
	// posterFrames is of how many frames the most typical one is taken, so
	// that a black one is not.
	posterFrames = 24
)

// PosterArgs are the arguments of the ffmpeg that writes one JPEG picture to
// its standard output: from a tenth into the video, upright, with square
// pixels, at most 1280 wide.
func PosterArgs(input []string, plan *spool.Plan) ([]string, error) {
	video := plan.Facts.Video
	if video == nil {
		return nil, fmt.Errorf("arguments of the poster: the source has no pictures")
	}
	args := []string{
		"-hide_banner", "-nostats", "-v", "error", "-y", "-abort_on", "empty_output",
		"-copyts", "-noaccurate_seek", "-seek_timestamp", "1",
	}
	if line := plan.Timeline; line.Frames > 0 && line.Rate.Known() && line.TimeBase.Known() {
		tenth := line.Rate.Invert().Rescale(int64(line.Frames/10), line.TimeBase)
		if tenth > 0 {
			args = append(args, "-ss", seconds(line.Origin+tenth, line.TimeBase))
		}
	}
	args = append(args, "-threads", "1")
	args = append(args, input...)
	return append(args,
		"-filter_complex", fmt.Sprintf("[0:%d]%s[p]", video.Index, strings.Join(posterFilters(video), ",")),
		"-map", "[p]", "-map_metadata", "-1", "-frames:v", "1", "-c:v", "mjpeg", "-q:v", "3",
		"-f", "image2pipe", "pipe:1"), nil
}

func posterFilters(video *spool.VideoStream) []string {
	width, height := video.Display()
	if width > posterWidth {
		width, height = posterWidth, max(height*posterWidth/width, 2)
	}
	width, height = max(width&^1, 2), max(height&^1, 2)
	steps := []string{fmt.Sprintf("thumbnail=n=%d", posterFrames)}
	if video.Interlaced {
		steps = []string{"bwdif=mode=send_frame", steps[0]}
	}
	scale := fmt.Sprintf("scale=w=%d:h=%d", width, height)
	if video.HDR() {
		steps = append(append(steps, scale), toneMap(video)...)
		scale = "scale=in_range=tv"
	}
	return append(steps, scale+":out_range=pc", "setsar=1", "format=yuvj420p")
}
