package mediatest

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"
)

// FlashBeep describes a source that is black and silent but for one frame in
// each second that is white while a 1 kHz beep begins: at 0.5 s, 1.5 s, …
type FlashBeep struct {
	Name    string     // "sync.mp4"
	Seconds int        // 4
	Rate    int        // frames per second; 25
	Slow    bool       // they are a thousandth fewer, as in 29.97, and flash and beep as much later
	Delay   float64    // seconds by which the audio stream starts after the video; negative: before
	Hole    [2]float64 // audio packets between these seconds are missing
	Args    []string   // output arguments
}

// Make writes the source into a folder of the test and gives its path. The
// beep meets the flash whatever Delay is: only the stream's extent changes.
func (f FlashBeep) Make(t testing.TB) string {
	t.Helper()
	if f.Name == "" {
		f.Name = "sync.mp4"
	}
	if f.Seconds == 0 {
		f.Seconds = 4
	}
	if f.Rate == 0 {
		f.Rate = 25
	}
	path := filepath.Join(t.TempDir(), f.Name)
	// The flash is the first frame at or after k + 0.5 s.
	rate, every := fmt.Sprint(f.Rate), 1.0
	if f.Slow {
		rate, every = fmt.Sprintf("%d/1001", 1000*f.Rate), 1.001
	}
	flash := fmt.Sprintf("color=black:s=160x90:r=%s:d=%d,format=gray,geq=lum='if(eq(mod(N\\,%d)\\,%d)\\,235\\,16)',format=yuv420p",
		rate, f.Seconds, f.Rate, (f.Rate+1)/2)
	at := every * float64((f.Rate+1)/2) / float64(f.Rate)
	beep := fmt.Sprintf("aevalsrc='if(between(mod(t\\,%[1]f)\\,%[2]f\\,%[3]f)\\,0.5*sin(2*PI*1000*(mod(t\\,%[1]f)-%[2]f))\\,0)':s=48000:d=%[4]d",
		every, at, at+0.1, f.Seconds)
	args := []string{"-f", "lavfi", "-i", flash, "-f", "lavfi", "-i", beep}
	switch {
	case f.Delay > 0:
		args = append(args, "-af", fmt.Sprintf("atrim=start=%f", f.Delay))
	case f.Delay < 0:
		// The video starts late: its first -Delay seconds are cut.
		args = append(args, "-vf", fmt.Sprintf("trim=start=%f", -f.Delay))
	}
	if f.Hole[1] > f.Hole[0] {
		args = append(args, "-af", fmt.Sprintf("aselect='not(between(t\\,%f\\,%f))'", f.Hole[0], f.Hole[1]))
	}
	args = append(args, X264("-g", fmt.Sprint(f.Rate))...)
	args = append(args, "-c:a", "aac", "-b:a", "128k")
	args = append(args, f.Args...)
	FFmpeg(t, append(args, "file:"+path)...)
	return path
}

// Sound decodes the sound of a file as a player presents it: one channel at
// 48 kHz, -1 to 1, from presentation time 0 on.
func Sound(t testing.TB, path string) []float64 {
	t.Helper()
	raw := FFmpeg(t, "-copyts", "-i", "file:"+path, "-map", "0:a:0", "-ac", "1", "-ar", "48000",
		"-af", "aresample=async=1:min_hard_comp=0.1:first_pts=0", "-f", "s16le", "pipe:1")
	x := make([]float64, len(raw)/2)
	for i := range x {
		x[i] = float64(int16(binary.LittleEndian.Uint16(raw[2*i:]))) / 32768
	}
	return x
}

// Beeps gives the presentation times, in seconds, at which the sound of a
// file becomes loud after at least 0.2 s of quiet.
func Beeps(t testing.TB, path string) []float64 {
	t.Helper()
	var onsets []float64
	quiet := 48000
	for i, x := range Sound(t, path) {
		if x > 0.08 || x < -0.08 {
			if quiet >= 48000/5 {
				onsets = append(onsets, float64(i)/48000)
			}
			quiet = 0
			continue
		}
		quiet++
	}
	return onsets
}

// Flashes gives the numbers of the bright frames of a file, in presentation
// order.
func Flashes(t testing.TB, path string) []int {
	t.Helper()
	raw := FFmpeg(t, "-i", "file:"+path, "-map", "0:v:0", "-fps_mode", "passthrough",
		"-vf", "scale=16:16:flags=area,format=gray", "-f", "rawvideo", "pipe:1")
	var bright []int
	n := 0
	for frame := range chunks(raw, 16*16) {
		if frame[8*16+8] > 128 {
			bright = append(bright, n)
		}
		n++
	}
	return bright
}
