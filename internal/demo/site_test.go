package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spool-video/spool/internal/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, dir string, o Options) *Site {
	t.Helper()
	site, err := Start(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := site.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return site
}

// The videos have the same addresses the next time: they are known by them.
func TestPortIsKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state", "port")
	once := func(kept string) string {
		l, err := listen(t.Context(), kept)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l.Addr().String()
	}
	l, err := listen(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	first := l.Addr().String()
	if busy := once(file); busy == first {
		t.Errorf("both have %s", first)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if again := once(file); again != first {
		t.Errorf("it was %s, and then %s", first, again)
	}
	if once("") == first {
		t.Error("a port is kept that nobody asked for")
	}
}

type probed struct {
	Streams []struct {
		Type   string `json:"codec_type"`
		Width  int    `json:"width"`
		Height int    `json:"height"`
	} `json:"streams"`
	Format struct {
		Duration string `json:"duration"`
	} `json:"format"`
}

func probe(t *testing.T, name string) (width, height int, sound bool, seconds string) {
	t.Helper()
	out, err := process.Run(t.Context(), process.Command{Path: "ffprobe", Args: []string{
		"-v", "error", "-of", "json", "-show_streams", "-show_format", name,
	}})
	if err != nil {
		t.Fatal(err)
	}
	var found probed
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	for _, stream := range found.Streams {
		if stream.Type == "video" {
			width, height = stream.Width, stream.Height
		}
		sound = sound || stream.Type == "audio"
	}
	return width, height, sound, found.Format.Duration
}

func TestSite(t *testing.T) {
	dir := t.TempDir()
	began := time.Now()
	site := start(t, dir, Options{Bandwidth: 64 << 20})
	t.Logf("three clips made in %v", time.Since(began).Round(time.Millisecond))

	for _, want := range []struct {
		file          string
		width, height int
		indexFirst    bool
	}{{"pearls.mp4", 1920, 1080, true}, {"abyss.mp4", 480, 852, false}, {"garden.mp4", 1280, 720, true}} {
		name := filepath.Join(dir, want.file)
		width, height, sound, seconds := probe(t, name)
		if width != want.width || height != want.height || !sound || !strings.HasPrefix(seconds, "6.0") {
			t.Errorf("%s is %dx%d, sound %v, %s s", want.file, width, height, sound, seconds)
		}
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if first := bytes.Index(whole, []byte("moov")) < bytes.Index(whole, []byte("mdat")); first != want.indexFirst {
			t.Errorf("%s: index first is %v", want.file, first)
		}
		t.Logf("%s: %d kB", want.file, len(whole)>>10)
	}
	t.Run("ranges", func(t *testing.T) { checkRanges(t, site.Clips()[1].URL, filepath.Join(dir, "abyss.mp4")) })
	t.Run("page", func(t *testing.T) { checkPage(t, site) })
	t.Run("again", func(t *testing.T) {
		began := time.Now()
		start(t, dir, Options{FFmpeg: "/nonexistent"})
		if took := time.Since(began); took > time.Second {
			t.Errorf("clips that are there took %v", took)
		}
	})
}

func checkRanges(t *testing.T, url, file string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Range", "bytes=1000-1999")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	part, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusPartialContent || !bytes.Equal(part, whole[1000:2000]) {
		t.Errorf("%s, %d bytes", answer.Status, len(part))
	}
	if answer.Header.Get("ETag") == "" || answer.Header.Get("Content-Type") != "video/mp4" {
		t.Errorf("headers %v", answer.Header)
	}
}

// checkPage lets yt-dlp find the video behind the page.
func checkPage(t *testing.T, site *Site) {
	t.Helper()
	if _, err := os.Stat("/usr/bin/yt-dlp"); err != nil {
		t.Skip("no yt-dlp: /usr/bin/yt-dlp is not installed")
	}
	clip := site.Clips()[2]
	out, err := process.Run(t.Context(), process.Command{Path: "yt-dlp", Args: []string{
		"--ignore-config", "--no-cache-dir", "-J", "--", clip.URL,
	}, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(out, []byte("/files/garden.mp4")) || !bytes.Contains(out, []byte(pageTitle)) {
		t.Errorf("yt-dlp found %s", out)
	}
}

// TestBandwidthIsShared: two downloads take as long as their bytes together.
func TestBandwidthIsShared(t *testing.T) {
	dir := t.TempDir()
	const size, perSecond = 128 << 10, 512 << 10
	for _, r := range recipes {
		if err := os.WriteFile(filepath.Join(dir, r.file), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	site := start(t, dir, Options{Bandwidth: perSecond})
	began := time.Now()
	done := make(chan int64, 2)
	for _, clip := range site.Clips()[:2] {
		go func() { done <- download(t, clip.URL) }()
	}
	if got := <-done + <-done; got != 2*size {
		t.Errorf("%d bytes arrived, want %d", got, 2*size)
	}
	// The first sip of the site is free.
	if least := time.Second * (2*size - sip) / perSecond; time.Since(began) < least*9/10 {
		t.Errorf("took %v, want at least %v", time.Since(began), least)
	}
}

func download(t *testing.T, url string) int64 {
	answer, err := http.Get(url)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer answer.Body.Close()
	n, err := io.Copy(io.Discard, answer.Body)
	if err != nil {
		t.Error(err)
	}
	return n
}

func TestNoFFmpeg(t *testing.T) {
	dir := t.TempDir()
	if _, err := Start(t.Context(), dir, Options{FFmpeg: "/nonexistent/ffmpeg"}); err == nil {
		t.Fatal("a site without ffmpeg")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
