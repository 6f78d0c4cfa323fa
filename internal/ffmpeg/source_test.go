package ffmpeg

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spool-video/spool"
)

// film makes a media file; the arguments are split at spaces.
func film(t testing.TB, name, args string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	list := append([]string{"-nostdin", "-v", "error", "-y"}, strings.Fields(args)...)
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", append(list, "file:"+path)...).CombinedOutput(); err != nil {
		t.Fatalf("make %s: %v\n%s", name, err, out)
	}
	return path
}

const (
	filmed = "-f lavfi -i testsrc2=s=64x36:r=25:d=2 "
	spoken = "-f lavfi -i sine=r=44100:d=2 "
	coded  = "-c:v libx264 -preset ultrafast -bf 2 -g 25 -sc_threshold 0 "
)

func mustFind(t testing.TB) Tools {
	t.Helper()
	tools, err := Find(t.Context(), "", "", "")
	if err != nil {
		t.Fatal(err)
	}
	return tools
}

func TestFind(t *testing.T) {
	tools := mustFind(t)
	version, err := tools.Version(t.Context())
	if err != nil || version == "" {
		t.Errorf("version %q, %v", version, err)
	}
	if filters, err := tools.Filters(t.Context()); err != nil || !filters["bwdif"] {
		t.Errorf("no bwdif: %v", err)
	}
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ ffmpeg, ffprobe, code string }{
		{filepath.Join(dir, "none"), "", "no-ffmpeg"},
		{"", filepath.Join(dir, "none"), "no-ffmpeg"},
		{script("broken", "exit 127\n"), "", "no-ffmpeg"},
		{script("poor", "echo ' A..... aac'\n"), "", "no-libx264"},
	} {
		_, err := Find(t.Context(), c.ffmpeg, c.ffprobe, "")
		var e *spool.Error
		if !errors.As(err, &e) || e.Code != c.code || e.Class != spool.Environment || e.Hint == "" {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}

// Who decodes needs an ffmpeg that starts, whatever it can encode.
func TestFindDecoder(t *testing.T) {
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	poor := script("poor", "echo ffmpeg version 5\n")
	if tools, err := FindDecoder(t.Context(), poor, ""); err != nil || tools.FFmpeg != poor || tools.Unconfined != "" {
		t.Errorf("without libx264: %+v, %v", tools, err)
	}
	if tools, err := FindDecoder(t.Context(), "", "it is said so"); err != nil || !filepath.IsAbs(tools.FFmpeg) || tools.Unconfined != "it is said so" {
		t.Errorf("the usual one: %+v, %v", tools, err)
	}
	for _, path := range []string{filepath.Join(dir, "none"), script("broken", "exit 127\n")} {
		_, err := FindDecoder(t.Context(), path, "")
		var e *spool.Error
		if !errors.As(err, &e) || e.Code != "no-ffmpeg" || e.Hint == "" {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

func TestProbeRefusesFiles(t *testing.T) {
	tools, dir := mustFind(t), t.TempDir()
	whole, err := os.ReadFile(film(t, "a.mp4", filmed+coded))
	if err != nil {
		t.Fatal(err)
	}
	protected := film(t, "p.mp4", filmed+coded+"-encryption_scheme cenc-aes-ctr -encryption_key 00112233445566778899aabbccddeeff -encryption_kid 00112233445566778899aabbccddeeff")
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// A playlist that names a neighbour, behind a name that looks like media.
	write("seg.ts", whole)
	for _, c := range []struct{ path, code string }{
		{filepath.Join(dir, "gone.mp4"), "missing-file"},
		{dir, "not-a-file"},
		{write("empty.mp4", nil), "empty-file"},
		{write("cut.mp4", whole[:len(whole)/2]), "incomplete-file"},
		{write("noise.mp4", slices.Repeat([]byte{0x80, 0x11, 0x9c, 3, 0xee}, 3000)), "not-media"},
		{write("list.mp4", []byte("#EXTM3U\n#EXTINF:1,\nseg.ts\n#EXT-X-ENDLIST\n")), "playlist"},
		{protected, "encrypted"},
		{film(t, "magic.avi", filmed+"-frames:v 2 -c:v magicyuv"), "not-media"},
		{film(t, "wide.mov", "-f lavfi -i color=s=9000x9000:r=1:d=1 -frames:v 1 -c:v png"), "no-picture-size"},
	} {
		_, err := Probe(t.Context(), tools, c.path)
		var e *spool.Error
		if !errors.As(err, &e) || e.Code != c.code || e.Hint == "" {
			t.Errorf("%s: got %v", filepath.Base(c.path), err)
		}
		if e != nil && strings.Contains(e.Reason, "\n") {
			t.Errorf("%s: more than a sentence: %q", c.code, e.Reason)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Probe(ctx, tools, write("a.mp4", whole)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestProbeNames(t *testing.T) {
	tools := mustFind(t)
	made := film(t, "a.mp4", filmed+coded)
	for _, name := range []string{"-i", "http:x.mp4", "x%d.mp4", "a b'\"$(id).mp4", "new\nline", "\xff\xfe"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.Link(made, path); err != nil {
			t.Fatal(err)
		}
		facts, err := Probe(t.Context(), tools, path)
		if err != nil || facts.Video == nil || facts.Video.Width != 64 || facts.Video.FrameRate.Float() != 25 {
			t.Errorf("%q: %+v, %v", name, facts, err)
		}
	}
}

func index(t *testing.T, path string, careful bool) (*FrameIndex, error) {
	t.Helper()
	tools := mustFind(t)
	facts, err := Probe(t.Context(), tools, path)
	if err != nil {
		t.Fatal(err)
	}
	return Index(t.Context(), tools, path, facts, careful)
}

func TestIndex(t *testing.T) {
	av := filmed + spoken
	for _, c := range []struct {
		name, args string
		keys       int
		decoded    bool
		packet     int
	}{
		{"a.mp4", av + coded + "-c:a aac", 2, false, 1024},
		// ffmpeg stretches the first packet of sound here: no unbroken run.
		{"f.mp4", av + coded + "-c:a aac -movflags +frag_keyframe+empty_moov", 2, false, 0},
		{"a.mkv", av + coded + "-c:a libmp3lame", 2, false, 1152},
		{"a.ts", av + coded + "-c:a aac", 2, false, 1024},
		{"a.mov", av + coded + "-c:a pcm_s16le", 2, false, 0},
		{"b.avi", av + "-c:v mpeg4 -bf 2 -g 25 -c:a libmp3lame", 0, true, 1152},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, err := index(t, film(t, c.name, c.args), false)
			if err != nil {
				t.Fatal(err)
			}
			if len(x.PTS) != 50 || !slices.IsSorted(x.PTS) || x.Decoded != c.decoded || !c.decoded && len(x.Keys) != c.keys {
				t.Errorf("%d frames, keys %v, decoded %v", len(x.PTS), x.Keys, x.Decoded)
			}
			if d := x.TimeBase.Duration(x.End - x.Origin()).Seconds(); d < 1.998 || d > 2.002 {
				t.Errorf("lasts %f s", d)
			}
			if s := x.Sounds[1]; s == nil || s.PacketSamples != c.packet || c.packet > 0 && s.Gaps != 0 {
				t.Errorf("sound %+v", s)
			}
		})
	}
}

// Frames that an edit list or a cut hides are not on the timeline.
func TestIndexHiddenFrames(t *testing.T) {
	long := film(t, "a.mp4", "-f lavfi -i testsrc2=s=64x36:r=25:d=4 -f lavfi -i sine=d=4 "+coded+"-c:a aac")
	x, err := index(t, film(t, "cut.mp4", "-ss 1.48 -i "+long+" -c copy"), false)
	if err != nil {
		t.Fatal(err)
	}
	if len(x.PTS) != 63 || x.Origin() < 0 || x.Keys[0] >= 0 || x.Sounds[1].Hidden < 2 {
		t.Errorf("%d frames from %d, keys %v, %d packets hidden", len(x.PTS), x.Origin(), x.Keys, x.Sounds[1].Hidden)
	}
	careful, err := index(t, film(t, "cut2.mp4", "-ss 1.48 -i "+long+" -c copy"), true)
	if err != nil || !careful.Decoded || !slices.Equal(careful.PTS, x.PTS) {
		t.Errorf("decoded: %v, %v", careful, err)
	}
}

func TestIndexRefusesAndNotes(t *testing.T) {
	one, err := os.ReadFile(film(t, "a.ts", filmed+coded))
	if err != nil {
		t.Fatal(err)
	}
	twice := filepath.Join(t.TempDir(), "twice.ts")
	if err := os.WriteFile(twice, append(one, one...), 0o600); err != nil {
		t.Fatal(err)
	}
	var e *spool.Error
	if _, err := index(t, twice, false); !errors.As(err, &e) || e.Code != "clock-restarts" {
		t.Errorf("got %v", err)
	}
	long := film(t, "long.mkv", "-f lavfi -i color=s=64x36:r=1/50000:d=150000 -c:v ffv1")
	if _, err := index(t, long, false); !errors.As(err, &e) || e.Code != "too-long" {
		t.Errorf("got %v", err)
	}
	hole := film(t, "hole.mkv", filmed+spoken+"-af aselect='not(between(t,0.5,1.2))' "+coded+"-c:a aac")
	x, err := index(t, hole, false)
	if err != nil || x.Sounds[1].Gaps == 0 || x.Sounds[1].PacketSamples != 0 {
		t.Errorf("got %+v, %v", x.Sounds[1], err)
	}
}
