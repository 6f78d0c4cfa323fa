package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// rung is one size with Spool's default cap.
type rung struct{ width, height, kbps int }

// ladder is Spool's default one for a source of 1080p.
var ladder = []rung{{640, 360, 800}, {1280, 720, 3000}, {1920, 1080, 6000}}

func (r rung) scale() string { return fmt.Sprintf("scale=%d:%d", r.width, r.height) }

// encoder are the arguments that the yardstick shares with Spool's promise:
// the same quality, caps, preset and key frames.
func (r rung) encoder(preset string) []string {
	rate := strconv.Itoa(r.kbps) + "k"
	return []string{
		"-c:v", "libx264", "-preset", preset, "-profile:v", "high", "-pix_fmt", "yuv420p",
		"-crf", "23", "-maxrate", rate, "-bufsize", rate, "-g", "48", "-keyint_min", "48", "-sc_threshold", "0",
	}
}

// spent is what a process, with all that it started, used.
type spent struct{ wall, cpu time.Duration }

// env is not the user's: home and settings are scratch.
func (b *bench) env() []string {
	return append(os.Environ(), "HOME="+b.dir, "XDG_CONFIG_HOME="+b.dir, "XDG_STATE_HOME="+b.dir, "XDG_CACHE_HOME="+b.dir)
}

// command is a program that is asked to end when the context does.
func (b *bench) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, program, args...)
	command.Dir, command.Env = b.dir, b.env()
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 20 * time.Second
	return command
}

// errStuck ends a program that does not.
var errStuck = errors.New("it did not end in time (-limit)")

// call runs a program to its end. One that is stuck is asked where it is, and
// what it answers is kept.
func (b *bench) call(ctx context.Context, program string, args ...string) (spent, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.limit, errStuck)
	defer cancel()
	command := b.command(ctx, program, args...)
	command.Cancel = func() error {
		if errors.Is(context.Cause(ctx), errStuck) {
			return command.Process.Signal(syscall.SIGQUIT)
		}
		return command.Process.Signal(os.Interrupt)
	}
	var said bytes.Buffer
	command.Stderr = &said
	began := time.Now()
	err := command.Run()
	wall := time.Since(began)
	if errors.Is(context.Cause(ctx), errStuck) {
		err = errors.Join(err, fmt.Errorf("%w: %s", errStuck, keep(said.Bytes())))
	}
	if err != nil {
		return spent{}, fmt.Errorf("%s %s: %w: %s", filepath.Base(program), strings.Join(args, " "), err, tail(said.String()))
	}
	state := command.ProcessState
	return spent{wall, state.UserTime() + state.SystemTime()}, nil
}

// keep saves what a program said beyond the end of the run, and says where.
func keep(said []byte) string {
	file, err := os.CreateTemp("", "spool-bench-stuck-*.txt")
	if err != nil {
		return err.Error()
	}
	_, err = file.Write(said)
	if err = errors.Join(err, file.Close()); err != nil {
		return err.Error()
	}
	return file.Name()
}

// tail is the last of what a program said.
func tail(said string) string {
	said = strings.TrimSpace(said)
	return said[max(0, len(said)-2000):]
}

func (b *bench) ffmpeg(ctx context.Context, args ...string) (spent, error) {
	return b.call(ctx, "ffmpeg", append([]string{"-nostdin", "-v", "error", "-y"}, args...)...)
}

// yardstick does the batch as a good script would: one goroutine downloads a
// video after the other, another encodes what is there, three runs of ffmpeg a
// video.
func (b *bench) yardstick(ctx context.Context, urls []string) (spent, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type arrival struct {
		path string
		err  error
	}
	arrived := make(chan arrival, len(urls)) // never full: the goroutine below always ends
	began := time.Now()
	go func() {
		defer close(arrived)
		for i, url := range urls {
			path := filepath.Join(b.dir, fmt.Sprintf("yard-%d.mp4", i))
			err := download(ctx, url, path)
			arrived <- arrival{path, err}
			if err != nil {
				return
			}
		}
	}()
	var all spent
	var failed error
	for a := range arrived {
		if failed == nil {
			failed = a.err
		}
		if failed != nil {
			cancel() // and wait for the channel to close
			continue
		}
		cpu, err := b.threeRuns(ctx, a.path)
		failed = err
		all.cpu += cpu
	}
	all.wall = time.Since(began)
	return all, failed
}

// threeRuns encodes a video size by size into MPEG-TS segments and gives the
// CPU time.
func (b *bench) threeRuns(ctx context.Context, path string) (time.Duration, error) {
	var cpu time.Duration
	for _, r := range b.rungs {
		out := strings.TrimSuffix(path, ".mp4") + fmt.Sprintf("-%dp", r.height)
		args := []string{"-i", path, "-vf", r.scale()}
		args = append(args, r.encoder(b.preset)...)
		args = append(args, "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", "48000",
			"-f", "segment", "-segment_time", "6", "-segment_format", "mpegts", "-segment_list", out+".m3u8", out+"-%05d.ts")
		used, err := b.ffmpeg(ctx, args...)
		if err != nil {
			return 0, err
		}
		cpu += used.cpu
	}
	return cpu, nil
}

// encodeAlone is how long the clips take in one ffmpeg each, one after the
// other: one decode, all rungs, nothing else going on. Nothing that encodes
// the same on this machine is much faster.
func (b *bench) encodeAlone(ctx context.Context, clips []string) (time.Duration, error) {
	var total time.Duration
	for i, clip := range clips {
		out := filepath.Join(b.dir, fmt.Sprintf("alone-%d", i))
		var graph strings.Builder
		fmt.Fprintf(&graph, "[0:v]split=%d", len(b.rungs))
		for n := range b.rungs {
			fmt.Fprintf(&graph, "[s%d]", n)
		}
		for n, r := range b.rungs {
			fmt.Fprintf(&graph, ";[s%d]%s[v%d]", n, r.scale(), n)
		}
		args := []string{"-i", clip, "-filter_complex", graph.String()}
		for n, r := range b.rungs {
			args = append(args, "-map", fmt.Sprintf("[v%d]", n))
			args = append(args, r.encoder(b.preset)...)
			args = append(args, fmt.Sprintf("%s-%dp.mp4", out, r.height))
		}
		args = append(args, "-map", "0:a:0", "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", "48000", out+"-audio.mp4")
		used, err := b.ffmpeg(ctx, args...)
		if err != nil {
			return 0, err
		}
		total += used.wall
	}
	return total, nil
}

// download saves what a URL gives.
func download(ctx context.Context, url, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("download %s: %s", url, response.Status)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, response.Body); err != nil {
		file.Close()
		return fmt.Errorf("download %s: %w", url, err)
	}
	return file.Close()
}
