// Package ffmpeg knows ffmpeg and ffprobe: where they are, what they may open,
// what they say of a source, and the arguments with which they make each part
// of a video. Nothing else in Spool knows their options.
package ffmpeg

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/process"
)

// Tools are the programs and how they are run.
type Tools struct {
	FFmpeg, FFprobe string // paths
	Nice            int    // added to their priority
	Tag             string // marks them for process.KillLeftovers
	// Patience is how long one that reads a source may say nothing; 5 minutes
	// when 0.
	Patience time.Duration
	// Unconfined is why the programs may touch whatever their user may; "" when
	// they are held to their inputs, as far as the kernel can.
	Unconfined string
}

const (
	installHint = "install ffmpeg (Debian and Ubuntu: apt install ffmpeg; macOS: brew install ffmpeg) or name it with --ffmpeg and --ffprobe"
	x264Hint    = "install an ffmpeg that was built with libx264; the packages of Debian, Ubuntu and Homebrew are"
)

// Find finds both programs (a bare name, or "" for the usual one, in PATH) and
// makes sure that they start and can encode H.264 and AAC. Errors are
// *spool.Error of class environment, with the codes no-ffmpeg and no-libx264.
// They are confined unless unconfined says why not.
func Find(ctx context.Context, ffmpegPath, ffprobePath, unconfined string) (Tools, error) {
	t := Tools{Unconfined: unconfined}
	var err error
	if t.FFmpeg, err = find(ffmpegPath, "ffmpeg"); err != nil {
		return Tools{}, err
	}
	if t.FFprobe, err = find(ffprobePath, "ffprobe"); err != nil {
		return Tools{}, err
	}
	if err := t.starts(ctx, "ffprobe", t.FFprobe); err != nil {
		return Tools{}, err
	}
	var encoders map[string]bool
	err = t.tryConfined(func() (err error) {
		encoders, err = t.Encoders(ctx)
		return err
	})
	if err != nil {
		return Tools{}, broken("ffmpeg", err)
	}
	for _, name := range []string{"libx264", "aac"} {
		if !encoders[name] {
			return Tools{}, &spool.Error{
				Class: spool.Environment, Code: "no-libx264", Hint: x264Hint,
				Reason: fmt.Sprintf("this ffmpeg has no %s encoder, which all renditions are made with", name),
			}
		}
	}
	return t, nil
}

// FindDecoder finds ffmpeg alone, as Find does, for who encodes nothing with it:
// any ffmpeg that starts will do.
func FindDecoder(ctx context.Context, ffmpegPath, unconfined string) (Tools, error) {
	t := Tools{Unconfined: unconfined}
	var err error
	if t.FFmpeg, err = find(ffmpegPath, "ffmpeg"); err != nil {
		return Tools{}, err
	}
	if err := t.starts(ctx, "ffmpeg", t.FFmpeg); err != nil {
		return Tools{}, err
	}
	return t, nil
}

// starts makes sure that one of the programs does.
func (t *Tools) starts(ctx context.Context, name, path string) error {
	err := t.tryConfined(func() error {
		_, err := t.run(ctx, path, aboutArgs...)
		return err
	})
	if err != nil {
		return broken(name, err)
	}
	return nil
}

func find(path, name string) (string, error) {
	if path == "" {
		path = name
	}
	found, err := exec.LookPath(path)
	if err != nil {
		where := name + " was not found"
		if path != name {
			where = fmt.Sprintf("%s was not found at %s", name, path)
		}
		return "", &spool.Error{
			Class: spool.Environment, Code: "no-ffmpeg", Hint: installHint,
			Reason: where + "; Spool encodes and decodes with it", Err: err,
		}
	}
	// The programs run in folders of their own.
	if found, err = filepath.Abs(found); err != nil {
		return "", fmt.Errorf("find %s: %w", name, err)
	}
	return found, nil
}

func broken(name string, err error) error {
	return &spool.Error{
		Class: spool.Environment, Code: "no-ffmpeg", Hint: installHint,
		Reason: fmt.Sprintf("%s was found but does not run", name), Err: err,
	}
}

var versionPattern = regexp.MustCompile(`^ff\w+ version (\S+)`)

// Version is ffmpeg's version as it says it: "5.1.9-0+deb12u1".
func (t Tools) Version(ctx context.Context) (string, error) {
	said, err := t.run(ctx, t.FFmpeg, aboutArgs...)
	if err != nil {
		return "", fmt.Errorf("version of ffmpeg: %w", err)
	}
	return versionIn(said)
}

// aboutArgs have ffmpeg say what it and its libraries are.
var aboutArgs = []string{"-v", "error", "-version"}

func versionIn(said []byte) (string, error) {
	m := versionPattern.FindSubmatch(said)
	if m == nil {
		return "", fmt.Errorf("version of ffmpeg: not in its answer")
	}
	return string(m[1]), nil
}

// Encoders are the names of all encoders that ffmpeg has.
func (t Tools) Encoders(ctx context.Context) (map[string]bool, error) {
	return t.names(ctx, "-encoders")
}

// Filters are the names of all filters that ffmpeg has.
func (t Tools) Filters(ctx context.Context) (map[string]bool, error) {
	return t.names(ctx, "-filters")
}

// names reads a listing whose lines are flags, a name and words. The heading
// is read as names, too, which does no harm.
func (t Tools) names(ctx context.Context, list string) (map[string]bool, error) {
	out, err := t.run(ctx, t.FFmpeg, "-hide_banner", "-v", "error", list)
	if err != nil {
		return nil, fmt.Errorf("list %s of ffmpeg: %w", strings.TrimPrefix(list, "-"), err)
	}
	names := map[string]bool{}
	for line := range bytes.Lines(out) {
		if f := bytes.Fields(line); len(f) >= 2 {
			names[string(f[1])] = true
		}
	}
	return names, nil
}

// run runs one of the programs on nothing of a user's.
func (t Tools) run(ctx context.Context, path string, args ...string) ([]byte, error) {
	return process.Run(ctx, t.Command(path, args))
}
