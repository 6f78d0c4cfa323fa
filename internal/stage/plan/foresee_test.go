package plan

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/ladder"
)

// What is foreseen from a header is what comes of it.
func TestForesee(t *testing.T) {
	in := fmt.Sprintf(small, "25", "4")
	for name, args := range map[string]string{
		"heard.mp4":       in + fmt.Sprintf(tone, 48000, "4") + still + "-g 50 " + aac,
		"heard-alone.mov": fmt.Sprintf(small, "25", "13") + fmt.Sprintf(tone, 48000, "13") + still + "-g 300 " + aac,
		"good.mp4":        in + fmt.Sprintf(tone, 44100, "4") + still + "-g 50 " + aac,
		"late.mp4":        "-itsoffset 0.5 " + in + fmt.Sprintf(tone, 44100, "4") + "-map 0:v -map 1:a " + still + "-g 60 " + aac,
		"longer.mp4":      in + fmt.Sprintf(tone, 44100, "5") + still + "-g 50 " + aac,
		"open.mp4":        in + "-c:v libx264 -preset veryfast -crf 40 -g 50 -sc_threshold 0 -x264-params open-gop=1:b-adapt=0",
		"matroska.mkv":    in + still,
		"sound.m4a":       fmt.Sprintf(tone, 44100, "4") + aac,
		"transport.ts":    in + still,
		"long.mp4":        fmt.Sprintf(small, "25", "13") + still + "-g 300",
		"fast.mov":        fmt.Sprintf(small, "60", "4") + still + "-g 100",
		"two-grids.mp4":   fmt.Sprintf(small, "25", "25") + still + "-g 250 -force_key_frames expr:eq(n,120)",
	} {
		t.Run(name, func(t *testing.T) {
			path := source(t, name, args)
			want := mustPlan(t, path)
			facts, err := ffmpeg.Probe(t.Context(), tools(t), path)
			if err != nil {
				t.Fatal(err)
			}
			rungs, err := ladder.Choose(facts, spool.Settings{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Stage{}.Foresee(t.Context(), spool.Fetched{Path: path}, spool.Settings{}, spool.Plan{Facts: facts, Rungs: rungs})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.Rungs, got.Rungs); diff != "" {
				t.Error(diff)
			}
			if got.Sounds != nil {
				if diff := cmp.Diff(want, &got); diff != "" {
					t.Error(diff)
				}
			}
			if len(got.Chunks) != len(want.Chunks) || got.Grid.Segments() != want.Grid.Segments() {
				t.Errorf("%d chunks, %+v; want %d, %+v", len(got.Chunks), got.Grid, len(want.Chunks), want.Grid)
			}
			if top := ladder.Made(got.Rungs); len(top) > 0 && top[0].Action == spool.CopyRung && !slices.Equal(got.Grid.Frames, want.Grid.Frames) {
				t.Errorf("a copied grid of %v, want %v", got.Grid.Frames, want.Grid.Frames)
			}
		})
	}
}
