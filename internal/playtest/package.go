package playtest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spool-video/spool/internal/process"
)

// Package is a small HLS package made with ffmpeg's own muxer, for tests of
// what plays packages. The zero value is two sizes of fragmented MP4, in the
// clear, laid out as Spool does with the revision "r1".
type Package struct {
	Seconds  int      // 4 when 0; segments have two
	Sizes    []string // "160x90" and "320x180" when nil, smallest first
	Type     string   // "fmp4" when "", or "mpegts"
	Key      []byte   // 16 bytes: encrypt as AES-128 does
	KeyURI   string   // as it stands in the playlists
	Pictures string   // lavfi source, ready for more options: "testsrc2=" when ""
}

// Make writes the package into dir, which it makes.
func (p Package) Make(tb testing.TB, dir string) {
	tb.Helper()
	if p.Seconds == 0 {
		p.Seconds = 4
	}
	if p.Sizes == nil {
		p.Sizes = []string{"160x90", "320x180"}
	}
	if p.Type == "" {
		p.Type = "fmp4"
	}
	if p.Pictures == "" {
		p.Pictures = "testsrc2="
	}
	master := "#EXTM3U\n#EXT-X-VERSION:7\n"
	for i, size := range p.Sizes {
		name := fmt.Sprintf("r1/v%d/index.m3u8", i)
		p.rung(tb, filepath.Join(dir, "r1", fmt.Sprintf("v%d", i)), size)
		master += fmt.Sprintf("#EXT-X-STREAM-INF:BANDWIDTH=%d,RESOLUTION=%s\n%s\n", 600_000*(i+1), size, name)
	}
	write(tb, filepath.Join(dir, "master.m3u8"), []byte(master))
}

func (p Package) rung(tb testing.TB, dir, size string) {
	tb.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	args := []string{
		"-nostdin", "-v", "error", "-f", "lavfi", "-i", fmt.Sprintf("%ss=%s:r=25,trim=duration=%d", p.Pictures, size, p.Seconds),
		"-f", "lavfi", "-i", fmt.Sprintf("sine=r=48000:d=%d", p.Seconds),
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-pix_fmt", "yuv420p", "-c:a", "aac",
		"-avoid_negative_ts", "disabled", "-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod", "-hls_segment_type", p.Type, "index.m3u8",
	}
	if _, err := process.Run(tb.Context(), process.Command{Path: "ffmpeg", Args: args, Dir: dir}); err != nil {
		tb.Fatal(err)
	}
	if p.Key == nil {
		return
	}
	iv := bytes.Repeat([]byte{7}, aes.BlockSize)
	segments, err := filepath.Glob(filepath.Join(dir, "index*.*s"))
	if err != nil || len(segments) == 0 {
		tb.Fatal("no segments to encrypt", err)
	}
	for _, name := range segments {
		write(tb, name, encrypt(tb, p.Key, iv, read(tb, name)))
	}
	list := filepath.Join(dir, "index.m3u8")
	line := fmt.Sprintf("#EXT-X-KEY:METHOD=AES-128,URI=\"%s\",IV=0x%x\n#EXTINF", p.KeyURI, iv)
	write(tb, list, []byte(strings.Replace(string(read(tb, list)), "#EXTINF", line, 1)))
}

// encrypt is the AES-128 method of RFC 8216, section 4.3.2.4.
func encrypt(tb testing.TB, key, iv, plain []byte) []byte {
	tb.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		tb.Fatal(err)
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	out := append(plain, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, out)
	return out
}

func read(tb testing.TB, name string) []byte {
	tb.Helper()
	body, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

func write(tb testing.TB, name string, body []byte) {
	tb.Helper()
	if err := os.WriteFile(name, body, 0o600); err != nil {
		tb.Fatal(err)
	}
}
