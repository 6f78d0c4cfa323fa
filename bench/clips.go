package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// clip is what a short video is like.
type clip struct {
	seconds int
	height  int // that it is scaled to; 0 = as it is
}

// makeClips makes a batch: clips of equal length with sound, cut from a real
// video where there is one.
func (b *bench) makeClips(ctx context.Context, c clip) ([]string, error) {
	_, length, err := b.findMedia(ctx, c.seconds)
	if err != nil {
		return nil, err
	}
	var batch []string
	for i := range b.clips {
		start := max(length-float64(c.seconds), 0) * float64(i) / float64(max(b.clips-1, 1))
		path, err := b.makeClip(ctx, i, start, c)
		if err != nil {
			return nil, err
		}
		batch = append(batch, path)
	}
	return batch, nil
}

// clipEncoder makes clips as sites have them: within the default cap, so that
// the pictures can be copied, with a key frame every 4 s.
func clipEncoder(kbps int) []string {
	rate := strconv.Itoa(kbps) + "k"
	return []string{
		"-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-maxrate", rate, "-bufsize", rate,
		"-pix_fmt", "yuv420p", "-force_key_frames", "expr:gte(t,n_forced*4)",
	}
}

var clipSound = []string{"-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", "48000"}

// input are the arguments that read a real video from start, in seconds, or
// make up one of that number. Sound is the last input.
func (b *bench) input(ctx context.Context, number int, start float64, seconds int) ([]string, error) {
	source, _, err := b.findMedia(ctx, seconds)
	if err != nil {
		return nil, err
	}
	if source != "" {
		return []string{"-ss", fmt.Sprintf("%.3f", start), "-i", source}, nil
	}
	return []string{
		"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%s:rate=24,hue=h=%d,noise=alls=6:allf=t:all_seed=%d", b.size, number*50, number+1),
		"-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=%d:sample_rate=48000", 220+40*number),
	}, nil
}

// makeClip cuts a clip from the real video, or makes one up.
func (b *bench) makeClip(ctx context.Context, number int, start float64, c clip) (string, error) {
	args, err := b.input(ctx, number, start, c.seconds)
	if err != nil {
		return "", err
	}
	path, kbps := filepath.Join(b.dir, fmt.Sprintf("clip-%d.mp4", number)), 5000
	args = append(args, "-t", strconv.Itoa(c.seconds))
	if c.height > 0 {
		args, kbps = append(args, "-vf", fmt.Sprintf("scale=-2:%d:flags=lanczos", c.height)), kbps*c.height*c.height/(1080*1080)
	}
	args = append(args, clipEncoder(kbps)...)
	args = append(args, clipSound...)
	_, err = b.ffmpeg(ctx, append(args, "-movflags", "+faststart", path)...)
	return path, err
}

// reel is a clip that long videos repeat. Pictures and sound lie apart, because
// they are not equally long to the microsecond: each repeats without a gap.
type reel struct{ pictures, sound string }

// shortestTape is in seconds: an MP4's sound must not end before its pictures.
const shortestTape = 1

// makeReel makes the clip once.
func (b *bench) makeReel(ctx context.Context) (reel, error) {
	if b.reel != nil {
		return *b.reel, nil
	}
	seconds := max(b.tape, shortestTape)
	b.note("making the %d s that long videos repeat", seconds)
	args, err := b.input(ctx, b.clips+1, 0, seconds)
	if err != nil {
		return reel{}, err
	}
	r := reel{filepath.Join(b.dir, "pictures.mp4"), filepath.Join(b.dir, "sound.aac")}
	length := []string{"-t", strconv.Itoa(seconds)}
	args = append(append(append(args, length...), "-an"), clipEncoder(3000)...)
	args = append(append(append(append(args, r.pictures, "-vn"), length...), clipSound...), r.sound)
	if _, err := b.ffmpeg(ctx, args...); err != nil {
		return reel{}, err
	}
	b.reel = &r
	return r, nil
}

// Where an MP4's index lies.
var (
	indexFirst = []string{"-movflags", "+faststart"}
	indexAtEnd = []string{}
)

// makeLong makes a video of that length or a little more, by repeating one clip
// packet by packet. It ends with the clip: a cut elsewhere would lose a picture
// before its last one.
func (b *bench) makeLong(ctx context.Context, name string, seconds int, index []string) (string, error) {
	r, err := b.makeReel(ctx)
	if err != nil {
		return "", err
	}
	tape := max(b.tape, shortestTape)
	times := (seconds + tape - 1) / tape
	path := filepath.Join(b.dir, name)
	args := []string{
		"-stream_loop", strconv.Itoa(times - 1), "-i", r.pictures,
		"-stream_loop", "-1", "-t", strconv.Itoa(times * tape), "-i", r.sound,
		"-map", "0:v", "-map", "1:a", "-c", "copy",
	}
	_, err = b.ffmpeg(ctx, append(append(args, index...), path)...)
	return path, err
}

// findMedia gives the longest video of 1080p with sound in the media folder,
// and its length in seconds; "" without a folder. It is longer than seconds.
func (b *bench) findMedia(ctx context.Context, seconds int) (string, float64, error) {
	if b.media == "" {
		return "", 0, nil
	}
	files, err := filepath.Glob(filepath.Join(b.media, "*.mp4"))
	if err != nil {
		return "", 0, err
	}
	best, longest := "", float64(seconds)
	for _, file := range files {
		probe := exec.CommandContext(ctx, "ffprobe", "-v", "error", "-show_entries", "format=duration:stream=height,codec_type", "-of", "default=nk=1:nw=1", file)
		said, err := probe.Output()
		if err != nil {
			return "", 0, fmt.Errorf("ffprobe %s: %w", file, err)
		}
		// video, its height, audio, the duration: one a line
		lines := strings.Fields(string(said))
		if len(lines) != 4 || lines[0] != "video" || lines[1] != "1080" || lines[2] != "audio" {
			continue
		}
		if length, err := strconv.ParseFloat(lines[3], 64); err == nil && length > longest {
			best, longest = file, length
		}
	}
	if best == "" {
		return "", 0, fmt.Errorf("%s: no .mp4 of 1080p with sound that is longer than %d s", b.media, seconds)
	}
	if best, err = filepath.Abs(best); err != nil {
		return "", 0, err
	}
	return best, longest, nil
}

// makeTiny makes the videos that are to be ready: as small as a video can be,
// and each a file of its own.
func (b *bench) makeTiny(ctx context.Context) ([]string, error) {
	dir := filepath.Join(b.dir, "tiny")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	first := filepath.Join(dir, "clip-000.mp4")
	if _, err := b.ffmpeg(ctx, "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=10", "-t", "1", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", first); err != nil {
		return nil, err
	}
	clips := []string{first}
	for i := 1; i < b.ready; i++ {
		clip := filepath.Join(dir, fmt.Sprintf("clip-%03d.mp4", i))
		if err := os.Link(first, clip); err != nil {
			return nil, err
		}
		clips = append(clips, clip)
	}
	return clips, nil
}
