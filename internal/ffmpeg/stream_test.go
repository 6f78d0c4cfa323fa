package ffmpeg

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/mediatest"
)

// slowStream gives a file after a wait.
func slowStream(t *testing.T, wait time.Duration) (Tools, Stream) {
	t.Helper()
	media, err := os.ReadFile(mediatest.Barcode{Name: "s.ts", Audio: true}.Make(t))
	if err != nil {
		t.Fatal(err)
	}
	return Tools{FFmpeg: "ffmpeg", FFprobe: "ffprobe"}, Stream{Format: "mpegts", Copy: func(ctx context.Context, w io.Writer) error {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		_, err := w.Write(media)
		return err
	}}
}

// What a slow source makes a program wait is no sign that the program hangs.
func TestStreamsAreWaitedFor(t *testing.T) {
	tools, s := slowStream(t, time.Second)
	tools.Patience = 400 * time.Millisecond
	facts, err := ProbeStream(t.Context(), tools, s)
	if err != nil || facts.Video == nil || len(facts.Audio) != 1 {
		t.Fatal(facts, err)
	}
	first, err := FirstShown(t.Context(), tools, s, facts.Video.Index)
	if err != nil {
		t.Fatal(err)
	}
	g, steps := NewGrowing(facts, first), 0
	if err := g.Follow(t.Context(), tools, s, func() error { steps++; return nil }); err != nil {
		t.Fatal(err)
	}
	if x, err := g.Whole(); err != nil || len(x.PTS) != 50 || steps != len(g.Pictures)+len(g.Sounds[0].Places) {
		t.Errorf("%d steps, %v", steps, err)
	}
}

// A program that does not read what there is hangs.
func TestProgramThatDoesNotRead(t *testing.T) {
	tools, s := slowStream(t, 0)
	tools.Patience = 400 * time.Millisecond
	tools.FFprobe = filepath.Join(t.TempDir(), "ffprobe")
	if err := os.WriteFile(tools.FFprobe, []byte("#!/bin/sh\nexec sleep 600\n"), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	_, err := ProbeStream(t.Context(), tools, s)
	if e := (*spool.Error)(nil); !errors.As(err, &e) || e.Code != "probe-stuck" {
		t.Errorf("got %v", err)
	}
}

// The reader of packets may stop it, with an error of its own.
func TestFollowEndsWithItsStep(t *testing.T) {
	tools, s := slowStream(t, 0)
	enough := errors.New("enough")
	facts := spool.Facts{Format: "mpegts", Video: &spool.VideoStream{TimeBase: spool.Ratio{Num: 1, Den: 90000}}}
	err := NewGrowing(facts, 1<<32).Follow(t.Context(), tools, s, func() error { return enough })
	if !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}
