package page

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// A stream with pictures and sound apart comes as one file with both.
func TestPartsAreJoined(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=160x90:d=2", "-f", "lavfi", "-i", "sine=d=2",
		"-map", "0:v", "-map", "1:a", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "hls",
		"-hls_time", "1", "-g", "10", "-hls_segment_filename", "part_%v-%d.ts", "-hls_playlist_type", "vod", "-master_pl_name", "master.m3u8",
		"-var_stream_map", "v:0,agroup:sound a:0,agroup:sound", "part_%v.m3u8")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	srv := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer srv.Close()
	var most atomic.Int64
	file, _, err := installed(t).Download(t.Context(), srv.URL+"/master.m3u8", t.TempDir(), func(done, _ int64) { most.Store(done) })
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ffprobe", "-v", "error", "-show_entries", "stream=codec_type", "-of", "csv=p=0", file).Output()
	if err != nil || !strings.Contains(string(out), "video") || !strings.Contains(string(out), "audio") {
		t.Errorf("%s holds %q (%v), want pictures and sound", filepath.Base(file), out, err)
	}
	if most.Load() == 0 {
		t.Error("there was no progress")
	}

	// A part that is missing is a failure, not a hole in the video.
	segments, err := filepath.Glob(filepath.Join(dir, "part_*-1.ts"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("no second segment in %s (%v)", dir, err)
	}
	for _, segment := range segments {
		if err := os.Remove(segment); err != nil {
			t.Fatal(err)
		}
	}
	file, _, err = installed(t).Download(t.Context(), srv.URL+"/master.m3u8", t.TempDir(), nil)
	wantFault(t, err, "page-fragment")
	if file != "" {
		t.Errorf("a video with a hole was taken: %s", file)
	}
}
