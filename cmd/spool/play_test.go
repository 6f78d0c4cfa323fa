package main

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/playtest"
)

// programme is what is published for players: its length in seconds and, of
// the pictures, the frames.
type programme struct {
	id, args string
	seconds  float64
	frames   int
	sizes    [][2]int // smallest first; one without pictures for sound alone
}

var programmes = []programme{
	{
		"movie", "-f lavfi -i testsrc2=s=320x180:r=25:d=14 -f lavfi -i sine=f=440:d=14 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 40 -c:a aac",
		14, 350,
		[][2]int{{160, 90}, {242, 136}, {320, 180}},
	},
	{
		"portrait", "-f lavfi -i testsrc2=s=180x320:r=30:d=7 -f lavfi -i sine=f=440:d=7 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac",
		7, 210,
		[][2]int{{90, 160}, {136, 242}, {180, 320}},
	},
	{
		"silent", "-f lavfi -i testsrc2=s=160x90:r=25:d=7 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
		7, 175,
		[][2]int{{160, 90}},
	},
	{"sound", "-f lavfi -i sine=f=440:d=14 -vn -c:a aac", 14, 0, [][2]int{{0, 0}}},
}

// TestPublishedPackagesPlay publishes with the real program, in the clear and
// encrypted, and holds the packages against everything that plays or reads HLS
// and shares no code with us. It runs alone: a player that gets no CPU stalls.
func TestPublishedPackagesPlay(t *testing.T) {
	s := newStudio(t)
	sources := map[string]string{}
	for _, p := range programmes {
		sources[p.id] = s.path(p.id + ".mp4")
		mediatest.FFmpeg(t, append(strings.Fields(p.args), sources[p.id])...)
	}
	s.publish(t, "clear", sources, "--sizes", "90,136,180")
	s.publish(t, "coded", sources, "--sizes", "90,136,180", "--keys", s.path("keys"), "--key-rotation", "1")
	places := map[string]string{"clear": s.preview(t, "clear"), "coded": s.preview(t, "coded", "--keys", s.path("keys"))}

	t.Run("verify", func(t *testing.T) {
		for to := range places {
			out, errs, code := s.spool(t, "verify", "--all", "--to", s.path(to))
			if code != exitReady || strings.Count(out, "\tgood\t") != len(programmes) {
				t.Errorf("spool verify of %s ends with %d:\n%s%s", to, code, out, errs)
			}
		}
	})
	t.Run("hls-parser", s.readByHLSParser)
	t.Run("ffmpeg", func(t *testing.T) {
		for to, address := range places {
			for _, p := range programmes {
				s.countByFFmpeg(t, to, address, p)
			}
		}
	})
	t.Run("chromium", func(t *testing.T) {
		browser := playtest.Start(t)
		for to, address := range places {
			t.Run(to, func(t *testing.T) {
				t.Parallel() // each plays in a tab of its own
				for _, p := range programmes {
					p.look(t, browser, address)
					for level := range p.sizes {
						p.play(t, browser, address, playtest.Options{Level: level, SeekTo: p.seconds * 0.6, Rate: 4, Limit: 90 * time.Second})
					}
				}
			})
		}
	})
}

// play plays one size to its end and holds what the browser says against what
// was published.
func (p programme) play(t *testing.T, browser *playtest.Browser, address string, o playtest.Options) {
	t.Helper()
	r := browser.Play(t, address, "media/"+p.id+"/master.m3u8", o)
	size := p.sizes[o.Level]
	what := strings.Join([]string{p.id, address}, " at ")
	if !r.Ended || len(r.Errors) > 0 {
		t.Errorf("%s, level %d: ended %v at %.2f of %.2f, errors %q", what, o.Level, r.Ended, r.Position, r.Duration, r.Errors)
		return
	}
	if len(r.Buffered) != 1 || r.Buffered[0][0] > 0.005 || math.Abs(r.Buffered[0][1]-p.seconds) > 0.05 {
		t.Errorf("%s, level %d: buffered %v, want one range [0, %g]", what, o.Level, r.Buffered, p.seconds)
	}
	if math.Abs(r.Duration-p.seconds) > 0.05 {
		t.Errorf("%s, level %d: lasts %.3f s, want %g", what, o.Level, r.Duration, p.seconds)
	}
	if r.Width != size[0] || r.Height != size[1] {
		t.Errorf("%s, level %d: shows %dx%d, want %v", what, o.Level, r.Width, r.Height, size)
	}
	if len(r.Levels) != len(p.sizes) || p.frames > 0 && !slices.Equal(r.Shown, []int{o.Level}) {
		t.Errorf("%s, level %d: %d levels, shown %v", what, o.Level, len(r.Levels), r.Shown)
	}
	for _, track := range r.Tracks {
		if len(track.Buffered) != 1 || math.Abs(track.Start()-r.Tracks[0].Start()) > 0.005 || math.Abs(track.Start()) > 0.005 {
			t.Errorf("%s, level %d: %s holds %v", what, o.Level, track.Type, track.Buffered)
		}
	}
}

// look shows I-frames: of any size when they are ranges, of the smallest when
// they are files of their own.
func (p programme) look(t *testing.T, browser *playtest.Browser, address string) {
	t.Helper()
	if p.frames == 0 {
		return
	}
	r := browser.Look(t, address, "media/"+p.id+"/master.m3u8", []float64{1, p.seconds * 0.7, p.seconds * 0.4, p.seconds - 0.3})
	if len(r.Errors) > 0 || len(r.Seen) != 4 || !slices.Contains(p.sizes, [2]int{r.Width, r.Height}) {
		t.Errorf("%s at %s: I-frames %+v", p.id, address, r)
	}
	if r.Lists != len(p.sizes) && r.Lists != 1 {
		t.Errorf("%s at %s: %d lists of I-frames", p.id, address, r.Lists)
	}
}

// countByFFmpeg decodes every rendition through its playlist, with the keys
// that the preview hands out.
func (s studio) countByFFmpeg(t *testing.T, to, address string, p programme) {
	t.Helper()
	master := s.master(t, to, p.id)
	for _, v := range master.Variants {
		stream, want := "0:v:0", p.frames
		if p.frames == 0 {
			stream, want = "0:a:0", packetsIn(p.seconds)
		}
		s.decode(t, address+"/media/"+p.id+"/"+v.URI, stream, want)
	}
	for _, a := range master.Audio {
		s.decode(t, address+"/media/"+p.id+"/"+a.URI, "0:a:0", packetsIn(p.seconds))
	}
	for _, i := range master.IFrames {
		n := bytes.Count(s.read(t, to, p.id, i.URI), []byte("#EXTINF"))
		if n < int(p.seconds/2) {
			t.Errorf("%s, %s has %d I-frames", p.id, i.URI, n)
		}
		s.decode(t, address+"/media/"+p.id+"/"+i.URI, "0:v:0", n)
	}
}

// packetsIn is how many AAC packets sound of that length has, priming left out.
func packetsIn(seconds float64) int { return int(math.Ceil(seconds * 48000 / 1024)) }

func (s studio) decode(t *testing.T, playlist, stream string, want int) {
	t.Helper()
	out := mediatest.FFmpeg(t, "-xerror", "-allowed_extensions", "ALL", "-i", playlist,
		"-map", stream, "-fps_mode", "passthrough", "-f", "framecrc", "-")
	frames := 0
	for line := range bytes.Lines(out) {
		if line[0] != '#' {
			frames++
		}
	}
	// Of the sound, ffmpeg gives the priming packet or does not.
	if frames != want && (stream != "0:a:0" || frames != want+1) {
		t.Errorf("%s has %d frames, want %d", playlist, frames, want)
	}
}

// readByHLSParser reads every playlist strictly.
func (s studio) readByHLSParser(t *testing.T) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	js := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "check.mjs"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "internal", "hls", "jstest", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(js, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline")
	install.Dir = js
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	lists := slices.Concat(s.find(t, "c*", "*", "master.m3u8"), s.find(t, "c*", "*", "r*", "*", "i*.m3u8"))
	check := exec.CommandContext(t.Context(), "node", append([]string{"check.mjs"}, lists...)...)
	check.Dir = js
	out, err := check.CombinedOutput()
	if err != nil || strings.Count(string(out), "\n") != len(lists) {
		t.Errorf("hls-parser: %v\n%s", err, out)
	}
}

// TestDamageIsTold damages every object of a published package in each of the
// ways in which stores and disks do.
func TestDamageIsTold(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	source := s.path("a.mp4")
	mediatest.FFmpeg(t, append(strings.Fields(clipKinds["plain"]), source)...)
	s.publish(t, "bucket", map[string]string{"vid": source}, "--keys", s.path("keys"))
	objects := slices.Concat(s.find(t, "bucket", "vid", "*.*"), s.find(t, "bucket", "vid", "r*", "*.json"), s.find(t, "bucket", "vid", "r*", "*", "*.*"))
	if len(objects) != 12 {
		t.Errorf("the package has %d objects: %q", len(objects), objects)
	}
	check := func(what string) {
		t.Helper()
		if out, errs, code := s.spool(t, "verify", "vid", "--to", s.path("bucket")); code != exitSomeFailed {
			t.Errorf("%s: verify ends with %d:\n%s%s", what, code, out, errs)
		}
	}
	for _, name := range objects {
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, damage := range []struct {
			what string
			do   func() error
		}{
			{"flipped byte", func() error { return os.WriteFile(name, flipped(whole), 0o600) }},
			{"short", func() error { return os.WriteFile(name, whole[:len(whole)-1], 0o600) }},
			{"missing", func() error { return os.Remove(name) }},
		} {
			if err := damage.do(); err != nil {
				t.Fatal(err)
			}
			check(damage.what + " " + filepath.Base(name))
		}
		if err := os.WriteFile(name, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, errs, code := s.spool(t, "verify", s.path("bucket"), "--keys", s.path("keys")); code != exitReady {
		t.Errorf("the whole package: verify ends with %d:\n%s%s", code, out, errs)
	}
	key := s.find(t, "keys", "vid", "*.key")[0]
	if err := os.WriteFile(key, flipped(s.read(t, "keys", "vid", filepath.Base(key))), 0o600); err != nil {
		t.Fatal(err)
	}
	// Without the ledger, whose key is right.
	if out, errs, code := s.spool(t, "verify", s.path("bucket"), "--keys", s.path("keys"), "--state", s.path("nowhere")); code != exitSomeFailed {
		t.Errorf("wrong key: verify ends with %d:\n%s%s", code, out, errs)
	}
}

// flipped is b with one bit in its middle changed.
func flipped(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 1
	return b
}
