package ffmpeg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/process"
)

const incompleteHint = "fetch it again; if it is a recording, repair it with the program that made it"

// Probe finds the facts of a source file. What cannot be published is refused
// with a *spool.Error of class permanent: an empty file (empty-file), no media
// (not-media, web-page, playlist, json, xml), no index (incomplete-file), an
// encrypted one (encrypted), neither pictures nor sound (no-media), or more
// than the limits allow. Durations are what the file says; Index measures.
func Probe(ctx context.Context, tools Tools, path string) (spool.Facts, error) {
	kind, size, found, err := look(path)
	if err != nil {
		return spool.Facts{}, err
	}
	if kind == "mp4" {
		if err := judgeMovie(found); err != nil {
			return spool.Facts{}, err
		}
	}
	facts, err := tools.facts(ctx, path, found)
	facts.Size = size
	return facts, err
}

// ProbeArriving finds the facts of a source of size bytes that is still
// arriving, at its loopback address. The errors are Probe's, without those
// that need the whole file.
func ProbeArriving(ctx context.Context, tools Tools, address string, size int64) (spool.Facts, error) {
	facts, err := tools.facts(ctx, address, movie{})
	facts.Size = size
	return facts, err
}

// facts asks ffprobe.
func (t Tools) facts(ctx context.Context, source string, found movie) (spool.Facts, error) {
	args := append([]string{"-v", "error", "-show_format", "-show_streams", "-of", "json"}, guarded(source)...)
	watched, _, stop := t.watch(ctx)
	defer stop()
	out, err := process.Run(watched, t.probe(args))
	if err != nil {
		return spool.Facts{}, hung(watched, unreadable(err, found))
	}
	return parse(out)
}

// probe is ffprobe under its limits, in no folder of anybody's.
func (t Tools) probe(args []string) process.Command {
	c := t.Command(t.FFprobe, args)
	c.Limits = probeLimits()
	return c
}

// look reads what Spool itself judges of a file.
func look(path string) (kind string, size int64, found movie, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", 0, movie{}, unopened(path, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", 0, movie{}, fmt.Errorf("probe %s: %w", filepath.Base(path), err)
	}
	if !info.Mode().IsRegular() {
		return "", 0, movie{}, refuse("not-a-file", "the source is not a regular file", "give a file")
	}
	head, err := io.ReadAll(io.LimitReader(file, HeadSize))
	if err != nil {
		return "", 0, movie{}, fmt.Errorf("probe %s: %w", filepath.Base(path), err)
	}
	if kind, err = Sniff(head); err != nil {
		return "", 0, movie{}, err
	}
	if kind == "mp4" {
		found = inspect(file, info.Size())
	}
	return kind, info.Size(), found, nil
}

func unopened(path string, err error) error {
	e := &spool.Error{Class: spool.Environment, Code: "unreadable-source", Reason: "the source file cannot be opened", Hint: "check its permissions and its disk", Err: err}
	if errors.Is(err, fs.ErrNotExist) {
		e.Class, e.Code, e.Reason = spool.Permanent, "missing-file", fmt.Sprintf("the source file %q is not there", clean(filepath.Base(path), 80))
		e.Hint = "check the path"
	}
	return e
}

func judgeMovie(m movie) error {
	switch {
	case m.tracks > MaxStreams:
		return tooManyStreams(m.tracks)
	case m.encrypted:
		return encrypted()
	case !m.moov:
		return refuse("incomplete-file", "the file is incomplete: its index (moov) is missing", incompleteHint)
	}
	return nil
}

// unreadable says why ffprobe failed: what it reads is hostile or broken, or
// it was killed, which is not the file's fault alone.
func unreadable(err error, found movie) error {
	var exit *process.ExitError
	switch {
	case !errors.As(err, &exit):
		return fmt.Errorf("probe: %w", err)
	case exit.Signal == syscall.SIGXCPU:
		e := refuse("too-costly", "reading the file's structure takes more time than Spool allows", tooLargeHint)
		e.Err = err
		return e
	case exit.Signal != 0:
		return fmt.Errorf("probe: %w", err)
	}
	e := refuse("not-media", "the file cannot be read: it is no media, or damaged, or of a kind or size beyond what Spool decodes", notMediaHint)
	if found.cut {
		e = refuse("incomplete-file", "the file is incomplete: it ends in the middle of its data", incompleteHint)
	}
	e.Err = err
	return e
}
