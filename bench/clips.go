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

// makeClips makes the batch, clips of equal length with sound, and one longer
// clip: cut from a real video where there is one.
func (b *bench) makeClips(ctx context.Context) (batch []string, long string, err error) {
	source, length, err := b.findMedia(ctx)
	if err != nil {
		return nil, "", err
	}
	if source == "" {
		b.note("making %d clips of %d s and one of %d s", b.clips, b.seconds, b.one)
	} else {
		b.note("cutting %d clips of %d s and one of %d s from %s", b.clips, b.seconds, b.one, filepath.Base(source))
	}
	for i := range b.clips {
		start := (length - float64(b.seconds)) * float64(i) / float64(max(b.clips-1, 1))
		clip, err := b.makeClip(ctx, source, i, start, b.seconds)
		if err != nil {
			return nil, "", err
		}
		batch = append(batch, clip)
	}
	long, err = b.makeClip(ctx, source, b.clips, 0, b.one)
	return batch, long, err
}

// makeClip cuts a clip from a source, or makes one up when that is "".
func (b *bench) makeClip(ctx context.Context, source string, number int, start float64, seconds int) (string, error) {
	args := []string{
		"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%s:rate=24,hue=h=%d,noise=alls=6:allf=t:all_seed=%d", b.size, number*50, number+1),
		"-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=%d:sample_rate=48000", 220+40*number),
	}
	if source != "" {
		args = []string{"-ss", fmt.Sprintf("%.3f", start), "-i", source}
	}
	clip := filepath.Join(b.dir, fmt.Sprintf("clip-%d.mp4", number))
	args = append(args, "-t", strconv.Itoa(seconds), "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p",
		"-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart", clip)
	_, err := b.ffmpeg(ctx, args...)
	return clip, err
}

// findMedia gives the longest video of 1080p with sound in the media folder,
// and its length in seconds; "" without one that is long enough.
func (b *bench) findMedia(ctx context.Context) (string, float64, error) {
	if b.media == "" {
		return "", 0, nil
	}
	files, err := filepath.Glob(filepath.Join(b.media, "*.mp4"))
	if err != nil {
		return "", 0, err
	}
	best, longest := "", float64(max(b.seconds, b.one))
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
		return "", 0, fmt.Errorf("%s: no .mp4 of 1080p with sound that is longer than %d s", b.media, max(b.seconds, b.one))
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
