package main

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool/internal/mediatest"
)

// TestPublishedFrames: every frame of every published size shows the number
// that the source has there, over five chunks and all their joints.
func TestPublishedFrames(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	const frames = 800
	openGOP := mediatest.X264("-g", "40", "-x264-params", "open-gop=1:bframes=3:b-adapt=0")
	s.publish(t, "bucket", map[string]string{
		"matroska": mediatest.Barcode{Name: "s.mkv", Rate: "30000/1001", Frames: frames, Audio: true}.Make(t),
		"mpegts":   mediatest.Barcode{Name: "s.ts", Frames: frames, Codec: openGOP, Audio: true}.Make(t),
	}, "--sizes", "64,90")
	want := make([]int, frames)
	for n := range want {
		want[n] = n
	}
	for _, video := range []string{"matroska", "mpegts"} {
		variants := s.master(t, "bucket", video).Variants
		if len(variants) != 2 {
			t.Errorf("%s: %d sizes", video, len(variants))
		}
		for _, v := range variants {
			got := mediatest.ReadBarcodes(t, s.join(t, "bucket", video, v.URI))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s:\n%s", v.URI, diff)
			}
			t.Logf("%s: %d frames in %d objects", v.URI, len(got), len(s.media(t, "bucket", video, v.URI)))
		}
	}
}

// TestPublishedSync: flash and beep meet within 5 ms at the start, at every
// joint and at the end, though the sound begins late. TestSoakSyncAtAllRates
// tries the other rates.
func TestPublishedSync(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	const seconds = 26
	s.publish(t, "bucket", map[string]string{
		"late":  mediatest.FlashBeep{Name: "s.mkv", Seconds: seconds, Delay: 0.45}.Make(t),
		"early": mediatest.FlashBeep{Seconds: seconds, Rate: 30, Slow: true, Delay: -0.3}.Make(t),
		"holed": mediatest.FlashBeep{Name: "s.mkv", Seconds: seconds, Rate: 24, Hole: [2]float64{9, 11}}.Make(t),
	})
	s.meet(t, "late", 25, seconds, seconds)
	s.meet(t, "early", 30/1.001, seconds, seconds)
	s.meet(t, "holed", 24, seconds, seconds-2)
}

// meet holds that a video of that many frames a second has so many flashes and
// beeps, each beep within 5 ms of a flash.
func (s studio) meet(t *testing.T, video string, rate float64, flashing, beeping int) {
	t.Helper()
	master := s.master(t, "bucket", video)
	flashes := mediatest.Flashes(t, s.join(t, "bucket", video, master.Variants[0].URI))
	beeps := mediatest.Beeps(t, s.join(t, "bucket", video, master.Audio[0].URI))
	if len(flashes) != flashing || len(beeps) != beeping {
		t.Errorf("%s: %d flashes, %d beeps; want %d and %d", video, len(flashes), len(beeps), flashing, beeping)
	}
	worst := 0.0
	for _, beep := range beeps {
		nearest := math.Inf(1)
		for _, flash := range flashes {
			if off := beep - float64(flash)/rate; math.Abs(off) < math.Abs(nearest) {
				nearest = off
			}
		}
		if math.Abs(nearest) > math.Abs(worst) {
			worst = nearest
		}
	}
	if math.Abs(worst) > 0.005 {
		t.Errorf("%s: a beep is %.1f ms from its flash", video, 1000*worst)
	}
	t.Logf("%s: %d flashes, %d beeps, at most %.2f ms apart", video, len(flashes), len(beeps), 1000*worst)
}
