package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/spool-video/spool/internal/process"
)

// atOnce is how many clips are made at a time.
const atOnce = 2

// recipe is how ffmpeg makes one clip out of nothing: a filter graph with the
// outputs [v] and [a].
type recipe struct {
	file  string
	graph string
	args  []string // of the encoder and the container
}

// The graphs draw small and scale up, so that making a clip costs a second or
// two; seconds of playing are in every graph's sources.
var recipes = []recipe{
	{
		// A string of pearls that the melody moves, before a turning spiral of
		// colours; 1920×1080. The index is at the front, as web players like it.
		file: "pearls.mp4",
		graph: melody(3, 0, 4, 7, 12, 16, 12, 7, 4) + `,asplit[a][w];` +
			`[w]showwaves=s=640x140:r=24:mode=cline:colors=white:draw=full:scale=sqrt[pearls];` +
			`gradients=s=320x180:r=24:d=6:seed=5:speed=0.02:type=spiral:nb_colors=4:c0=#0b132b:c1=#7b2cbf:c2=#ff6d00:c3=#00b4d8,` +
			`scale=640:360:flags=bilinear[sky];[sky][pearls]overlay=0:110:shortest=1,scale=1920:1080:flags=bilinear,format=yuv420p[v]`,
		args: []string{"-preset", "ultrafast", "-crf", "20", "-movflags", "+faststart"},
	},
	{
		// A dive into the Mandelbrot set, upright; 480×852. The index is at the
		// end, as many cameras and programs leave it.
		file: "abyss.mp4",
		graph: melody(2, 0, 3, 7, 10, 12, 10, 7, 3) + `[a];` +
			`mandelbrot=s=240x426:r=25:maxiter=300:start_scale=2.2:end_scale=0.005:end_pts=150:inner=black,` +
			`trim=duration=6,format=gray,format=gbrp,pseudocolor=preset=inferno,scale=480:852:flags=bicubic,format=yuv420p[v]`,
		args: []string{"-preset", "veryfast", "-crf", "20"},
	},
	{
		// Conway's game of life; 1280×720. It lies behind a web page.
		file: "garden.mp4",
		graph: melody(4, 0, 7, 4, 7, 9, 7, 4, 2) + `[a];` +
			`life=s=160x90:r=30:mold=12:ratio=0.12:seed=7:life_color=#ffd166:death_color=#3a86ff:mold_color=#1b1b3a,` +
			`trim=duration=6,scale=1280:720:flags=neighbor,format=yuv420p[v]`,
		args: []string{"-preset", "veryfast", "-crf", "18", "-movflags", "+faststart"},
	},
}

// melody is six seconds of plucked notes over a ground note of 220 Hz: notes a
// second, and eight steps in half tones.
func melody(pace int, steps ...int) string {
	var step strings.Builder
	for i, halftones := range steps {
		fmt.Fprintf(&step, "+eq(ld(0),%d)*%d", i, halftones)
	}
	note := fmt.Sprintf("st(0,mod(floor(t*%d),%d));0.3*exp(-5*mod(t,1/%d))*sin(2*PI*t*220*pow(2,(0%s)/12))", pace, len(steps), pace, step.String())
	return "aevalsrc='" + note + "':s=48000:d=6,aformat=channel_layouts=stereo"
}

// makeClips makes what is not in dir yet.
func makeClips(ctx context.Context, dir, ffmpeg string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, r := range recipes {
		group.Go(func() error { return r.make(ctx, dir, ffmpeg) })
	}
	return group.Wait()
}

// make makes one clip under another name first: a clip that is there is whole.
func (r recipe) make(ctx context.Context, dir, ffmpeg string) error {
	final := filepath.Join(dir, r.file)
	if _, err := os.Stat(final); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	part := r.file + ".part"
	args := []string{"-nostdin", "-v", "error", "-y", "-filter_complex", r.graph, "-map", "[v]", "-map", "[a]", "-t", "6", "-c:v", "libx264"}
	args = append(args, r.args...)
	args = append(args, "-c:a", "aac", "-b:a", "128k", "-f", "mp4", "file:"+part)
	if _, err := process.Run(ctx, process.Command{Path: ffmpeg, Args: args, Dir: dir}); err != nil {
		return fmt.Errorf("make clip %s: %w", r.file, err)
	}
	if err := os.Rename(filepath.Join(dir, part), final); err != nil {
		return fmt.Errorf("make clip %s: %w", r.file, err)
	}
	return nil
}
