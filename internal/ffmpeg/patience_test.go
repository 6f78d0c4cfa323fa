package ffmpeg

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spool-video/spool"
)

func TestProgramsThatHangAreStopped(t *testing.T) {
	real := mustFind(t)
	path := film(t, "a.mp4", filmed+coded)
	facts, err := Probe(t.Context(), real, path)
	if err != nil {
		t.Fatal(err)
	}
	hangs := filepath.Join(t.TempDir(), "hangs")
	if err := os.WriteFile(hangs, []byte("#!/bin/sh\nexec sleep 600\n"), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	tools := Tools{FFmpeg: hangs, FFprobe: hangs, Patience: 50 * time.Millisecond}
	_, probing := Probe(t.Context(), tools, path)
	_, scanning := Index(t.Context(), tools, path, facts, false)
	_, decoding := decodeTimes(t.Context(), Tools{FFmpeg: hangs, Patience: 50 * time.Millisecond}, path, facts.Video.Index, 1)
	for what, err := range map[string]error{"probing": probing, "scanning": scanning, "decoding": decoding} {
		var e *spool.Error
		if !errors.As(err, &e) || e.Code != "probe-stuck" || e.Class != spool.Transient {
			t.Errorf("%s: %v", what, err)
		}
	}
}
