package verify_test

import (
	"bytes"
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/stage/finish"
	"github.com/spool-video/spool/internal/verify"
	"github.com/spool-video/spool/internal/verify/verifytest"
)

// packages are the whole packages that were made, by options.
var packages = map[verifytest.Options]*verifytest.Memory{}

// published gives a whole package of the test's own.
func published(t *testing.T, o verifytest.Options) *verifytest.Memory {
	t.Helper()
	if packages[o] == nil {
		packages[o] = publish(t, o)
	}
	return packages[o].Clone()
}

func publish(t *testing.T, o verifytest.Options) *verifytest.Memory {
	t.Helper()
	m := verifytest.NewMemory()
	job := verifytest.Job(t, m, o)
	if _, err := (finish.Stage{Store: m, Version: "test"}).Run(t.Context(), job, func(spool.Progress) {}); err != nil {
		t.Fatal(err)
	}
	return m
}

func keysOf(string) ([]byte, error) { return verifytest.Key, nil }

// undecoded is a deep check without the decoder's word: what it finds is found
// by reading alone.
func undecoded(t *testing.T, m *verifytest.Memory) verify.Report {
	t.Helper()
	report := check(t, m, verify.Options{Keys: keysOf, Deep: true, Tools: ffmpeg.Tools{FFmpeg: "/bin/true"}})
	report.Findings = slices.DeleteFunc(report.Findings, func(f verify.Finding) bool { return f.Rule == "decode" })
	return report
}

func check(t *testing.T, m *verifytest.Memory, o verify.Options) verify.Report {
	t.Helper()
	report, err := verify.Package(t.Context(), m, verifytest.Video, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func findingsFor(r verify.Report, object string) []verify.Finding {
	var found []verify.Finding
	for _, f := range r.Findings {
		if f.Object == object && f.Level == verify.Error {
			found = append(found, f)
		}
	}
	return found
}

// Every way of damaging any one object of a package is found, and named.
func TestEveryDamageToEveryObjectIsFound(t *testing.T) {
	for name, o := range map[string]verifytest.Options{"clear": {}, "encrypted": {Encrypted: true}} {
		t.Run(name, func(t *testing.T) {
			storyboard := 2
			if o.Encrypted {
				storyboard = 0
			}
			whole := published(t, o)
			if r := undecoded(t, whole); len(r.Findings) > 0 {
				t.Fatalf("the whole package: %v", r.Findings)
			}
			iframes := 2 // a playlist of each size; or one of the smaller, and four pictures
			if o.Encrypted {
				iframes = 1 + 4
			}
			if n := len(whole.Names()); n != 3*6+iframes+1+3+storyboard { // three renditions of init, four segments, playlist; manifest; beside
				t.Fatalf("the package has %d objects: %v", n, whole.Names())
			}
			for _, object := range whole.Names() {
				damageOne(t, whole, object)
			}
		})
	}
}

func damageOne(t *testing.T, whole *verifytest.Memory, object string) {
	t.Helper()
	content := whole.Bytes(object)
	flip := func(at int) []byte {
		b := bytes.Clone(content)
		b[at] ^= 0x01
		return b
	}
	for how, damaged := range map[string][]byte{
		"missing": nil, "empty": {}, "one byte short": content[:len(content)-1], "half": content[:len(content)/2],
		"one byte long": append(bytes.Clone(content), 0), "first byte flipped": flip(0),
		"middle byte flipped": flip(len(content) / 2), "last byte flipped": flip(len(content) - 1),
	} {
		m := whole.Clone()
		m.Set(object, damaged)
		report := undecoded(t, m)
		if report.OK() || len(findingsFor(report, object)) == 0 {
			t.Errorf("%s, %s: findings %v", object, how, report.Findings)
		}
	}
}

// With a wrong key, every encrypted segment is found.
func TestWrongKeyIsFoundForEverySegment(t *testing.T) {
	m := published(t, verifytest.Options{Encrypted: true})
	wrong := func(string) ([]byte, error) { return []byte("fedcba9876543210"), nil }
	none := func(string) ([]byte, error) { return nil, errors.New("no such key") }
	short := func(string) ([]byte, error) { return []byte("short"), nil }
	for name, keys := range map[string]func(string) ([]byte, error){"wrong": wrong, "none": none, "short": short} {
		report := check(t, m, verify.Options{Keys: keys, Deep: true})
		segments := 0
		for _, object := range m.Names() {
			if path.Ext(object) != ".m4s" || strings.HasPrefix(path.Base(object), "iframe-") {
				continue // I-frames are held against what their segments decrypt to
			}
			segments++
			if len(findingsFor(report, object)) != 1 {
				t.Errorf("%s key: %s: %v", name, object, findingsFor(report, object))
			}
		}
		if segments != 12 || len(report.Findings) != segments {
			t.Errorf("%s key: %d findings for %d segments", name, len(report.Findings), segments)
		}
	}
}

// Fast, the wrong key is found too, by the sample of each rendition.
func TestFastSamplesEveryRendition(t *testing.T) {
	m := published(t, verifytest.Options{Encrypted: true})
	report := check(t, m, verify.Options{Keys: keysOf, Seed: 7})
	if report.Decoded != 3 || !report.OK() {
		t.Errorf("report %+v", report)
	}
	wrong := func(string) ([]byte, error) { return []byte("fedcba9876543210"), nil }
	if report := check(t, m, verify.Options{Keys: wrong}); len(report.Findings) != 3 {
		t.Errorf("findings %v", report.Findings)
	}
	if report := check(t, m, verify.Options{}); !report.OK() || len(report.Findings) != 3 {
		t.Errorf("without keys: findings %v", report.Findings)
	}
}

func TestStrayObjectIsAWarning(t *testing.T) {
	m := published(t, verifytest.Options{})
	m.Set("vid/r1/v0-90p/00009-deadbeef.m4s", []byte("zombie"))
	report := check(t, m, verify.Options{})
	if !report.OK() || len(report.Findings) != 1 || report.Findings[0].Rule != "stray" {
		t.Errorf("findings %v", report.Findings)
	}
}

// rewrite replaces an object by an edited one and seals a manifest that
// agrees, so that only what the text says can be found wrong.
func rewrite(t *testing.T, m *verifytest.Memory, object string, edit func(string) string) {
	t.Helper()
	text := []byte(edit(string(m.Bytes(object))))
	if bytes.Equal(text, m.Bytes(object)) {
		t.Fatalf("the edit of %s changes nothing", object)
	}
	m.Set(object, text)
	change(t, m, func(manifest *verify.Manifest) {
		name := strings.TrimPrefix(object, "vid/")
		agree := func(o *spool.Object) {
			if o.Name == name {
				o.Size, o.SHA256 = int64(len(text)), verify.Sum(text)
			}
		}
		for i := range manifest.Beside {
			agree(&manifest.Beside[i])
		}
		for i := range manifest.Renditions {
			agree(&manifest.Renditions[i].Playlist)
			if list := manifest.Renditions[i].IFrames; list != nil {
				agree(list)
			}
		}
		agree(&manifest.Storyboard.Index)
	})
}

// change edits the manifest and seals it again.
func change(t *testing.T, m *verifytest.Memory, edit func(*verify.Manifest)) {
	t.Helper()
	manifest, err := verify.ParseManifest(m.Bytes("vid/r1/manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	edit(&manifest)
	text, err := verify.EncodeManifest(manifest)
	if err != nil {
		t.Fatal(err)
	}
	m.Set("vid/r1/manifest.json", text)
}

func replace(old, with string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, with, 1) }
}

// What playlists declare is compared with what is measured, even when all
// hashes agree.
func TestFalseDeclarationsAreFound(t *testing.T) {
	whole := published(t, verifytest.Options{})
	const master, video, board = "vid/master.m3u8", "vid/r1/v0-90p/index.m3u8", "vid/r1/storyboard/index.vtt"
	const looks = "vid/r1/v0-90p/iframes.m3u8"
	for _, c := range []struct {
		name, object string
		edit         func(string) string
		rule         string
	}{
		{"peak", master, replace(":BANDWIDTH=", ":BANDWIDTH=1"), "61"},
		{"average", master, replace("AVERAGE-BANDWIDTH=", "AVERAGE-BANDWIDTH=1"), "62"},
		{"codecs", master, replace("avc1.64", "avc1.4d"), "64"},
		{"a codec is left out", master, replace(",mp4a.40.2", ""), "64"},
		{"size", master, replace("RESOLUTION=320x180", "RESOLUTION=320x184"), "65"},
		{"frame rate", master, replace("FRAME-RATE=25.000", "FRAME-RATE=24.975"), "66"},
		{"captions", master, replace(",CLOSED-CAPTIONS=NONE", ""), "51"},
		{"independent", master, replace("#EXT-X-INDEPENDENT-SEGMENTS\n", ""), "68"},
		{"a key of nobody", master, replace("#EXT-X-MEDIA", "#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"/k\"\n#EXT-X-MEDIA"), "107"},
		{"another revision", master, replace("r1/v0-90p", "r2/v0-90p"), "18"},
		{"outside", master, replace("r1/v0-90p", "../r1/v0-90p"), "18"},
		{"I-frames: peak", master, replace("I-FRAME-STREAM-INF:BANDWIDTH=", "I-FRAME-STREAM-INF:BANDWIDTH=1"), "61"},
		{"I-frames: size", master, replace("RESOLUTION=320x180,VIDEO-RANGE=SDR,URI", "RESOLUTION=320x184,VIDEO-RANGE=SDR,URI"), "65"},
		{"I-frames: not offered", master, replace("#EXT-X-I-FRAME-STREAM-INF", "#EXT-X-NOTHING"), "80"},
		{"I-frames: with sound", master, replace("I-FRAME-STREAM-INF:", "I-FRAME-STREAM-INF:AUDIO=\"audio\","), "84"},
		{"I-frames: not said", looks, replace("#EXT-X-I-FRAMES-ONLY\n", ""), "4"},
		{"I-frames: duration", looks, replace("#EXTINF:1.000000", "#EXTINF:0.900000"), "81"},
		{"I-frames: range", looks, replace("@28", "@29"), "82"},
		{"I-frames: another segment", looks, replace("00001-", "00002-"), "82"},
		{"I-frames: init", looks, replace("init-", "init0-"), "41"},
		{"I-frames: one fewer", looks, func(s string) string { return s[:strings.LastIndex(s, "#EXTINF")] + "#EXT-X-ENDLIST\n" }, "80"},
		{"target", video, replace("TARGETDURATION:1", "TARGETDURATION:2"), "11"},
		{"not VOD", video, replace("#EXT-X-PLAYLIST-TYPE:VOD\n", ""), "13"},
		{"no end", video, replace("#EXT-X-ENDLIST\n", ""), "13"},
		{"duration", video, replace("#EXTINF:1.000000", "#EXTINF:0.900000"), "12"},
		{"too long", video, replace("#EXTINF:1.000000", "#EXTINF:1.500000"), "7"},
		{"init", video, replace("init-", "init0-"), "41"},
		{"segment", video, replace("00000-", "00001-"), "18"},
		{"one fewer", video, func(s string) string { return s[:strings.LastIndex(s, "#EXTINF")] + "#EXT-X-ENDLIST\n" }, "18"},
		{"a cue's time", board, replace("00:00:02.000 -->", "00:00:02.500 -->"), "storyboard"},
		{"a cue's place", board, replace("xywh=160,0,160", "xywh=480,0,160"), "storyboard"},
		{"a cue's tile", board, replace("00000-", "00001-"), "storyboard"},
		{"the last cue", board, replace("00:00:03.400\n", "00:00:03.000\n"), "storyboard"},
		{"another format", board, replace("WEBVTT", "WEBVTT x"), "storyboard"},
		{"key", video, replace("#EXTINF", "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF"), "106"},
	} {
		m := whole.Clone()
		rewrite(t, m, c.object, c.edit)
		report := undecoded(t, m)
		if !slices.ContainsFunc(findingsFor(report, c.object), func(f verify.Finding) bool { return f.Rule == c.rule }) {
			t.Errorf("%s: findings %v, want rule %s", c.name, report.Findings, c.rule)
		}
	}
}

// A manifest that was sealed but does not hold what was planned is found.
func TestFalsePlansAreFound(t *testing.T) {
	whole := published(t, verifytest.Options{})
	for name, edit := range map[string]func(*verify.Manifest){
		"frames":      func(m *verify.Manifest) { m.Timeline.Frames++ },
		"grid":        func(m *verify.Manifest) { m.Grid.Frames[0]-- },
		"rate":        func(m *verify.Manifest) { m.Timeline.Rate = spool.Ratio{Num: 24, Den: 1} },
		"no rate":     func(m *verify.Manifest) { m.Timeline.Rate = spool.Ratio{} },
		"key frames":  func(m *verify.Manifest) { each(m, func(s *verify.Segment) { s.KeyFrames = 2 }) },
		"plain":       func(m *verify.Manifest) { each(m, func(s *verify.Segment) { s.Plain = verify.Sum(nil) }) },
		"priming":     func(m *verify.Manifest) { m.Grid.PrimingSamples = 0 },
		"GOP":         func(m *verify.Manifest) { m.Grid.GOP = 10 },
		"other video": func(m *verify.Manifest) { m.Video = "other" },
		"version":     func(m *verify.Manifest) { m.Renditions = nil },
		"units": func(m *verify.Manifest) {
			m.Renditions[0].Segments[0].Units--
			m.Renditions[0].Segments[1].Units++
		},
	} {
		m := whole.Clone()
		change(t, m, edit)
		if report := undecoded(t, m); report.OK() {
			t.Errorf("%s: nothing is found", name)
		}
	}
}

func each(m *verify.Manifest, edit func(*verify.Segment)) {
	for i := range m.Renditions {
		for j := range m.Renditions[i].Segments {
			edit(&m.Renditions[i].Segments[j])
		}
	}
}

// Bytes that every hash agrees with but that no decoder takes are found by the
// decoder alone.
func TestUndecodableSegmentIsFound(t *testing.T) {
	m := published(t, verifytest.Options{Silent: true})
	change(t, m, func(manifest *verify.Manifest) {
		s := &manifest.Renditions[0].Segments[1]
		content := m.Bytes("vid/" + s.Name)
		// Every slice keeps its length prefix and its first byte; the rest is noise.
		start := bytes.Index(content, []byte("mdat")) + 4 + 4 + 8
		for i := start; i < len(content)-8; i += 3 {
			content[i] ^= 0x5a
		}
		m.Set("vid/"+s.Name, content)
		s.SHA256, s.Plain = verify.Sum(content), verify.Sum(content)
	})
	report := check(t, m, verify.Options{Deep: true})
	if report.OK() || len(report.Findings) != 1 {
		t.Errorf("findings %v", report.Findings)
	}
}

func TestStoreErrorIsNoFinding(t *testing.T) {
	m := published(t, verifytest.Options{Silent: true})
	away := &spool.Error{Class: spool.Environment, Code: "away", Reason: "the bucket is away"}
	m.Refuse = func(action, name string) error {
		if action == "open" && path.Ext(name) == ".m4s" {
			return away
		}
		return nil
	}
	report, err := verify.Package(t.Context(), m, verifytest.Video, verify.Options{})
	if !errors.Is(err, away) || len(report.Findings) > 0 {
		t.Errorf("Package = %v, %v", report.Findings, err)
	}
}

func TestCancelledCheckSaysSo(t *testing.T) {
	m := published(t, verifytest.Options{Silent: true})
	ctx, cancel := context.WithCancel(t.Context())
	m.Refuse = func(action, name string) error {
		if path.Ext(name) == ".m4s" {
			cancel()
		}
		return nil
	}
	if _, err := verify.Package(ctx, m, verifytest.Video, verify.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Package: %v", err)
	}
}

func TestMissingFFmpegIsAnError(t *testing.T) {
	m := published(t, verifytest.Options{Silent: true})
	if _, err := verify.Package(t.Context(), m, verifytest.Video, verify.Options{Tools: ffmpeg.Tools{FFmpeg: "/nowhere/ffmpeg"}}); err == nil {
		t.Error("a decoder that is not there is taken for a good check")
	}
}

func TestNothingPublished(t *testing.T) {
	report := check(t, verifytest.NewMemory(), verify.Options{})
	if report.OK() || report.Findings[0].Rule != "missing" {
		t.Errorf("findings %v", report.Findings)
	}
}

func FuzzParseManifest(f *testing.F) {
	text, err := verify.EncodeManifest(verify.Manifest{Video: "v", Revision: "r", Timeline: spool.Timeline{Rate: spool.Ratio{Num: 25, Den: 1}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := verify.ParseManifest(text)
		if err != nil {
			if !errors.Is(err, verify.ErrManifest) {
				t.Fatalf("untyped error: %v", err)
			}
			return
		}
		again, err := verify.EncodeManifest(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verify.ParseManifest(again); err != nil {
			t.Fatal(err)
		}
	})
}
