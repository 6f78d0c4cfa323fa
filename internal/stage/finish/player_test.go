package finish_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/stage/finish"
	"github.com/spool-video/spool/internal/store/folder"
	"github.com/spool-video/spool/internal/verify"
	"github.com/spool-video/spool/internal/verify/verifytest"
)

// inFolder publishes into a real folder, with keys beside it, and gives it.
func inFolder(t *testing.T, o verifytest.Options) (*folder.Store, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := folder.Open(filepath.Join(dir, "bucket"), folder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	keysDir := filepath.Join(dir, "keys")
	o.KeyURI = filepath.Join(keysDir, "vid", "k1.key")
	job := verifytest.Job(t, s, o)
	if _, err := run(t, finish.Stage{Store: s, KeysDir: keysDir, Version: "test"}, job); err != nil {
		t.Fatal(err)
	}
	return s, filepath.Join(dir, "bucket", "vid")
}

// ffmpeg's player, which shares nothing with us, finds every frame of every
// rendition, with the exported key.
func TestFFmpegPlaysThePackage(t *testing.T) {
	for name, o := range map[string]verifytest.Options{"clear": {}, "encrypted": {Encrypted: true}} {
		s, dir := inFolder(t, o)
		master, err := os.ReadFile(filepath.Join(dir, "master.m3u8"))
		if err != nil {
			t.Fatal(err)
		}
		for _, stream := range []struct {
			of     string
			frames int
		}{{"0:v:0", 85}, {"0:v:1", 85}, {"0:a:0", 160}} {
			out := mediatest.FFmpeg(t, "-protocol_whitelist", "file,crypto", "-allowed_extensions", "ALL",
				"-i", filepath.Join(dir, "master.m3u8"), "-map", stream.of, "-fps_mode", "passthrough", "-f", "framecrc", "-")
			frames := 0
			for line := range bytes.Lines(out) {
				if line[0] != '#' {
					frames++
				}
			}
			// Of the sound, ffmpeg 5.1 gives the priming packet or does not.
			if frames != stream.frames && (stream.frames != 160 || frames != stream.frames-1) {
				t.Errorf("%s: %s has %d frames, want %d\n%s", name, stream.of, frames, stream.frames, master)
			}
		}
		report, err := verify.Package(t.Context(), s, "vid", verify.Options{Deep: true, Keys: os.ReadFile})
		if err != nil || len(report.Findings) > 0 {
			t.Errorf("%s: %v, %v", name, report.Findings, err)
		}
	}
}

// hls-parser reads every playlist that was published strictly.
func TestPlaylistsByHLSParser(t *testing.T) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	js := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "check.mjs"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "hls", "jstest", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(js, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = js
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	args := []string{"check.mjs"}
	for _, o := range []verifytest.Options{{Encrypted: true, Language: "eng"}, {NoVideo: true}, {Silent: true}} {
		_, dir := inFolder(t, o)
		found, err := filepath.Glob(filepath.Join(dir, "r1", "*", "index.m3u8"))
		if err != nil {
			t.Fatal(err)
		}
		args = append(append(args, found...), filepath.Join(dir, "master.m3u8"))
	}
	check := exec.CommandContext(t.Context(), "node", args...)
	check.Dir = js
	out, err := check.CombinedOutput()
	if err != nil || strings.Count(string(out), "\n") != len(args)-1 {
		t.Errorf("hls-parser: %v\n%s", err, out)
	}
}
