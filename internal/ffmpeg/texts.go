package ffmpeg

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/process"
)

// TextTrack is one track of subtitles that is to be read.
type TextTrack struct {
	Stream int    // stream index in the input
	Codec  string // ffmpeg's name
}

// textFormats are the demuxers and decoders of files of subtitles, by the
// endings of their names.
var textFormats = map[string]string{".srt": "srt", ".vtt": "webvtt", ".ass": "ass", ".ssa": "ass"}

// TextFile are the arguments with which ffmpeg opens a file of subtitles, whose
// text is UTF-8. They end with "-i" and the file. ok is false for endings of
// other files.
func TextFile(path, ending string) (args []string, ok bool) {
	format, ok := textFormats[strings.ToLower(ending)]
	return []string{
		"-nostdin", "-max_alloc", strconv.Itoa(maxAlloc), "-protocol_whitelist", "file",
		"-format_whitelist", "srt,webvtt,ass", "-codec_whitelist", "srt,subrip,webvtt,ass,ssa,text",
		"-f", format, "-i", "file:" + path,
	}, ok
}

// Texts reads tracks of subtitles in one pass and gives them as WebVTT, with
// times on the input's own clock. read is called once for each track, all at
// the same time; what it leaves is thrown away. An error of read ends it.
func Texts(ctx context.Context, tools Tools, input []string, tracks []TextTrack, read func(n int, r io.Reader) error) error {
	watched, alive, stop := tools.watch(ctx)
	defer stop()
	command := tools.Command(tools.FFmpeg, textArgs(input, tracks))
	command.Pipes = 1 + len(tracks)
	p, err := process.Start(watched, command)
	if err != nil {
		return NotStarted(err)
	}
	reading := flow.Run(ctx, func(g *flow.Group) {
		g.Go(func(context.Context) error {
			lines := bufio.NewScanner(p.Pipe(0))
			for lines.Scan() {
				alive() // it tells how far it is, also where there is nothing to read
			}
			return lines.Err()
		})
		for n := range tracks {
			g.Go(func(context.Context) error {
				err := read(n, p.Pipe(1+n))
				_, _ = io.Copy(io.Discard, p.Pipe(1+n)) // err is what matters
				return err
			})
		}
	})
	ended := hung(watched, p.Wait())
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("read subtitles: %w", context.Cause(ctx))
	case reading != nil:
		return reading
	}
	if err := Killed("subtitles", ended); err != nil {
		return err
	}
	if ended != nil {
		return Failed("subtitles", ended)
	}
	return nil
}

func textArgs(input []string, tracks []TextTrack) []string {
	args := slices.Concat([]string{
		"-hide_banner", "-nostats", "-v", "error", "-y", "-copyts", "-stats_period", "2", "-progress", "pipe:3",
	}, input)
	for n, t := range tracks {
		codec := "webvtt"
		if t.Codec == codec {
			codec = "copy" // with all that says where a cue stands
		}
		args = append(args, "-map", fmt.Sprintf("0:%d", t.Stream), "-map_metadata", "-1", "-c:s", codec,
			"-avoid_negative_ts", "disabled", "-f", "webvtt", fmt.Sprintf("pipe:%d", 4+n))
	}
	return args
}
