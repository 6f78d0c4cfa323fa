//go:build soak

package encode_test

import (
	"testing"

	"github.com/spool-video/spool/internal/mediatest"
)

// The rest of the matrix of containers, codecs and rates.
func TestSoakEveryFrame(t *testing.T) {
	for _, c := range []identity{
		{name: "mp4 24", source: mediatest.Barcode{Rate: "24", Frames: 130, Codec: x264()}},
		{name: "mp4 30", source: mediatest.Barcode{Rate: "30", Frames: 130, Codec: x264()}},
		{name: "mp4 50", source: mediatest.Barcode{Rate: "50", Frames: 200, Codec: x264()}},
		{name: "mp4 60", source: mediatest.Barcode{Rate: "60", Frames: 200, Codec: x264()}},
		{name: "matroska 23.976", source: mediatest.Barcode{Name: "s.mkv", Rate: "24000/1001", Frames: 130, Codec: x264()}},
		{name: "matroska 59.94", source: mediatest.Barcode{Name: "s.mkv", Rate: "60000/1001", Frames: 200, Codec: x264()}},
		{name: "mpegts 50", source: mediatest.Barcode{Name: "s.ts", Rate: "50", Frames: 200, Codec: x264()}},
		{name: "mpegts mpeg2 interlaced", source: mediatest.Barcode{
			Name: "s.ts", Frames: 130, Filter: "setfield=tff",
			Codec: []string{"-c:v", "mpeg2video", "-q:v", "3", "-bf", "2", "-g", "10", "-flags", "+ilme+ildct"},
		}},
		{name: "120 to 60", rate: "60", source: mediatest.Barcode{Rate: "120", Frames: 240, Codec: x264()}},
		{name: "mp4 vp9", source: mediatest.Barcode{Name: "s.webm", Frames: 100, Codec: []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "10"}}},
		{name: "mp4 hevc open gop", source: mediatest.Barcode{Frames: 130, Codec: []string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "keyint=10:bframes=3:open-gop=1:log-level=error"}}},
	} {
		t.Run(c.name, c.prove)
	}
}

func TestSoakPlannedFrames(t *testing.T) {
	for _, c := range []identity{
		{name: "fragmented mp4", source: mediatest.Barcode{Frames: 400, Codec: x264(), Args: []string{"-movflags", "frag_keyframe+empty_moov"}}},
		{name: "matroska 59.94", source: mediatest.Barcode{Name: "s.mkv", Rate: "60000/1001", Frames: 1000, Codec: x264("-g", "100")}},
		{name: "mpegts mpeg2 interlaced", source: mediatest.Barcode{
			Name: "s.ts", Frames: 400, Filter: "setfield=tff",
			Codec: []string{"-c:v", "mpeg2video", "-q:v", "3", "-bf", "2", "-g", "12", "-flags", "+ilme+ildct"},
		}},
		{name: "mpegts hevc", source: mediatest.Barcode{Name: "s.ts", Frames: 400, Codec: []string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "keyint=40:bframes=3:open-gop=1:log-level=error"}}},
		{name: "variable rate with a freeze of 20 s", source: mediatest.Barcode{
			Name: "s.mkv", Frames: 300, Codec: x264(),
			Filter: "setpts='PTS+if(gte(N\\,100)\\,20/TB\\,0)+if(eq(mod(N\\,7)\\,3)\\,0.013/TB\\,0)'",
		}},
	} {
		t.Run(c.name, c.provePlanned)
	}
}
