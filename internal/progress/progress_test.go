package progress

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/spool-video/spool"
)

var update = flag.Bool("update", false, "write golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// hostile is what a title or a server may hold.
const hostile = "\x1b[2J\x1b]0;owned\x07a\u202etxt.exe\r\nready: fake\u009b31m\xff"

// story is a short run, told in order: two videos, one of them hostile, and a
// line that was refused.
func story() []Event {
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	moved := func(s float64, id string, snapshot Snapshot) Event {
		return Event{Type: Moved, Time: at(s), Video: id, Snapshot: &snapshot}
	}
	d, e, p := spool.Downloading, spool.Encoding, spool.Publishing
	return []Event{
		{Type: Noted, Time: at(0), Text: "publishing to /srv/cdn (change with --to)"},
		{Type: Accepted, Time: at(0), Video: "beach-1a2b3c", Title: "At the beach", Source: "https://u:pw@a.example/beach.mp4?X-Amz-Signature=abc"},
		{Type: Accepted, Time: at(0), Video: "youtube-xyz", Title: hostile, Source: "https://b.example/" + hostile},
		{Type: Known, Time: at(0), Video: "old-1", Status: spool.Ready},
		{Type: Bad, Time: at(0), Line: 7, Source: "ftp://x", Failure: &spool.Failure{Class: spool.Permanent, Code: "source-scheme", Reason: "the source ftp://x has the scheme ftp", Hint: "use https"}},
		{Type: Counted, Time: at(0)},
		moved(1, "beach-1a2b3c", Snapshot{Phases: []spool.Phase{d}, Download: Count{0, 100e6}}),
		moved(2, "beach-1a2b3c", Snapshot{Phases: []spool.Phase{d}, Download: Count{12e6, 100e6}}),
		moved(3, "beach-1a2b3c", Snapshot{Phases: []spool.Phase{d}, Download: Count{24e6, 100e6}}),
		moved(9, "beach-1a2b3c", Snapshot{Phases: []spool.Phase{d, e}, Download: Count{96e6, 100e6}, Encode: Count{0, 1500}, Length: time.Minute, Chunks: 9}),
		moved(12, "beach-1a2b3c", Snapshot{Phases: []spool.Phase{d, e, p}, Download: Count{99e6, 100e6}, Encode: Count{150, 1500}, Length: time.Minute, Chunks: 9, ChunksDone: 2}),
		moved(13, "youtube-xyz", Snapshot{Phases: []spool.Phase{d}, Download: Count{5e6, 0}}),
		moved(14, "youtube-xyz", Snapshot{Phases: []spool.Phase{d}, Download: Count{7e6, 0}}),
		{Type: Paused, Time: at(15), Video: "youtube-xyz", Failure: &spool.Failure{Class: spool.Environment, Code: "no-space", Reason: "the disk of /scratch is full", Hint: "free 2 GB"}},
		moved(41, "beach-1a2b3c", Snapshot{Phases: []spool.Phase{e, p}, Download: Count{100e6, 100e6}, Encode: Count{1200, 1500}, Length: time.Minute, Chunks: 9, ChunksDone: 7}),
		moved(43, "beach-1a2b3c", Snapshot{Phases: []spool.Phase{e, p}, Download: Count{100e6, 100e6}, Encode: Count{1300, 1500}, Length: time.Minute, Chunks: 9, ChunksDone: 8}),
		{Type: Resumed, Time: at(44), Video: "youtube-xyz"},
		{Type: Ready, Time: at(50), Video: "beach-1a2b3c", Sizes: []string{"360p", "720p"}, LeftOut: []string{"subtitles (eng)"}, Path: "/srv/cdn/beach-1a2b3c/master.m3u8", Took: 49 * time.Second},
		{Type: Failed, Time: at(51), Video: "youtube-xyz", Failure: &spool.Failure{Class: spool.Permanent, Code: "http-403", Reason: "b.example answers 403: " + hostile}},
		{Type: Logged, Time: at(52), Text: "level=INFO msg=done url=https://a.example/x?token=secret"},
	}
}

func summary() Summary {
	s := Summary{Took: 72 * time.Second, Busy: 118 * time.Second, Notes: []string{"not encrypted: no --key-uri"}, Watch: "spool preview --to /srv/cdn"}
	for _, id := range []string{"beach-1a2b3c", "dune-000000"} {
		s.Videos = append(s.Videos, Ending{Video: id, Status: spool.Ready, Sizes: []string{"360p", "720p"}, Path: "/srv/cdn/" + id + "/master.m3u8"})
	}
	s.Videos[0].LeftOut = []string{"subtitles (eng)", "second audio track (fra)"}
	s.Videos[0].Notes = []string{"HDR is tone-mapped to SDR"}
	s.Videos[1].Notes = s.Videos[0].Notes
	s.Videos = append(s.Videos, Ending{Video: "old-1", Status: spool.Ready, Skipped: true, Sizes: []string{"360p"}, Path: "/srv/cdn/old-1/master.m3u8"})
	for i := range 7 {
		s.Videos = append(s.Videos, Ending{
			Line: 10 + i, Status: spool.Failed,
			Failure: &spool.Failure{Class: spool.Permanent, Code: "http-403", Reason: "b.example answers 403 Forbidden", Hint: "the link may have expired"},
		})
	}
	s.Videos = append(s.Videos,
		Ending{Video: "evil", Status: spool.Failed, Failure: &spool.Failure{Code: "not-media", Reason: hostile}},
		Ending{Line: 20, Status: spool.Failed, Failure: missing("a.mp4")},
		Ending{Video: "half", Status: spool.Working},
		Ending{Line: 22, Status: spool.Failed, Failure: missing("b.mp4")},
		Ending{Video: "gone", Status: spool.Cancelled},
	)
	return s
}

// missing is a failure whose reason differs from that of others of its kind.
func missing(name string) *spool.Failure {
	return &spool.Failure{Code: "source-missing", Reason: "there is no file or folder " + name, Hint: "check the path"}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// tell runs the story through one renderer.
func tell(t *testing.T, mode string) string {
	t.Helper()
	var out bytes.Buffer
	end := start.Add(time.Minute)
	p, err := New(Options{Mode: mode, Out: &out, Getenv: func(string) string { return "" }, Now: func() time.Time { return end }})
	if err != nil {
		t.Fatal(err)
	}
	p.Start()
	for _, ev := range story() {
		p.Show(ev)
	}
	p.Close(summary())
	p.Close(summary())
	p.Show(Event{Type: Noted, Text: "after the end"})
	return out.String()
}

func TestPlain(t *testing.T) {
	got := tell(t, "auto") // a buffer is no terminal
	golden(t, "plain.txt", got)
	harmless(t, got)
	if strings.Contains(got, "\r") {
		t.Error("a carriage return in plain lines")
	}
}

func TestJSON(t *testing.T) {
	got := tell(t, "json")
	golden(t, "run.json", got)
	harmless(t, got)
	summaries := 0
	all := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	for i, text := range all {
		var line struct {
			V    int
			Type string
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil || line.V != 1 || line.Type == "" {
			t.Errorf("line %d: %v: %s", i, err, text)
		}
		if line.Type == "summary" {
			summaries++
		}
	}
	if summaries != 1 || !strings.Contains(all[len(all)-1], `"type":"summary"`) {
		t.Errorf("%d summaries; the last line is %s", summaries, all[len(all)-1])
	}
}

func TestNone(t *testing.T) {
	if got := tell(t, "none"); got != "" {
		t.Errorf("none says %q", got)
	}
}

func TestReport(t *testing.T) {
	got := Report(summary())
	golden(t, "report.txt", got)
	harmless(t, got)
	if !strings.Contains(got, "2 ready · 10 failed · 1 skipped · 1 removed · 1 unfinished, 1 m 12 s, overlap saved 39 %") {
		t.Error("the totals line is another one")
	}
}

func TestReportCountsManySkipped(t *testing.T) {
	s := Summary{Took: 400 * time.Millisecond}
	for range 100 {
		s.Videos = append(s.Videos, Ending{Video: "x", Status: spool.Ready, Skipped: true})
	}
	want := "kept   100 videos that were ready already\n0 ready · 0 failed · 100 skipped, 0.4 s\n"
	if diff := cmp.Diff(want, Report(s)); diff != "" {
		t.Error(diff)
	}
}

// harmless checks that nothing in out can move a cursor or hide text, and
// that no secret of the story is in it.
func harmless(t *testing.T, out string) {
	t.Helper()
	for _, r := range out {
		if r != '\n' && r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r == 0xfffd {
			t.Errorf("the rune %U is in the output", r)
		}
	}
	for _, secret := range []string{"u:pw", "abc\"", "token=secret"} {
		if strings.Contains(out, secret) {
			t.Errorf("the secret %s is in the output", secret)
		}
	}
}

func TestUnknownModeIsRefused(t *testing.T) {
	if _, err := New(Options{Mode: "fancy"}); err == nil || !strings.Contains(err.Error(), "plain") {
		t.Errorf("%v", err)
	}
}

// TestDocumented holds the documentation against what is written: every type
// and every field stands in it.
func TestDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/progress-json.md")
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{}
	for _, typ := range []Type{Accepted, Known, Bad, Counted, Moved, Paused, Resumed, Ready, Failed, Removed, Noted, Logged} {
		words[string(typ)] = true
	}
	for _, of := range []any{line{}, failureLine{}, snapshotLine{}, countLine{}, summaryLine{}, lineVideo{}} {
		typ := reflect.TypeOf(of)
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			words[name] = true
		}
	}
	for word := range words {
		if !strings.Contains(string(doc), "`"+word+"`") {
			t.Errorf("%s is not documented", word)
		}
	}
}
