package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/playtest"
)

// wrapping is how a package of TestContainersPlay was made, as the README's
// table names it, and what plays it: hls.js, Chromium's own HLS, ffmpeg.
type wrapping struct {
	name, to string
	flags    []string
	plays    [3]string
}

var wrappings = []wrapping{
	{"CMAF, clear", "cmaf", nil, [3]string{"yes", "yes", "yes"}},
	{"CMAF, AES-128", "cmaf-aes", []string{"--keys", "keys"}, [3]string{"yes", "no", "yes"}},
	{"MPEG-TS, clear", "ts", []string{"--container", "ts"}, [3]string{"yes", "yes", "yes"}},
	{"MPEG-TS, AES-128", "ts-aes", []string{"--container", "ts", "--keys", "keys"}, [3]string{"yes", "yes", "yes"}},
}

const (
	wrappedSeconds = 5
	wrappedFrames  = 25 * wrappedSeconds
)

// TestContainersPlay publishes one source in every wrapping, and tries each
// cell of the README's table: the players that it names play the package to its
// end, every picture of it, MPEG-TS with sound and pictures within 5 ms; those
// that do not say so.
func TestContainersPlay(t *testing.T) {
	s := newStudio(t)
	source := map[string]string{"film": mediatest.FlashBeep{Seconds: wrappedSeconds}.Make(t)}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	browser := playtest.Start(t)
	for _, w := range wrappings {
		t.Run(w.to, func(t *testing.T) {
			s.publish(t, w.to, source, append(w.flags, "--sizes", "90", "--segment", "2s", "--copy", "never", "--preset", "veryfast")...)
			flags := slices.DeleteFunc(slices.Clone(w.flags), func(f string) bool { return f == "--container" || f == "ts" })
			if out, errs, code := s.spool(t, append([]string{"verify", "film", "--to", s.path(w.to)}, flags...)...); code != exitReady || strings.Contains(out, "MUST ") {
				t.Errorf("spool verify ends with %d:\n%s%s", code, out, errs)
			}
			address := s.preview(t, w.to, flags...)
			got := [3]string{
				w.inPlayer(t, browser, address), w.inBrowser(t, browser, address), w.inFFmpeg(t, address),
			}
			if got != w.plays {
				t.Errorf("plays %q, want %q", got, w.plays)
			}
			if row := fmt.Sprintf("| %s | %s |", w.name, strings.Join(w.plays[:], " | ")); !strings.Contains(string(readme), row) {
				t.Errorf("the README's table has no row %q", row)
			}
		})
	}
}

// whole reports whether a player showed all of the film.
func whole(t *testing.T, r playtest.Result) string {
	t.Helper()
	if !r.Ended || len(r.Errors) > 0 || r.Frames != wrappedFrames || r.Width != 160 {
		t.Logf("%+v", r)
		return "no"
	}
	return "yes"
}

// lasts holds how long a player says that the film is: its sound ends with a
// packet.
func lasts(t *testing.T, r playtest.Result, most float64) {
	t.Helper()
	if r.Ended && (r.Duration < wrappedSeconds || r.Duration > most) {
		t.Errorf("it lasts %.3f s", r.Duration)
	}
}

// withPacket is the film's length up to the end of the last packet of sound.
const withPacket = wrappedSeconds + 1024./48000

// inPlayer plays with hls.js. It may complain, of audio that it loaded before
// it knew when the pictures begin, that loading it again brought nothing new.
func (w wrapping) inPlayer(t *testing.T, browser *playtest.Browser, address string) string {
	t.Helper()
	r := browser.Play(t, address, "media/film/master.m3u8", playtest.Options{Rate: 4})
	r.Errors = slices.DeleteFunc(r.Errors, func(e string) bool {
		return strings.HasPrefix(w.to, "ts") && strings.Contains(e, "bufferAppendNoProgress") && !strings.Contains(e, "fatal")
	})
	for _, track := range r.Tracks {
		if len(track.Buffered) != 1 || math.Abs(track.Start()) > 0.005 {
			t.Errorf("%s holds %v", track.Type, track.Buffered)
		}
	}
	lasts(t, r, withPacket)
	return whole(t, r)
}

// inBrowser plays without hls.js. What Chromium cannot play it refuses at once.
// It lays the first packet of sound at 0, also the one that the edit list of
// fragmented MP4 cuts: there the sound is late by it.
func (w wrapping) inBrowser(t *testing.T, browser *playtest.Browser, address string) string {
	t.Helper()
	r := browser.Play(t, address, "media/film/master.m3u8", playtest.Options{Native: true, Rate: 4})
	if strings.HasPrefix(w.to, "ts") {
		lasts(t, r, withPacket)
	}
	if verdict := whole(t, r); verdict == "yes" || strings.Contains(strings.Join(r.Errors, "\n"), "DEMUXER_ERROR") {
		return verdict
	}
	return "neither played nor refused"
}

// inFFmpeg decodes the package by its master playlist, as one film. ffmpeg 5.1
// does not read the negative composition offsets of fragmented MP4 as they are
// meant, and has pictures late by the longest of them.
func (w wrapping) inFFmpeg(t *testing.T, address string) string {
	t.Helper()
	film := filepath.Join(t.TempDir(), "film.mkv")
	mediatest.FFmpeg(t, "-xerror", "-allowed_extensions", "ALL", "-copyts", "-i", address+"/media/film/master.m3u8", "-map", "0:v", "-map", "0:a", "-c", "copy", film)
	start := math.Inf(1)
	for _, line := range strings.Fields(string(mediatest.FFprobe(t, "-select_streams", "v", "-show_entries", "packet=pts_time", "-of", "csv=p=0", film))) {
		at, err := strconv.ParseFloat(strings.Trim(line, ","), 64)
		if err != nil {
			t.Fatal(err)
		}
		start = min(start, at)
	}
	flashes, beeps := mediatest.Flashes(t, film), mediatest.Beeps(t, film)
	if len(flashes) != wrappedSeconds || len(beeps) != wrappedSeconds {
		t.Logf("flashes %v, beeps %v", flashes, beeps)
		return "no"
	}
	for i, n := range flashes {
		if flash := start + float64(n)/25; math.Abs(flash-beeps[i]) > 0.005 && strings.HasPrefix(w.to, "ts") {
			t.Errorf("a flash at %.4f s, and its beep at %.4f s", flash, beeps[i])
		}
	}
	return "yes"
}
