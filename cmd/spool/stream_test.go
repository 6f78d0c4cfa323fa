package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// gatedSite serves a file of which the last part comes when the gate is open.
type gatedSite struct {
	url   string
	media []byte
	name  string
	open  chan struct{}
	once  sync.Once
}

// gated makes a stream and serves it; percent of it come at once.
func gated(t *testing.T, name string, percent int, args ...string) *gatedSite {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	args = append([]string{
		"-v", "error", "-f", "lavfi", "-i", "testsrc2=s=192x108:r=25:d=30", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=30",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-sc_threshold", "0", "-bf", "2", "-c:a", "aac",
	}, append(args, file)...)
	if out, err := exec.CommandContext(t.Context(), program(t, "ffmpeg"), args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	media, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &gatedSite{media: media, name: name, open: make(chan struct{})}
	behind := int64(len(media) * percent / 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Type", "video/"+filepath.Ext(name)[1:])
		http.ServeContent(w, r, "", time.Time{}, &behindGate{bytes.NewReader(s.media), s, r, behind})
	}))
	t.Cleanup(server.Close)
	t.Cleanup(s.pass)
	s.url = server.URL + "/" + name
	return s
}

// pass opens the gate.
func (s *gatedSite) pass() { s.once.Do(func() { close(s.open) }) }

// behindGate reads what lies before an offset, and the rest when the gate is
// open.
type behindGate struct {
	*bytes.Reader
	site   *gatedSite
	r      *http.Request
	behind int64
}

func (b *behindGate) Read(p []byte) (int, error) {
	at, err := b.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	if left := b.behind - at; left > 0 {
		return b.Reader.Read(p[:min(int64(len(p)), left)])
	}
	select {
	case <-b.site.open:
		return b.Reader.Read(p)
	case <-b.r.Context().Done():
		return 0, b.r.Context().Err()
	}
}

// segments are the media files at the destination.
func (h *home) segments(t *testing.T, rendition string) []string {
	t.Helper()
	found, err := filepath.Glob(h.path("bucket", "*", "*", rendition, "*.m4s"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var streamArgs = map[string][]string{
	"film.ts":   nil,
	"film.mkv":  nil,
	"film.mp4":  {"-movflags", "frag_keyframe+empty_moov"},
	"film.m2ts": {"-mpegts_m2ts_mode", "1"},
}

// The first segments of a stream are at the destination before its download
// ends; what comes of it is whole.
func TestStreamsAreEncodedWhileTheyArrive(t *testing.T) {
	t.Parallel()
	for name, args := range streamArgs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, site := newHome(t), gated(t, name, 60, args...)
			c := h.start(t, "run", site.url)
			h.until(t, c, "segments before the end of the download", func() bool { return len(h.segments(t, "v*")) > 0 })
			site.pass()
			c.end(t, exitReady)
			h.good(t, 1)
			if v, a := len(h.segments(t, "v0*")), len(h.segments(t, "a0*")); v != 5 || a != 5 {
				t.Errorf("%d segments of pictures and %d of sound, want 5", v, a)
			}
		})
	}
}

// A run that is killed while a stream arrives goes on with the plan that it
// had begun, and the video is whole.
func TestKilledWhileAStreamArrives(t *testing.T) {
	t.Parallel()
	h, site := newHome(t), gated(t, "film.ts", 60)
	c := h.start(t, "run", site.url)
	h.until(t, c, "segments before the end of the download", func() bool { return len(h.segments(t, "v*")) > 0 })
	c.signal(t, syscall.SIGKILL)
	<-c.ended
	site.pass()
	h.do(t, exitReady, "run")
	h.good(t, 1)
	if v, a := len(h.segments(t, "v0*")), len(h.segments(t, "a0*")); v != 5 || a != 5 {
		t.Errorf("%d segments of pictures and %d of sound, want 5", v, a)
	}
}

// A server that always breaks off at the same place fails the video, and says
// so, whatever was encoded until then.
func TestStreamThatIsCut(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := gated(t, "film.ts", 60)
	s.pass()
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "video/mp2t")
		w.Header().Set("Content-Length", "9999999")
		_, _ = w.Write(s.media[:len(s.media)*6/10])
	}))
	t.Cleanup(cut.Close)
	said := h.do(t, exitSomeFailed, "run", cut.URL+"/film.ts")
	if !strings.Contains(said, "source-unstable") || !strings.Contains(said, "hint: ") {
		t.Errorf("it says:\n%s", said)
	}
	if masters, _ := filepath.Glob(h.path("bucket", "*", "master.m3u8")); len(masters) > 0 {
		t.Errorf("published: %v", masters)
	}
}
