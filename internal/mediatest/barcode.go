package mediatest

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spool-video/spool/internal/process"
)

// bars is how many bits of a frame number the bar code holds.
const bars = 12

// Barcode describes a source whose frame n shows n as vertical bars, white
// for 1, the lowest bit at the left. The zero value is 50 frames of 160x90 at
// 25 frames per second, H.264 in MP4, with no sound.
type Barcode struct {
	Name   string   // file name with the extension that picks the container; "source.mp4"
	Frames int      // 50
	Rate   string   // "25"
	Width  int      // 160
	Height int      // 90
	Filter string   // put after the bars are drawn, e.g. setpts for a variable rate
	Codec  []string // arguments for the encoder; x264, 2 B-frames, GOP of 25
	Args   []string // further output arguments, before the file name
	Audio  bool     // adds a 440 Hz tone as AAC
}

func (b Barcode) withDefaults() Barcode {
	if b.Name == "" {
		b.Name = "source.mp4"
	}
	if b.Frames == 0 {
		b.Frames = 50
	}
	if b.Rate == "" {
		b.Rate = "25"
	}
	if b.Width == 0 {
		b.Width, b.Height = 160, 90
	}
	if b.Codec == nil {
		b.Codec = X264("-g", "25")
	}
	return b
}

// X264 is arguments for a quick H.264 source with two B-frames.
func X264(more ...string) []string {
	return append([]string{"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-sc_threshold", "0"}, more...)
}

// Make writes the source into a folder of the test and gives its path.
func (b Barcode) Make(t testing.TB) string {
	t.Helper()
	b = b.withDefaults()
	path := filepath.Join(t.TempDir(), b.Name)
	// Bars are drawn one pixel wide and blown up: geq is slow on large pictures.
	graph := fmt.Sprintf("color=black:s=%dx2:r=%s,format=gray,geq=lum='if(mod(floor(N/pow(2\\,X))\\,2)\\,235\\,16)',"+
		"trim=end_frame=%d,scale=%d:%d:flags=neighbor,format=yuv420p,setsar=1", bars, b.Rate, b.Frames, b.Width, b.Height)
	if b.Filter != "" {
		graph += "," + b.Filter
	}
	args := []string{"-f", "lavfi", "-i", graph}
	if b.Audio {
		args = append(args, "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-shortest", "-c:a", "aac")
	}
	args = append(args, "-fps_mode", "passthrough")
	args = append(args, b.Codec...)
	args = append(args, b.Args...)
	FFmpeg(t, append(args, "file:"+path)...)
	return path
}

// ReadBarcodes decodes all video frames of a file, in presentation order, and
// gives the number that each one shows; -1 for a frame that shows none.
func ReadBarcodes(t testing.TB, path string) []int {
	t.Helper()
	const width, height, bar = bars * 8, 6, 8
	raw := FFmpeg(t, "-i", "file:"+path, "-map", "0:v:0", "-fps_mode", "passthrough",
		"-vf", fmt.Sprintf("scale=%d:%d:flags=area,format=gray", width, height), "-f", "rawvideo", "pipe:1")
	var numbers []int
	for frame := range chunks(raw, width*height) {
		number := 0
		for bit := range bars {
			// The middle of the bar, of two rows that are not at the edge.
			sum := 0
			for _, row := range []int{2, 3} {
				for x := bit*bar + 2; x < bit*bar+6; x++ {
					sum += int(frame[row*width+x])
				}
			}
			switch level := sum / 8; {
			case level > 170:
				number |= 1 << bit
			case level > 85:
				number = -1 << bars
			}
		}
		numbers = append(numbers, max(number, -1))
	}
	return numbers
}

func chunks(raw []byte, size int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(raw) >= size {
			if !yield(raw[:size]) {
				return
			}
			raw = raw[size:]
		}
	}
}

// FFmpeg runs ffmpeg, fails the test when it fails, and gives its standard
// output.
func FFmpeg(t testing.TB, args ...string) []byte {
	t.Helper()
	return run(t, "ffmpeg", append([]string{"-nostdin", "-v", "error", "-y"}, args...))
}

// FFprobe runs ffprobe and gives its standard output.
func FFprobe(t testing.TB, args ...string) []byte {
	t.Helper()
	return run(t, "ffprobe", append([]string{"-v", "error"}, args...))
}

func run(t testing.TB, name string, args []string) []byte {
	t.Helper()
	out, err := process.Run(t.Context(), process.Command{Path: name, Args: args, Dir: t.TempDir()})
	if err != nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return bytes.Clone(out)
}
