package page

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spool-video/spool"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// site is a small web site with a video.
type site struct {
	url   string
	clip  []byte
	bytes atomic.Int64 // of the clip, served
	stall atomic.Bool  // the clip stops in its middle

	mu   sync.Mutex // guards seen
	seen []string
}

func newSite(t *testing.T) *site {
	t.Helper()
	file := filepath.Join(t.TempDir(), "clip.mp4")
	out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=160x90:d=1",
		"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", file).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	clip, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{clip: clip}
	srv := httptest.NewUnstartedServer(s)
	s.url = "http://" + srv.Listener.Addr().String()
	srv.Start()
	t.Cleanup(srv.Close)
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen = append(s.seen, r.URL.Path+" "+r.Header.Get("Range"))
	s.mu.Unlock()
	switch path := r.URL.Path; {
	case path == "/page":
		fmt.Fprint(w, `<html><head><title>A title; $(touch pwned) &lt;b&gt;</title></head><body><video src="/clip.mp4"></video></body></html>`)
	case path == "/spoken":
		fmt.Fprint(w, `<html><body><video src="/clip.mp4"><track kind="subtitles" src="/en.vtt" srclang="en"></video></body></html>`)
	case path == "/shell":
		fmt.Fprint(w, `<html><body><video src="/clip.sh"></video></body></html>`)
	case path == "/empty":
		fmt.Fprint(w, `<html><body>nothing here</body></html>`)
	case path == "/hop":
		http.Redirect(w, r, "/page", http.StatusFound)
	case path == "/tofile":
		http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
	case path == "/rss":
		w.Header().Set("Content-Type", "application/rss+xml")
		fmt.Fprint(w, `<?xml version="1.0"?><rss version="2.0"><channel><title>Feed</title>`)
		for i := range 50 {
			fmt.Fprintf(w, `<item><title>item %d</title><link>%s/%d.mp4</link></item>`, i, s.url, i)
		}
		fmt.Fprint(w, `</channel></rss>`)
	case strings.HasPrefix(path, "/status/"):
		code := 0
		_, _ = fmt.Sscan(strings.TrimPrefix(path, "/status/"), &code)
		w.WriteHeader(code)
	case strings.HasSuffix(path, ".mp4"), strings.HasSuffix(path, ".sh"):
		s.serveClip(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (s *site) serveClip(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "video/mp4")
	if !s.stall.Load() || r.Header.Get("Range") != "" {
		http.ServeContent(counted{w, &s.bytes}, r, "", time.Time{}, strings.NewReader(string(s.clip)))
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(s.clip)))
	_, _ = w.Write(s.clip[:len(s.clip)/2])
	w.(http.Flusher).Flush()
	<-r.Context().Done()
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

// real is the tool that is installed, asked once for all tests.
var real = sync.OnceValues(func() (*Tool, error) {
	t, _, err := Find(context.Background(), "yt-dlp")
	t.Guard = here
	return t, err
})

func installed(t *testing.T) *Tool {
	t.Helper()
	tool, err := real()
	if err != nil {
		t.Fatal(err)
	}
	return tool
}

func TestRealPage(t *testing.T) {
	tool, s := installed(t), newSite(t)
	for _, path := range []string{"/page", "/hop"} {
		pages, playlist, err := tool.Resolve(t.Context(), s.url+path)
		if err != nil || playlist || len(pages) != 1 {
			t.Fatalf("Resolve %s = %+v, %v, %v", path, pages, playlist, err)
		}
		p := pages[0]
		if p.Extractor != "html5" || !strings.HasPrefix(p.Title, "A title") || p.URL != s.url+"/page" {
			t.Errorf("Resolve %s = %+v", path, p)
		}
	}
	var last atomic.Int64
	file, about, err := tool.Download(t.Context(), s.url+"/page", t.TempDir(), func(done, _ int64) { last.Store(done) })
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != string(s.clip) {
		t.Errorf("got %d bytes (%v), want the clip of %d", len(got), err, len(s.clip))
	}
	if last.Load() != int64(len(s.clip)) {
		t.Errorf("the last progress was %d bytes, want %d", last.Load(), len(s.clip))
	}
	if about.Page.Extractor != "html5" || about.Page.ID == "" || filepath.Base(file) != "dl.mp4" {
		t.Errorf("Download = %s, %+v", file, about)
	}
}

func TestRealFeed(t *testing.T) {
	tool, s := installed(t), newSite(t)
	pages, playlist, err := tool.Resolve(t.Context(), s.url+"/rss")
	if err != nil || !playlist || len(pages) != 50 || pages[49].URL != s.url+"/49.mp4" || pages[49].Title != "item 49" {
		t.Fatalf("Resolve = %d pages, %v, %v", len(pages), playlist, err)
	}
	file, _, err := tool.Download(t.Context(), s.url+"/rss", t.TempDir(), nil)
	if err != nil || file == "" {
		t.Fatal(err)
	}
	if s.bytes.Load() > 2*int64(len(s.clip)) {
		t.Errorf("%d bytes were served, want those of one item", s.bytes.Load())
	}
}

func TestRealFaults(t *testing.T) {
	tool, s := installed(t), newSite(t)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for url, code := range map[string]string{
		s.url + "/status/404": "http-404", s.url + "/status/403": "http-403", s.url + "/status/429": "http-429",
		s.url + "/status/500": "http-5xx", s.url + "/empty": "page-unsupported", s.url + "/tofile": "bad-redirect",
		closed.URL: "refused", "http://no-such-host.invalid/x": "dns",
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			_, _, err := tool.Resolve(t.Context(), url+"?token=CANARY")
			wantFault(t, err, code)
		})
	}
}

// An option in the place of the URL is refused before the tool sees it, and
// would be none behind the "--".
func TestOptionAsURL(t *testing.T) {
	tool := installed(t)
	dir := t.TempDir()
	evil := "--exec=touch " + filepath.Join(dir, "pwned")
	_, _, err := tool.Download(t.Context(), evil, dir, nil)
	wantFault(t, err, "bad-url")
	args, missing := arguments(tool.options, downloading(tool.options, ""), evil, "")
	if missing != "" || args[len(args)-2] != "--" || args[len(args)-1] != evil {
		t.Fatalf("arguments = %q, %q", args, missing)
	}
	if out, err := exec.Command(tool.found, args...).CombinedOutput(); err == nil {
		t.Errorf("the tool took it: %s", out)
	}
	if _, err := os.Stat(filepath.Join(dir, "pwned")); !os.IsNotExist(err) {
		t.Error("the option was obeyed")
	}
}

// What a run left is used by the next one.
func TestStalledVideoGoesOn(t *testing.T) {
	s := newSite(t)
	s.stall.Store(true)
	tool := &Tool{Guard: here, Path: "yt-dlp", Patience: time.Minute}
	dir := t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	_, _, err := tool.Download(ctx, s.url+"/page", dir, func(done, _ int64) {
		if done >= int64(len(s.clip)/4) {
			cancel(enough)
		}
	})
	if !errors.Is(err, enough) {
		t.Fatalf("Download = %v, want the cause of the cancel", err)
	}
	held := weigh(filepath.Join(dir, "out"))
	if held == 0 {
		t.Fatal("nothing is left to go on from")
	}
	file, _, err := tool.Download(t.Context(), s.url+"/page", dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != string(s.clip) {
		t.Errorf("got %d bytes (%v), want the clip of %d", len(got), err, len(s.clip))
	}
	if want := int64(len(s.clip)) - held; s.bytes.Load() != want {
		t.Errorf("%d bytes were served, want the %d that were missing", s.bytes.Load(), want)
	}
}

func TestTooLarge(t *testing.T) {
	s := newSite(t)
	tool := &Tool{Guard: here, Path: "yt-dlp", MaxBytes: 4096}
	_, _, err := tool.Download(t.Context(), s.url+"/page", t.TempDir(), nil)
	wantFault(t, err, "too-large")
}

func TestGoldenArguments(t *testing.T) {
	known := map[string]map[string]bool{"yt-dlp-2023": installed(t).options}
	help, err := os.ReadFile("testdata/youtube-dl-2021.options")
	if err != nil {
		t.Fatal(err)
	}
	known["youtube-dl-2021"] = parseOptions(string(help))
	for release, options := range known {
		for name, asked := range map[string][]option{"describe": describing(), "choose": choosing(), "download": downloading(options, "/opt/ffmpeg")} {
			args, missing := arguments(options, asked, "https://example.org/watch?v=1&list=2", "")
			if missing != "" {
				t.Errorf("%s does not know %s", release, missing)
			}
			golden(t, filepath.Join("testdata", release+"-"+name+".golden"), strings.Join(args, "\n")+"\n")
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil || got != string(want) {
		t.Errorf("%s (%v):\n got %s\nwant %s", name, err, got, want)
	}
}

func TestSymptoms(t *testing.T) {
	r := &run{tool: &Tool{}, url: "https://u:p@example.org/x?CANARY", version: Version{Name: "yt-dlp", Text: "2026.01.01", Released: time.Now()}}
	for said, code := range map[string]string{
		"ERROR: [youtube] x: Private video. Sign in if you've been granted access to this video": "page-private",
		"ERROR: [youtube] x: Video unavailable. This video has been removed by the uploader":     "page-removed",
		"ERROR: [youtube] x: Sign in to confirm your age. This video may be inappropriate":       "page-login",
		"ERROR: [a] This video is DRM protected":                                                 "drm",
		"ERROR: [a] x: The uploader has not made this video available in your country":           "page-region",
		"ERROR: [youtube] x: Premieres in 2 hours":                                               "page-not-yet",
		"ERROR: unable to download video data: HTTP Error 403: Forbidden":                        "http-403",
		"ERROR: unable to write data: [Errno 28] No space left on device":                        "no-space",
		"ERROR: [youtube] x: Requested format is not available. Use --list-formats":              "page-no-format",
		"WARNING: x\nERROR: first\nERROR: The read operation timed out":                          "stalled",
		"ERROR: something new at https://example.org/http%20error%20404?CANARY":                  "page-failed",
		"": "page-failed",
	} {
		e := wantFault(t, r.judge(complaint(said)), code)
		if !strings.HasPrefix(e.Reason, "example.org: ") {
			t.Errorf("the reason does not begin with the host alone: %s", e.Reason)
		}
	}
	r.partial = true
	if e := r.judge("HTTP Error 403: Forbidden"); e.Code != "link-expired" || e.Class != spool.Transient {
		t.Errorf("a link that expired in mid-download is %+v", e)
	}
}
