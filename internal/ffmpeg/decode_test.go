package ffmpeg_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/mediatest"
)

func TestDecodeCountsWhatComesOut(t *testing.T) {
	t.Parallel()
	const args = "-f lavfi -i testsrc2=size=64x36:rate=25:duration=1 -f lavfi -i sine=duration=1 -c:v libx264 -preset ultrafast -c:a aac -f mpegts pipe:1"
	whole := mediatest.FFmpeg(t, strings.Fields(args)...)
	tools := ffmpeg.Tools{FFmpeg: "ffmpeg"}
	counts, err := ffmpeg.Decode(t.Context(), tools, "mpegts", whole)
	if err != nil || counts["video"] != 25 || counts["audio"] < 43 {
		t.Errorf("%v, %v", counts, err)
	}
	if _, err := ffmpeg.Decode(t.Context(), tools, "mp4", whole); !errors.Is(err, ffmpeg.ErrUndecodable) {
		t.Errorf("as another format: %v", err)
	}
	if _, err := ffmpeg.Decode(t.Context(), ffmpeg.Tools{FFmpeg: "/nowhere/ffmpeg"}, "mpegts", whole); err == nil || errors.Is(err, ffmpeg.ErrUndecodable) {
		t.Errorf("without ffmpeg: %v", err)
	}
}
