package ffmpeg_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
)

var updateArgs = flag.Bool("update-args", false, "write the golden argument lists anew")

func goldenPlan() *spool.Plan {
	return &spool.Plan{
		Facts: spool.Facts{
			Video: &spool.VideoStream{
				Width: 1920, Height: 1080, SAR: spool.Ratio{Num: 1, Den: 1}, TimeBase: spool.Ratio{Num: 1, Den: 90000},
				PixFmt: "yuv420p", Space: "bt709", Range: "tv",
			},
			Audio: []spool.AudioStream{{Index: 1, Channels: 2, SampleRate: 44100, TimeBase: spool.Ratio{Num: 1, Den: 1000}}},
		},
		Timeline: spool.Timeline{
			Origin: 126000, TimeBase: spool.Ratio{Num: 1, Den: 90000}, Rate: spool.Ratio{Num: 30000, Den: 1001},
			Frames: 1000, Samples: 1601600,
		},
		Rungs: []spool.Rung{
			{Name: "v2-1080p", Width: 1920, Height: 1080, CRF: 23, MaxRate: 6_000_000, Action: spool.EncodeRung},
			{Name: "v1-720p", Width: 1280, Height: 720, CRF: 23, MaxRate: 3_000_000, Action: spool.EncodeRung},
			{Name: "v0-360p", Width: 640, Height: 360, CRF: 23, MaxRate: 800_000, Action: spool.EncodeRung},
		},
		Grid:   spool.Grid{GOP: 60, PrimingSamples: 1024},
		Sounds: []spool.Sound{{Name: "a0-und", Stream: 1, SampleRate: 48000, Channels: 2, BitRate: 128_000, OriginSeconds: 1.4}},
	}
}

func goldenChunk() spool.Chunk {
	seek := int64(576001)
	return spool.Chunk{
		Number: 2, FirstSegment: 2, Segments: 2, FirstFrame: 360, Frames: 360,
		Seek: &seek, FirstPTS: 1207080, LastPTS: 2285157, SourceFrames: 360,
	}
}

func TestArgumentLists(t *testing.T) {
	chunk := func(edit func(*spool.Plan, *spool.Chunk)) func() ([]string, error) {
		return func() ([]string, error) {
			p, c := goldenPlan(), goldenChunk()
			edit(p, &c)
			return ffmpeg.ChunkArgs(ffmpeg.Encoding{
				Input: []string{"-i", "file:/work/in"}, Plan: p, Chunk: c, Preset: "medium", Threads: 2, Timescale: 30000,
			})
		}
	}
	seek := 299.5
	for name, args := range map[string]func() ([]string, error){
		"chunk":            chunk(func(*spool.Plan, *spool.Chunk) {}),
		"chunk-interlaced": chunk(func(p *spool.Plan, _ *spool.Chunk) { p.Facts.Video.Interlaced = true }),
		"chunk-hdr": chunk(func(p *spool.Plan, _ *spool.Chunk) {
			p.Facts.Video.Transfer, p.Facts.Video.Space, p.Facts.Video.PixFmt = "smpte2084", "bt2020nc", "yuv420p10le"
		}),
		"chunk-full-range": chunk(func(p *spool.Plan, _ *spool.Chunk) {
			p.Facts.Video.PixFmt, p.Facts.Video.Range, p.Facts.Video.Space = "yuvj420p", "pc", ""
		}),
		"chunk-last": chunk(func(p *spool.Plan, _ *spool.Chunk) { p.Timeline.Frames = 720 }),
		"chunk-sequential": chunk(func(p *spool.Plan, c *spool.Chunk) {
			p.Sequential, p.Rungs, c.Seek = true, p.Rungs[:1], nil
		}),
		"chunk-copied": chunk(func(p *spool.Plan, c *spool.Chunk) {
			p.Rungs[0].Action, p.Grid.Frames, c.Segments = spool.CopyRung, []int{120, 240, 140, 120, 100, 250}, 3
		}),
		"chunk-rows": func() ([]string, error) {
			c := goldenChunk()
			return ffmpeg.ChunkArgs(ffmpeg.Encoding{
				Input: []string{"-i", "file:/work/in"}, Plan: goldenPlan(), Chunk: c, Preset: "medium", Timescale: 30000,
				Rungs: ffmpeg.Row{From: 1, To: 3},
			})
		},
		"audio": func() ([]string, error) {
			return ffmpeg.AudioArgs(ffmpeg.AudioEncoding{
				Input: []string{"-i", "file:/work/in"}, Plan: goldenPlan(),
				Piece: spool.AudioPiece{FirstPacket: 14063, Packets: 14062, Seek: &seek},
			})
		},
		"audio-anchored": func() ([]string, error) {
			return ffmpeg.AudioArgs(ffmpeg.AudioEncoding{
				Input: []string{"-i", "file:/work/in"}, Plan: goldenPlan(),
				Piece: spool.AudioPiece{FirstPacket: 14063, Packets: 14062, Seek: &seek, Anchor: &spool.Anchor{PTS: 300_012, Sample: 13168640}},
			})
		},
	} {
		got, err := args()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		path, text := filepath.Join("testdata", name+".args"), strings.Join(got, "\n")+"\n"
		if *updateArgs {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), text); diff != "" {
			t.Errorf("%s (-update-args writes it anew):\n%s", name, diff)
		}
	}
}

func TestArgumentsThatCannotBeMade(t *testing.T) {
	if _, err := ffmpeg.ChunkArgs(ffmpeg.Encoding{Plan: &spool.Plan{}}); err == nil {
		t.Error("pictures of a plan without pictures")
	}
	if _, err := ffmpeg.AudioArgs(ffmpeg.AudioEncoding{Plan: &spool.Plan{}}); err == nil {
		t.Error("sound of a plan without sound")
	}
}

func TestSourceTime(t *testing.T) {
	for _, c := range []struct {
		line       string
		interlaced bool
		time       int64
		ok, fails  bool
	}{
		{line: "frame:0    pts:76800   pts_time:6", time: 76800, ok: true},
		{line: "frame:7    pts:-200   pts_time:-1", interlaced: true, time: -100, ok: true},
		{line: "spool=1"},
		{line: ""},
		{line: "frame:0    pts:NOPTS   pts_time:NOPTS", fails: true},
		{line: "frame:0", fails: true},
	} {
		time, ok, err := ffmpeg.SourceTime(c.line, &spool.VideoStream{Interlaced: c.interlaced})
		if time != c.time || ok != c.ok || (err != nil) != c.fails {
			t.Errorf("%q: %d, %v, %v", c.line, time, ok, err)
		}
	}
}
