package intake

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf is a catalogue of videos.
type shelf []spool.Video

func (s shelf) Get(_ context.Context, id string) (ledger.Record, error) {
	for _, v := range s {
		if v.ID == id {
			return ledger.Record{Video: v}, nil
		}
	}
	return ledger.Record{}, fmt.Errorf("get %s: %w", id, ledger.ErrNotFound)
}

func (s shelf) Find(_ context.Context, canonical string) (spool.Video, error) {
	for _, v := range s {
		if v.Canonical == canonical {
			return v, nil
		}
	}
	return spool.Video{}, fmt.Errorf("find: %w", ledger.ErrNotFound)
}

// sites is a page tool that knows a few pages.
type sites struct {
	asked atomic.Int32
	pages map[string][]spool.Page
}

func (s *sites) Resolve(_ context.Context, url string) ([]spool.Page, bool, error) {
	s.asked.Add(1)
	pages, found := s.pages[url]
	if !found {
		return nil, false, &spool.Error{Class: spool.Permanent, Code: "http-404", Reason: "there is no page " + url}
	}
	return pages, len(pages) != 1 || strings.Contains(url, "playlist"), nil
}

// verdicts runs an intake and writes its results down, a line each.
func verdicts(t *testing.T, in *Intake, lines []Line) string {
	t.Helper()
	var b strings.Builder
	for i := range lines {
		if lines[i].Number == 0 { // arguments: their position stands for them
			lines[i].Number = i + 1
		}
	}
	for r := range in.Run(t.Context(), lines) {
		fmt.Fprintf(&b, "%d %s", r.Line.Number, r.Verdict)
		switch r.Verdict {
		case Accept, Known:
			fmt.Fprintf(&b, " %s %s", r.Video.ID, filepath.Base(r.Video.Source))
			if r.Changed {
				b.WriteString(" changed")
			}
			if r.Gone {
				b.WriteString(" gone")
			}
		case Bad:
			b.WriteString(" " + r.Err.Code)
		case Duplicate:
			fmt.Fprintf(&b, " of %d", r.Of.Number)
		case Expanded:
			fmt.Fprintf(&b, " %d", r.Count)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func expect(t *testing.T, want, got string) {
	t.Helper()
	if diff := cmp.Diff(strings.Split(strings.ReplaceAll(strings.TrimSpace(want), "\t", ""), "\n"), strings.Split(strings.TrimSpace(got), "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func write(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func list(t *testing.T, text string) []Line {
	t.Helper()
	lines, err := ParseList("l.txt", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestVerdictsInOrder(t *testing.T) {
	pages := &sites{pages: map[string][]spool.Page{
		"https://yt.example/a":        {{Extractor: "yt", ID: "a", Title: "A", URL: "https://yt.example/a"}},
		"https://yt.example/also-a":   {{Extractor: "yt", ID: "a", URL: "https://yt.example/a"}},
		"https://yt.example/A":        {{Extractor: "yt", ID: "A", URL: "https://yt.example/A"}},
		"https://yt.example/playlist": {{Extractor: "yt", ID: "a", URL: "https://yt.example/a"}, {Extractor: "yt", ID: "p2", URL: "https://yt.example/p2"}, {URL: "file:///etc/passwd"}},
		"https://yt.example/empty":    {},
		"https://yt.example/other":    {{Extractor: "yt", ID: "known", URL: "https://yt.example/known"}},
	}}
	in := &Intake{Pages: pages, Ledger: shelf{
		{ID: "named", Canonical: "https://a.example/known.mp4", Source: "https://a.example/known.mp4"},
		{ID: "yt-known", Canonical: "https://yt.example/known", Source: "https://yt.example/known"},
	}}
	got := verdicts(t, in, list(t, `https://a.example/x.mp4
	https://a.example/x.mp4?X-Amz-Signature=other
	https://yt.example/a
	https://yt.example/also-a
	https://yt.example/A
	https://yt.example/playlist
	https://yt.example/none
	https://yt.example/empty
	https://a.example/known.mp4
	https://a.example/known.mp4 id=second
	https://yt.example/other
	https://a.example/y.mp4 id=named
	ftp://a.example/z.mp4
	https://a.example/1.mp4 id=One
	https://a.example/2.mp4 id=one
	https://a.example/3.mp4 id=yt-p3
	https://a.example/3.mp4
	https://a.example/4.mp4 titel=x`))
	expect(t, `
	1 accept x-`+digits("https://a.example/x.mp4")+` x.mp4
	2 duplicate of 1
	3 accept yt-a a
	4 duplicate of 3
	5 accept a-`+digits("https://yt.example/A")+` A
	6 expanded 3
	6 duplicate of 3
	6 accept yt-p2 p2
	6 bad source-scheme
	7 bad http-404
	8 bad page-empty
	9 known named known.mp4
	10 accept second known.mp4?
	11 known yt-known known
	12 bad id-taken
	13 bad source-scheme
	14 bad id-twice
	15 bad id-twice
	16 accept yt-p3 3.mp4
	17 duplicate of 16
	18 bad unknown-key`, strings.Replace(got, "10 accept second known.mp4", "10 accept second known.mp4?", 1))
}

func digits(canonical string) string {
	id := MakeID(canonical, "", "")
	return id[len(id)-6:]
}

func TestKnownPagesCostNoNetwork(t *testing.T) {
	pages := &sites{}
	in := &Intake{Pages: pages, Ledger: shelf{{ID: "yt-a", Canonical: "https://yt.example/a", Source: "https://yt.example/a"}}}
	expect(t, "1 known yt-a a\n2 accept b-"+digits("https://a.example/b.mkv")+" b.mkv", verdicts(t, in, list(t, "https://yt.example/a#x\nhttps://a.example/b.mkv")))
	if n := pages.asked.Load(); n != 0 {
		t.Errorf("%d pages were asked", n)
	}
}

func TestSettingsTitleLadder(t *testing.T) {
	in := &Intake{
		Ledger: shelf{}, Settings: spool.Settings{Ladder: "default", Preset: "fast"}, Ladders: []string{"default", "classic"},
		Pages: &sites{pages: map[string][]spool.Page{"https://yt.example/a": {{Extractor: "yt", ID: "a", Title: "From the page"}}}},
	}
	var got []spool.Video
	for r := range in.Run(t.Context(), list(t, "https://yt.example/a\nhttps://u:p@a.example/x.mp4 id=x title=\"My X\" ladder=classic\nhttps://a.example/y.mp4 ladder=clasic")) {
		if r.Line.Number == 3 {
			if r.Err == nil || r.Err.Hint != "did you mean classic?" {
				t.Errorf("%+v", r)
			}
			continue
		}
		got = append(got, r.Video)
	}
	want := []spool.Video{
		{ID: "yt-a", Source: "https://yt.example/a", Canonical: "https://yt.example/a", Title: "From the page", Status: spool.Waiting, Settings: spool.Settings{Ladder: "default", Preset: "fast"}},
		{ID: "x", Source: "https://u:p@a.example/x.mp4", Canonical: "https://a.example/x.mp4", Title: "My X", Status: spool.Waiting, Settings: spool.Settings{Ladder: "classic", Preset: "fast"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOneVideoOnceARun(t *testing.T) {
	in := &Intake{Ledger: shelf{{ID: "x", Canonical: "https://a.example/x.mp4", Source: "https://a.example/x.mp4"}}}
	expect(t, "1 known x x.mp4\n2 duplicate of 1", verdicts(t, in, list(t, "https://a.example/x.mp4\nhttps://a.example/x.mp4 id=x")))
	in.Ledger = shelf{}
	expect(t, "1 duplicate of 2\n2 accept x x.mp4", verdicts(t, in, list(t, "https://a.example/x.mp4\nhttps://a.example/x.mp4 id=x")))
}

func TestTooManyItems(t *testing.T) {
	pages := &sites{pages: map[string][]spool.Page{"https://yt.example/playlist": make([]spool.Page, 350)}}
	for r := range (&Intake{Ledger: shelf{}, Pages: pages}).Run(t.Context(), Arguments([]string{"https://yt.example/playlist"})) {
		if r.Err == nil || r.Err.Reason != "https://yt.example/playlist has 350 videos, more than --max-items 100" || r.Err.Hint != "raise it with --max-items 350" {
			t.Errorf("%+v", r)
		}
	}
}

func TestWithoutAPageTool(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/media":
			_, _ = w.Write([]byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"))
		case "/declared":
			w.Header().Set("Content-Type", "video/x-matroska")
			_, _ = w.Write([]byte{0x00, 0x01, 0x02, 0x03})
		case "/page", "/lies":
			if r.URL.Path == "/lies" {
				w.Header().Set("Content-Type", "video/mp4")
			}
			_, _ = w.Write([]byte("<!DOCTYPE html><html>"))
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	in := &Intake{Ledger: shelf{}, Client: server.Client()}
	var sources []string
	for _, path := range []string{"/media", "/declared", "/page", "/lies", "/busy"} {
		sources = append(sources, server.URL+path)
	}
	got := verdicts(t, in, Arguments(append(sources, "http://127.0.0.1:1/x")))
	for _, want := range []string{"1 accept", "2 accept", "3 bad no-page-tool", "4 bad no-page-tool", "5 bad http-503", "6 bad source-unreachable"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	in.Pages = noTool{}
	expect(t, strings.Join(strings.SplitAfter(got, "\n")[1:3], ""), strings.Join(strings.SplitAfter(verdicts(t, in, Arguments(sources[:3])), "\n")[1:3], ""))
	for r := range in.Run(t.Context(), Arguments(sources[2:3])) {
		if r.Err == nil || !strings.Contains(r.Err.Reason, "is not a media file by itself, and the tool is away") {
			t.Errorf("%+v", r.Err)
		}
	}
	in.Pages, in.Client = nil, nil
	expect(t, "1 bad no-page-tool", verdicts(t, in, Arguments(sources[:1])))
}

// A server's refusal is told with what to do about it.
func TestStatusesSayWhatToDo(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	in := &Intake{Ledger: shelf{}, Client: server.Client()}
	for _, c := range []struct {
		status       int
		class        spool.Class
		reason, hint string
	}{
		{404, spool.Permanent, " answered 404 (Not Found)", "check the link; the file is not there (any more)"},
		{403, spool.Permanent, " answered 403 (Forbidden)", "the link may have expired, or may need a login"},
		{418, spool.Permanent, " answered 418 (I'm a teapot)", "open the address in a browser and look what it says"},
		{425, spool.Transient, " answered 425 (Too Early)", "the server is busy; try again later"},
		{599, spool.Transient, " answered 599", "the server is busy; try again later"},
	} {
		source := fmt.Sprintf("%s/%d", server.URL, c.status)
		for r := range in.Run(t.Context(), Arguments([]string{source})) {
			if e := r.Err; e == nil || e.Class != c.class || e.Reason != source+c.reason || e.Hint != c.hint {
				t.Errorf("%d: %+v", c.status, e)
			}
		}
	}
}

// noTool is a page tool whose program is missing.
type noTool struct{}

func (noTool) Resolve(context.Context, string) ([]spool.Page, bool, error) {
	return nil, false, &spool.Error{Class: spool.Permanent, Code: "no-page-tool", Reason: "the tool is away"}
}

// moody is a page tool that fails some times in passing.
type moody struct{ left int }

func (m *moody) Resolve(context.Context, string) ([]spool.Page, bool, error) {
	if m.left--; m.left >= 0 {
		return nil, false, &spool.Error{Class: spool.Transient, Code: "page-killed", Reason: "the tool was killed"}
	}
	return []spool.Page{{URL: "https://yt.example/1", Extractor: "Yt", ID: "1"}}, false, nil
}

func TestPassingFailureOfAPageRefusesNoVideo(t *testing.T) {
	for failures, want := range map[int]string{1: "1 accept yt-1 1", 3: "1 accept yt-1 1", 4: "1 bad page-killed"} {
		in := &Intake{Ledger: shelf{}, Pages: &moody{left: failures}, Rest: time.Millisecond}
		expect(t, want, verdicts(t, in, Arguments([]string{"https://yt.example/1"})))
	}
}

func TestWhere(t *testing.T) {
	for want, l := range map[string]Line{
		"line 7 of films.txt": {List: "films.txt", Number: 7},
		"line 7":              {List: "-", Number: 7},
		"https://…@a.example": {Source: "https://u:p@a.example"},
	} {
		if got := l.Where(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// brokenLedger cannot be asked.
type brokenLedger struct{ shelf }

func (brokenLedger) Find(context.Context, string) (spool.Video, error) {
	return spool.Video{}, errors.New("disk I/O error")
}

func TestBrokenLedgerIsNotANewVideo(t *testing.T) {
	expect(t, "1 bad ledger", verdicts(t, &Intake{Ledger: brokenLedger{}}, Arguments([]string{"https://a.example/x.mp4"})))
}

// slow is a page tool that waits until its context ends.
type slow struct{ begun chan struct{} }

func (s slow) Resolve(ctx context.Context, _ string) ([]spool.Page, bool, error) {
	s.begun <- struct{}{}
	<-ctx.Done()
	return nil, false, ctx.Err()
}

func TestEndsWithItsContextOrItsLoop(t *testing.T) {
	lines := make([]Line, 1000)
	for i := range lines {
		lines[i] = Line{Number: i + 1, Source: fmt.Sprintf("https://yt.example/%d", i)}
	}
	ctx, cancel := context.WithCancel(t.Context())
	pages := slow{begun: make(chan struct{}, len(lines))}
	go func() {
		<-pages.begun
		cancel()
	}()
	for range (&Intake{Ledger: shelf{}, Pages: pages}).Run(ctx, lines) {
		t.Error("a result after the end")
	}
	asked := &sites{}
	for range (&Intake{Ledger: shelf{}, Pages: asked, Parallel: 3}).Run(t.Context(), lines) {
		break
	}
	if n := asked.asked.Load(); n > 10 {
		t.Errorf("%d pages were asked for one result", n)
	}
}
