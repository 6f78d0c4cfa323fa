package playtest

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spool-video/spool/internal/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pack makes a small package: two sizes of 4 seconds in two-second segments.
func pack(t *testing.T, segmentType string) string {
	t.Helper()
	dir := t.TempDir()
	for _, size := range []string{"160x90", "320x180"} {
		if err := os.Mkdir(filepath.Join(dir, size), 0o755); err != nil {
			t.Fatal(err)
		}
		args := []string{
			"-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=" + size + ":r=25:d=4", "-f", "lavfi", "-i", "sine=r=48000:d=4",
			"-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest",
			"-avoid_negative_ts", "disabled", "-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod", "-hls_segment_type", segmentType, "index.m3u8",
		}
		_, err := process.Run(t.Context(), process.Command{Path: "ffmpeg", Args: args, Dir: filepath.Join(dir, size)})
		if err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "master.m3u8"), []byte("#EXTM3U\n#EXT-X-VERSION:7\n"+
		"#EXT-X-STREAM-INF:BANDWIDTH=300000,RESOLUTION=160x90\n160x90/index.m3u8\n"+
		"#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=320x180\n320x180/index.m3u8\n"))
	return dir
}

func write(t *testing.T, name string, body []byte) {
	t.Helper()
	if err := os.WriteFile(name, body, 0o600); err != nil {
		t.Fatal(err)
	}
}

// encrypt encrypts all segments of a package as AES-128 does, in place.
func encrypt(t *testing.T, dir string, key []byte) {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(dir, "*", "*.m4s"))
	if err != nil || len(segments) == 0 {
		t.Fatal("no segments", err)
	}
	iv := bytes.Repeat([]byte{7}, aes.BlockSize)
	for _, name := range segments {
		plain, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		pad := aes.BlockSize - len(plain)%aes.BlockSize
		plain = append(plain, bytes.Repeat([]byte{byte(pad)}, pad)...)
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(plain, plain)
		write(t, name, plain)
	}
	lists, _ := filepath.Glob(filepath.Join(dir, "*", "index.m3u8"))
	for _, name := range lists {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprintf("#EXT-X-KEY:METHOD=AES-128,URI=\"/key\",IV=0x%x\n#EXTINF", iv)
		write(t, name, []byte(strings.Replace(string(text), "#EXTINF", line, 1)))
	}
}

// site serves a package and, at /key, a key.
func site(t *testing.T, dir string, key []byte) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(dir)))
	mux.HandleFunc("/key", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(key) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// whole fails the test unless everything was buffered as one range and played.
func whole(t *testing.T, r Result, width, height, frames int) {
	t.Helper()
	if !r.Ended || len(r.Errors) > 0 {
		t.Fatalf("ended %v at %.2f of %.2f, errors %q", r.Ended, r.Position, r.Duration, r.Errors)
	}
	if len(r.Buffered) != 1 || math.Abs(r.Buffered[0][0]) > 0.05 || math.Abs(r.Buffered[0][1]-4) > 0.1 {
		t.Errorf("buffered %v, want one range [0, 4]", r.Buffered)
	}
	if r.Width != width || r.Height != height {
		t.Errorf("picture %dx%d, want %dx%d", r.Width, r.Height, width, height)
	}
	if frames > 0 && r.Frames != frames {
		t.Errorf("%d frames, want %d", r.Frames, frames)
	}
	for _, track := range r.Tracks {
		if math.Abs(track.Start()) > 0.05 {
			t.Errorf("track %s starts at %.4f", track.Type, track.Start())
		}
	}
}

func TestPlayClearAndEncrypted(t *testing.T) {
	browser := Start(t)
	for _, kind := range []string{"fmp4", "mpegts"} {
		t.Run(kind, func(t *testing.T) {
			base := site(t, pack(t, kind), nil)
			r := browser.Play(t, base, "master.m3u8", Options{Level: 1, Rate: 2})
			if kind == "fmp4" {
				whole(t, r, 320, 180, 100)
			} else if !r.Ended || len(r.Errors) > 0 {
				t.Errorf("%+v", r)
			}
			if len(r.Levels) != 2 || r.Levels[0].Width != 160 {
				t.Errorf("levels %+v", r.Levels)
			}
			if !slices.Equal(r.Shown, []int{1}) {
				t.Errorf("levels %v were loaded, want 1 alone", r.Shown)
			}
		})
	}
	t.Run("aes-128", func(t *testing.T) {
		dir, key := pack(t, "fmp4"), []byte("0123456789abcdef")
		encrypt(t, dir, key)
		r := browser.Play(t, site(t, dir, key), "/master.m3u8", Options{SeekTo: 2.5, Rate: 2})
		whole(t, r, 160, 90, 0)
		wrong := browser.Play(t, site(t, dir, []byte("fedcba9876543210")), "/master.m3u8", Options{Limit: 20 * time.Second})
		if wrong.Ended || len(wrong.Errors) == 0 {
			t.Errorf("a wrong key plays: %+v", wrong)
		}
	})
}

// TestPlayTellsFaults: hls.js helps itself with another size, and the test
// must hear of it all the same.
func TestPlayTellsFaults(t *testing.T) {
	dir := pack(t, "fmp4")
	if err := os.Remove(filepath.Join(dir, "160x90", "index1.m4s")); err != nil {
		t.Fatal(err)
	}
	r := Play(t, site(t, dir, nil), "master.m3u8", Options{Limit: 20 * time.Second, Rate: 4})
	if !strings.Contains(strings.Join(r.Errors, "\n"), "404") {
		t.Errorf("a missing segment is not told: %+v", r)
	}
}

func TestBrowserLeavesNothingBehind(t *testing.T) {
	var profile string
	t.Run("browse", func(t *testing.T) {
		tab := Start(t).Tab(t, time.Minute)
		tab.Do(t)
		profile = filepath.Dir(t.TempDir())
	})
	running, err := process.Run(context.Background(), process.Command{Path: "ps", Args: []string{"-ewwo", "args"}})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(running, []byte(profile)) {
		t.Errorf("a process of the browser still runs with profile %s", profile)
	}
}
