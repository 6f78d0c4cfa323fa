package ffmpeg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spool-video/spool/internal/process"
)

// ErrUndecodable: ffmpeg ran, and could not decode the media.
var ErrUndecodable = errors.New("ffmpeg cannot decode it")

// Decode decodes media that a pipe brings, and counts what comes out of its
// streams of pictures ("video") and of sound ("audio"). format is a demuxer's
// name: "mp4", "mpegts", "aac". The first error in the media ends it, and wraps
// ErrUndecodable.
func Decode(ctx context.Context, tools Tools, format string, media []byte) (map[string]int, error) {
	command := tools.Command(tools.FFmpeg, slices.Concat(
		// What smooths the pictures in the end cannot fail: it is left out.
		[]string{"-hide_banner", "-v", "error", "-xerror", "-err_detect", "explode", "-threads", "1", "-skip_loop_filter", "all"}, PipedArgs(format),
		// A corner of each picture is enough to count it, and far cheaper.
		[]string{"-map", "0:v?", "-map", "0:a?", "-filter:v", "crop=2:2:0:0", "-fps_mode", "passthrough", "-f", "framecrc", "pipe:1"},
	))
	command.Stdin = bytes.NewReader(media)
	out, err := process.Run(ctx, command)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var exit *process.ExitError
	if errors.As(err, &exit) && !exit.Died() { // a killed decoder says nothing of the media
		return nil, ErrUndecodable
	}
	if err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	return countFrames(out), nil
}

// countFrames reads what the framecrc muxer wrote: "#media_type 0: video", and
// a line that begins with the stream's number for each frame.
func countFrames(out []byte) map[string]int {
	kinds, counts := map[string]string{}, map[string]int{}
	for l := range strings.Lines(string(out)) {
		if rest, ok := strings.CutPrefix(l, "#media_type "); ok {
			number, kind, _ := strings.Cut(rest, ":")
			kinds[number] = strings.TrimSpace(kind)
			counts[kinds[number]] += 0
			continue
		}
		if number, _, ok := strings.Cut(l, ","); ok && !strings.HasPrefix(l, "#") {
			counts[kinds[strings.TrimSpace(number)]]++
		}
	}
	return counts
}
