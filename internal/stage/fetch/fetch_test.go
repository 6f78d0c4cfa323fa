package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/download"
	"github.com/spool-video/spool/internal/guard"
	"github.com/spool-video/spool/internal/page"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == stubName {
		os.Exit(stub(os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// tool is shared, because asking it for its version takes a second.
// anywhere is the policy under which the servers of these tests may be asked.
var anywhere = guard.Policy{Private: true}

var tool = &page.Tool{Guard: anywhere, Path: "yt-dlp"}

// clip is a short video, made once.
var clip = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "clip")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "clip.mp4")
	out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=160x90:d=1",
		"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-movflags", "+faststart", file).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("ffmpeg: %w: %s", err, out)
	}
	return os.ReadFile(file)
})

// site serves the clip in several ways.
type site struct {
	url      string
	clip     []byte
	requests atomic.Int64
	served   atomic.Int64 // bytes of the clip
	stall    atomic.Bool  // the next clip stops in its middle
}

func newSite(t *testing.T) *site {
	t.Helper()
	b, err := clip()
	if err != nil {
		t.Fatal(err)
	}
	s := &site{clip: b}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	switch r.URL.Path {
	case "/clip.mp4", "/watch":
		s.video(w, r)
	case "/page", "/page.mp4":
		fmt.Fprint(w, `<html><head><title>The page</title></head><body><video src="/clip.mp4"></video></body></html>`)
	case "/json":
		fmt.Fprint(w, `{"error": "quota"}`)
	case "/refused":
		// A site that answers only those whom it takes for a person.
		if !strings.Contains(r.Header.Get("User-Agent"), "Mozilla") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprint(w, `<html><body><video src="/clip.mp4"></video></body></html>`)
	default:
		http.NotFound(w, r)
	}
}

func (s *site) video(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "video/mp4")
	w.Header().Set("ETag", `"clip"`)
	if s.stall.Swap(false) {
		w.Header().Set("Content-Length", fmt.Sprint(len(s.clip)))
		n, _ := w.Write(s.clip[:len(s.clip)/2])
		s.served.Add(int64(n))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return
	}
	http.ServeContent(counted{w, &s.served}, r, "", time.Time{}, strings.NewReader(string(s.clip)))
}

type counted struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c counted) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.n.Add(int64(n))
	return n, err
}

func newStage(t *testing.T) *Stage {
	t.Helper()
	work := t.TempDir()
	s := &Stage{
		Client: &download.Client{Guard: anywhere, Backoff: time.Millisecond, Attempts: 2, Stall: 5 * time.Second},
		Pages:  tool,
		Slots:  flow.NewSlots(1),
		Work:   func(k spool.JobKey) string { return filepath.Join(work, k.Video, string(k.Kind)) },
	}
	t.Cleanup(s.Client.Close)
	return s
}

func jobFor(source string) spool.Job {
	return spool.Job{
		JobKey: spool.JobKey{Video: "vid-1", Revision: "r1", Kind: spool.Fetch},
		Source: source, Canonical: source,
	}
}

func run(t *testing.T, s *Stage, source string) (spool.Fetched, error) {
	t.Helper()
	res, err := s.Run(t.Context(), jobFor(source), nil)
	if err != nil {
		return spool.Fetched{}, err
	}
	return *res.Fetched, nil
}

func wantClip(t *testing.T, s *site, f spool.Fetched) {
	t.Helper()
	b, err := os.ReadFile(f.Path)
	if err != nil || string(b) != string(s.clip) || f.Size != int64(len(s.clip)) {
		t.Fatalf("%+v holds %d bytes (%v), not the clip", f, len(b), err)
	}
}

func wantFault(t *testing.T, err error, code string) {
	t.Helper()
	e := spool.AsError(err)
	if err == nil || e.Code != code || e.Reason == "" {
		t.Fatalf("error = %v (%+v), want code %q", err, e, code)
	}
}

func TestDirectLink(t *testing.T) {
	site, s := newSite(t), newStage(t)
	for _, path := range []string{"/clip.mp4", "/watch"} {
		s.Work = func(spool.JobKey) string { return filepath.Join(t.TempDir(), "new", "work") }
		f, err := run(t, s, site.url+path)
		if err != nil {
			t.Fatal(err)
		}
		wantClip(t, site, f)
		sum := sha256.Sum256(site.clip)
		if f.SHA256 != hex.EncodeToString(sum[:]) || !f.Scratch || filepath.Base(f.Path) != "source" || f.Page != nil {
			t.Errorf("%s: %+v", path, f)
		}
	}
}

func TestAgainWithoutNetwork(t *testing.T) {
	site, s := newSite(t), newStage(t)
	for _, path := range []string{"/clip.mp4", "/page"} {
		work := t.TempDir()
		s.Work = func(spool.JobKey) string { return work }
		first, err := run(t, s, site.url+path)
		if err != nil {
			t.Fatal(err)
		}
		before := site.requests.Load()
		again, err := run(t, s, site.url+path)
		if err != nil || again.Path != first.Path || (again.Page == nil) != (first.Page == nil) || site.requests.Load() != before {
			t.Errorf("%s again: %+v, %v with %d requests", path, again, err, site.requests.Load()-before)
		}
		if err := os.Truncate(first.Path, 10); err != nil {
			t.Fatal(err)
		}
		mended, err := run(t, s, site.url+path)
		if err != nil {
			t.Fatal(err)
		}
		wantClip(t, site, mended)
	}
}

func TestPage(t *testing.T) {
	site, s := newSite(t), newStage(t)
	f, err := run(t, s, site.url+"/page")
	if err != nil {
		t.Fatal(err)
	}
	wantClip(t, site, f)
	if f.Page == nil || f.Page.Extractor != "html5" || !strings.HasPrefix(f.Page.Title, "The page") || !f.Scratch {
		t.Errorf("%+v", f)
	}
	left, err := os.ReadDir(filepath.Dir(f.Path))
	if err != nil || len(left) != 4 {
		t.Errorf("the work folder holds %v (%v), want the source, its record and two notes", left, err)
	}
}

func TestSiteThatRefusesPrograms(t *testing.T) {
	site, s := newSite(t), newStage(t)
	f, err := run(t, s, site.url+"/refused")
	if err != nil {
		t.Fatal(err)
	}
	wantClip(t, site, f)
}

func TestFaults(t *testing.T) {
	site := newSite(t)
	for source, code := range map[string]string{
		site.url + "/page.mp4": "not-a-video", // it says that it is a file, and is not
		site.url + "/json":     "not-a-video",
		site.url + "/gone":     "http-404",
		"ftp://example.org/x":  "bad-scheme",
		"file:///etc/passwd":   "bad-scheme",
	} {
		_, err := run(t, newStage(t), source)
		wantFault(t, err, code)
	}
	blind := newStage(t)
	blind.Pages = nil
	_, err := run(t, blind, site.url+"/page")
	wantFault(t, err, "not-a-video")

	missing := newStage(t)
	missing.Pages = &page.Tool{Guard: anywhere, Path: "/no/such/yt-dlp"}
	_, err = run(t, missing, site.url+"/page")
	wantFault(t, err, "no-page-tool")

	job := jobFor(site.url + "/clip.mp4")
	job.Video = "../../evil"
	if _, err := newStage(t).Run(t.Context(), job, nil); err == nil {
		t.Error("a path was taken for an ID")
	}
}

func TestLocalFiles(t *testing.T) {
	site, s := newSite(t), newStage(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "-a film; $(x) %d.mp4")
	if err := os.WriteFile(file, site.clip, 0o400); err != nil {
		t.Fatal(err)
	}
	f, err := run(t, s, file)
	if err != nil || f.Path != file || f.Scratch || f.Size != int64(len(site.clip)) {
		t.Errorf("Run = %+v, %v", f, err)
	}
	for name, code := range map[string]string{"none": "no-such-file", "": "is-a-folder", "empty": "empty-file", "pipe": "not-a-file", "list.mp4": "not-a-video"} {
		path := filepath.Join(dir, name)
		var err error
		switch name {
		case "empty":
			err = os.WriteFile(path, nil, 0o600)
		case "pipe":
			err = syscall.Mkfifo(path, 0o600)
		case "list.mp4":
			err = os.WriteFile(path, []byte("#EXTM3U\nfile:///etc/passwd\n"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = run(t, s, path)
		wantFault(t, err, code)
	}
}

func TestDownloadFolder(t *testing.T) {
	site, s := newSite(t), newStage(t)
	for path, name := range map[string]string{"/clip.mp4": "vid-1.mp4", "/watch": "vid-1.mp4", "/page": "vid-1.mp4"} {
		s.DownloadDir = filepath.Join(t.TempDir(), "kept")
		work := t.TempDir()
		s.Work = func(spool.JobKey) string { return work }
		f, err := run(t, s, site.url+path)
		if err != nil {
			t.Fatal(err)
		}
		wantClip(t, site, f)
		if f.Path != filepath.Join(s.DownloadDir, name) || f.Scratch {
			t.Errorf("%s: %+v", path, f)
		}
		entries, err := os.ReadDir(s.DownloadDir)
		if err != nil || len(entries) != 1 {
			t.Errorf("%s: the download folder holds %v (%v), want the video alone", path, entries, err)
		}
	}
	// What somebody put there is used.
	s.DownloadDir = t.TempDir()
	s.Work = func(spool.JobKey) string { return filepath.Join(s.DownloadDir, "..", "other") }
	mine := filepath.Join(s.DownloadDir, "vid-1.mkv")
	if err := os.WriteFile(mine, site.clip, 0o600); err != nil {
		t.Fatal(err)
	}
	before := site.requests.Load()
	f, err := run(t, s, site.url+"/watch")
	if err != nil || f.Path != mine || f.Scratch || site.requests.Load() != before {
		t.Errorf("Run = %+v, %v", f, err)
	}
}

// The download ended, and the power went before anybody was told.
func TestFinishedInTheDownloadFolder(t *testing.T) {
	site, s := newSite(t), newStage(t)
	s.DownloadDir = t.TempDir()
	source, path := site.url+"/clip.mp4", filepath.Join(s.DownloadDir, "vid-1.mp4")
	res, err := s.Client.Get(t.Context(), download.Request{URL: source, Path: path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := run(t, s, source)
	if err != nil || f.Path != path || f.SHA256 != res.SHA256 || site.requests.Load() != 1 {
		t.Errorf("Run = %+v, %v after %d requests", f, err, site.requests.Load())
	}
	if _, err := os.Stat(download.RecordPath(path)); !os.IsNotExist(err) {
		t.Error("the record is left beside the video")
	}
}

func TestInterruptedGoesOn(t *testing.T) {
	site, s := newSite(t), newStage(t)
	site.stall.Store(true)
	ctx, cancel := context.WithCancelCause(t.Context())
	drained := errors.New("drained")
	_, err := s.Run(ctx, jobFor(site.url+"/watch"), func(p spool.Progress) {
		if p.Done >= int64(len(site.clip)/2) {
			cancel(drained)
		}
	})
	if !errors.Is(err, drained) {
		t.Fatalf("Run = %v, want the cause of the cancel", err)
	}
	site.served.Store(0)
	f, err := run(t, s, site.url+"/watch")
	if err != nil {
		t.Fatal(err)
	}
	wantClip(t, site, f)
	if got, want := site.served.Load(), int64(len(site.clip)-len(site.clip)/2); got != want {
		t.Errorf("%d bytes were served, want the %d that were missing", got, want)
	}
}

func TestSlots(t *testing.T) {
	site, s := newSite(t), newStage(t)
	busy := flow.NewSlots(1)
	if err := busy.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Slots = busy
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Run(ctx, jobFor(site.url+"/clip.mp4"), func(p spool.Progress) {
		if p.Note != "" {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || site.requests.Load() != 0 {
		t.Errorf("without a slot: %v, %d requests", err, site.requests.Load())
	}
	busy.Release()
	if _, err := run(t, s, site.url+"/clip.mp4"); err != nil {
		t.Fatal(err)
	}
	if busy.InUse() != 0 {
		t.Error("the slot was not given back")
	}
}
