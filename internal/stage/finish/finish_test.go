package finish_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/stage/finish"
	"github.com/spool-video/spool/internal/verify"
	"github.com/spool-video/spool/internal/verify/verifytest"
)

func run(t *testing.T, s finish.Stage, job spool.Job) (spool.Result, error) {
	t.Helper()
	return s.Run(t.Context(), job, func(spool.Progress) {})
}

func stage(m *verifytest.Memory) finish.Stage { return finish.Stage{Store: m, Version: "test"} }

func keysOf(string) ([]byte, error) { return verifytest.Key, nil }

func deep(t *testing.T, m *verifytest.Memory) verify.Report {
	t.Helper()
	report, err := verify.Package(context.Background(), m, verifytest.Video, verify.Options{Deep: true, Keys: keysOf})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// fast samples, as the stage itself does.
func fast(t *testing.T, m *verifytest.Memory) verify.Report {
	t.Helper()
	report, err := verify.Package(t.Context(), m, verifytest.Video, verify.Options{Keys: keysOf})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestPublish(t *testing.T) {
	for _, c := range []struct {
		name string
		o    verifytest.Options
	}{
		{"clear", verifytest.Options{Language: "eng"}},
		{"encrypted", verifytest.Options{Encrypted: true}},
		{"29.97", verifytest.Options{Rate: spool.Ratio{Num: 30000, Den: 1001}}},
		{"silent", verifytest.Options{Silent: true}},
		{"sound alone", verifytest.Options{NoVideo: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := verifytest.NewMemory()
			job := verifytest.Job(t, m, c.o)
			result, err := run(t, stage(m), job)
			if err != nil {
				t.Fatal(err)
			}
			report := deep(t, m)
			if len(report.Findings) > 0 {
				t.Fatalf("findings: %v", report.Findings)
			}
			if report.Decoded != len(job.Made.Segments) || report.Objects != len(m.Names()) {
				t.Errorf("report %+v of %d objects", report, len(m.Names()))
			}
			f := result.Finished
			if f.Objects != report.Objects || f.Bytes != report.Bytes || f.Length != report.Length || f.Master != "memory/vid/master.m3u8" {
				t.Errorf("finished %+v, report %+v", f, report)
			}
		})
	}
}

// short gives the hash in the name of the object that begins with a prefix.
func short(m *verifytest.Memory, prefix string) string {
	for _, name := range m.Names() {
		if strings.HasPrefix(name, prefix) {
			return verify.Sum(m.Bytes(name))[:8]
		}
	}
	return ""
}

// The master is the last object that is put, by itself; what lies beside the
// revision is put before it, when all of the revision is there; headers say what
// may be cached.
func TestOrderAndHeaders(t *testing.T) {
	m := verifytest.NewMemory()
	job := verifytest.Job(t, m, verifytest.Options{})
	before := len(m.Puts())
	if _, err := run(t, stage(m), job); err != nil {
		t.Fatal(err)
	}
	tile := "vid/r1/storyboard/00000-" + short(m, "vid/r1/storyboard/00000-") + ".jpg"
	steps := [][]string{ // each in any order
		{
			"vid/r1/a0-und/index.m3u8", "vid/r1/v0-90p/iframes.m3u8", "vid/r1/v0-90p/index.m3u8",
			"vid/r1/v1-180p/iframes.m3u8", "vid/r1/v1-180p/index.m3u8",
		},
		{"vid/r1/manifest.json", tile, "vid/r1/storyboard/index.vtt"},
		{"vid/poster.jpg", "vid/video.json"},
		{"vid/master.m3u8"},
	}
	got := m.Puts()[before:]
	for _, want := range steps {
		step := slices.Sorted(slices.Values(got[:min(len(want), len(got))]))
		if !slices.Equal(step, want) {
			t.Errorf("put %v, want %v", step, want)
		}
		got = got[len(step):]
	}
	if len(got) > 0 {
		t.Errorf("put after the master: %v", got)
	}
	types := map[string]string{".m3u8": "application/vnd.apple.mpegurl", ".json": "application/json", ".jpg": "image/jpeg", ".vtt": "text/vtt"}
	for _, name := range slices.Concat(steps...) {
		cache := "public, max-age=60"
		if strings.HasPrefix(name, "vid/r1/") {
			cache = "public, max-age=31536000, immutable"
		}
		if h := m.Headers(name); h.CacheControl != cache || h.ContentType != types[path.Ext(name)] {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

// A crash at any change of the store, and a second run, end as if there had
// been none; the master never appears before everything else.
func TestCrashAnywhereAndRunAgain(t *testing.T) {
	made := verifytest.NewMemory()
	job := verifytest.Job(t, made, verifytest.Options{Encrypted: true, NoVideo: true})
	whole := made.Clone()
	if _, err := run(t, stage(whole), job); err != nil {
		t.Fatal(err)
	}
	crash := &spool.Error{Class: spool.Environment, Code: "no-space", Reason: "the disk is full"}
	for at := 1; ; at++ {
		m := made.Clone()
		changes := 0
		m.Refuse = func(action, _ string) error {
			if action != "open" {
				changes++
			}
			if changes >= at {
				return crash
			}
			return nil
		}
		_, err := run(t, stage(m), job)
		if err == nil {
			if at != 5 { // four puts: without pictures there is no poster
				t.Errorf("the first run without a crash had %d changes", at-1)
			}
			return
		}
		if !errors.Is(err, crash) || m.Bytes("vid/master.m3u8") != nil {
			t.Fatalf("crash at change %d: %v, master is there: %t", at, err, m.Bytes("vid/master.m3u8") != nil)
		}
		m.Refuse = nil
		if _, err := run(t, stage(m), job); err != nil {
			t.Fatalf("after a crash at change %d: %v", at, err)
		}
		for _, name := range whole.Names() {
			if !bytes.Equal(m.Bytes(name), whole.Bytes(name)) {
				t.Errorf("after a crash at change %d: %s differs", at, name)
			}
		}
	}
}

func TestKeyIsExportedBeforeAnyPlaylist(t *testing.T) {
	m := verifytest.NewMemory()
	job := verifytest.Job(t, m, verifytest.Options{Encrypted: true})
	dir := filepath.Join(t.TempDir(), "keys")
	m.Refuse = func(action, name string) error {
		if _, err := os.Stat(keys.Path(dir, "vid", "k1")); action == "put" && err != nil {
			return fmt.Errorf("%s is put before its key is there", name)
		}
		return nil
	}
	s := stage(m)
	s.KeysDir = dir
	if _, err := run(t, s, job); err != nil {
		t.Fatal(err)
	}
	for _, name := range m.Names() {
		if bytes.Contains(m.Bytes(name), verifytest.Key) {
			t.Errorf("%s holds the key", name)
		}
	}
	// Without the key the playlists must not appear.
	m = verifytest.NewMemory()
	job = verifytest.Job(t, m, verifytest.Options{Encrypted: true})
	s = stage(m)
	s.KeysDir = "/proc/nowhere"
	if _, err := run(t, s, job); spool.AsError(err).Code != "keys-not-writable" {
		t.Errorf("run: %v", err)
	}
	for _, name := range m.Names() {
		if path.Ext(name) == ".m3u8" {
			t.Errorf("%s was put without its key", name)
		}
	}
}

func TestCard(t *testing.T) {
	m := verifytest.NewMemory()
	job := verifytest.Job(t, m, verifytest.Options{})
	job.Title, job.Plan.LeftOut = "", []string{"subtitles (eng)"}
	job.Fetched.Page = &spool.Page{
		Title: "A page's title", Uploader: "Someone", URL: "https://u:secret@example.com/watch?v=1&token=secret#secret",
		Chapters: []spool.Chapter{{Title: "One", End: 1500 * time.Millisecond}},
	}
	if _, err := run(t, stage(m), job); err != nil {
		t.Fatal(err)
	}
	var card finish.Card
	if err := json.Unmarshal(m.Bytes("vid/video.json"), &card); err != nil {
		t.Fatal(err)
	}
	if card.Title != "A page's title" || card.Uploader != "Someone" || len(card.Chapters) != 1 || card.Chapters[0].End != 1.5 ||
		!slices.Equal(card.Sizes, []string{"180p", "90p"}) || card.Seconds != 3.4 || card.LeftOut[0] != "subtitles (eng)" {
		t.Errorf("card %+v", card)
	}
	for _, name := range m.Names() {
		if bytes.Contains(m.Bytes(name), []byte("secret")) {
			t.Errorf("%s holds a secret: %s", name, m.Bytes(name))
		}
	}
}

// Of a local source the public learns nothing but the file's name.
func TestLocalFolderStaysPrivate(t *testing.T) {
	m := verifytest.NewMemory()
	job := verifytest.Job(t, m, verifytest.Options{Silent: true})
	job.Source, job.Canonical = "/home/alice/private/clip.mp4", "/home/alice/private/clip.mp4"
	if _, err := run(t, stage(m), job); err != nil {
		t.Fatal(err)
	}
	for _, name := range m.Names() {
		if bytes.Contains(m.Bytes(name), []byte("alice")) {
			t.Errorf("%s says whose folder it was", name)
		}
	}
}

// The poster is a frame of the published pictures.
func TestPoster(t *testing.T) {
	for name, o := range map[string]verifytest.Options{"clear": {Silent: true}, "encrypted": {Silent: true, Encrypted: true}} {
		m := verifytest.NewMemory()
		job := verifytest.Job(t, m, o)
		if _, err := run(t, stage(m), job); err != nil {
			t.Fatal(err)
		}
		config, format, err := image.DecodeConfig(bytes.NewReader(m.Bytes("vid/poster.jpg")))
		if err != nil || format != "jpeg" || config.Width != 320 || config.Height != 180 {
			t.Errorf("%s: poster is %s %dx%d, %v", name, format, config.Width, config.Height, err)
		}
	}
	m := verifytest.NewMemory()
	job := verifytest.Job(t, m, verifytest.Options{NoVideo: true})
	if _, err := run(t, finish.Stage{Store: m}, job); err != nil || m.Bytes("vid/poster.jpg") != nil {
		t.Errorf("sound alone: poster %q, %v", m.Bytes("vid/poster.jpg"), err)
	}
}

// A video is published without a storyboard when none can be made, and it is
// said why; of encrypted ones there is one only when it is asked for.
func TestStoryboard(t *testing.T) {
	stub := filepath.Join(t.TempDir(), "ffmpeg")
	if err := os.WriteFile(stub, []byte("#!/bin/sh\ncase \"$*\" in *tile=*) exit 1;; esac\nexec ffmpeg \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		encrypted   bool
		setting     string
		ffmpeg      string
		cues, notes int
	}{
		{setting: "", cues: 2},
		{encrypted: true},
		{encrypted: true, setting: spool.StoryboardAlways, cues: 2},
		{setting: spool.StoryboardOff},
		{ffmpeg: stub, notes: 1},
	} {
		m := verifytest.NewMemory()
		job := verifytest.Job(t, m, verifytest.Options{Silent: true, Encrypted: c.encrypted})
		job.Settings.Storyboard = c.setting
		s := stage(m)
		s.Tools.FFmpeg = c.ffmpeg
		r, err := run(t, s, job)
		if err != nil || len(r.Finished.Notes) != c.notes {
			t.Fatalf("%+v: %+v, %v", c, r.Finished, err)
		}
		if report := deep(t, m); len(report.Findings) > 0 {
			t.Errorf("%+v: %v", c, report.Findings)
		}
		var card finish.Card
		if err := json.Unmarshal(m.Bytes("vid/video.json"), &card); err != nil {
			t.Fatal(err)
		}
		index := m.Bytes("vid/r1/storyboard/index.vtt")
		if n := bytes.Count(index, []byte("-->")); n != c.cues || (card.Storyboard == "r1/storyboard/index.vtt") != (n > 0) {
			t.Errorf("%+v: %q names %d cues:\n%s", c, card.Storyboard, n, index)
		}
	}
}

func TestPartsThatDoNotFitAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, code string
		edit       func(*spool.Job)
	}{
		{"segment missing", "parts-incomplete", func(j *spool.Job) { j.Made.Segments = j.Made.Segments[1:] }},
		{"segment twice", "parts-incomplete", func(j *spool.Job) { j.Made.Segments = append(j.Made.Segments, j.Made.Segments[0]) }},
		{"segment beyond the grid", "parts-incomplete", func(j *spool.Job) { j.Made.Segments[0].Number = 99 }},
		{"segment of number -1", "parts-incomplete", func(j *spool.Job) { j.Made.Segments[0].Number = -1 }},
		{"segment of nobody", "parts-incomplete", func(j *spool.Job) {
			j.Made.Segments = append(j.Made.Segments, spool.Segment{Rendition: "v9-4320p"})
		}},
		{"a frame too few", "parts-incomplete", func(j *spool.Job) { j.Made.Segments[0].Units-- }},
		{"no init", "parts-incomplete", func(j *spool.Job) { j.Made.Inits = j.Made.Inits[1:] }},
		{"no plan", "parts-incomplete", func(j *spool.Job) { j.Plan = nil }},
		{"nothing made", "parts-incomplete", func(j *spool.Job) { j.Made = nil }},
		{"nothing planned", "parts-incomplete", func(j *spool.Job) { j.Plan = &spool.Plan{} }},
		{"another init", "parts-differ", func(j *spool.Job) {
			other := j.Made.Inits[0]
			other.SHA256 = verify.Sum(nil)
			j.Made.Inits = append(j.Made.Inits, other)
		}},
	} {
		m := verifytest.NewMemory()
		job := verifytest.Job(t, m, verifytest.Options{})
		c.edit(&job)
		before := len(m.Names())
		_, err := run(t, stage(m), job)
		if e := spool.AsError(err); err == nil || e.Code != c.code {
			t.Errorf("%s: %v", c.name, err)
		}
		if len(m.Names()) != before {
			t.Errorf("%s: something was put", c.name)
		}
	}
	// The same init section from several parts is one.
	m := verifytest.NewMemory()
	job := verifytest.Job(t, m, verifytest.Options{})
	job.Made.Inits = append(job.Made.Inits, job.Made.Inits...)
	if _, err := run(t, stage(m), job); err != nil {
		t.Error(err)
	}
}

// What is damaged in the store between upload and finish never gets a master.
func TestDamagedPackageGetsNoMaster(t *testing.T) {
	m := verifytest.NewMemory()
	job := verifytest.Job(t, m, verifytest.Options{})
	name := "vid/" + job.Made.Segments[1].Name
	m.Set(name, m.Bytes(name)[1:])
	_, err := run(t, stage(m), job)
	if e := spool.AsError(err); e.Code != "verify-failed" || !strings.Contains(e.Reason, name) {
		t.Errorf("run: %v", err)
	}
	if m.Bytes("vid/master.m3u8") != nil || m.Bytes("vid/video.json") != nil {
		t.Error("it was published all the same")
	}
}

func TestStoreThatChangesBytesIsFound(t *testing.T) {
	m := verifytest.NewMemory()
	job := verifytest.Job(t, m, verifytest.Options{Silent: true})
	m.Refuse = func(action, name string) error {
		if action == "open" && path.Base(name) == "index.m3u8" {
			m.Set(name, append(m.Bytes(name), 'x'))
		}
		return nil
	}
	_, err := run(t, stage(m), job)
	if spool.AsError(err).Code != "store-changed-bytes" {
		t.Errorf("run: %v", err)
	}
}
