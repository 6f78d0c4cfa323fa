package page

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/guard"
)

func TestMain(m *testing.M) {
	if mode, ok := strings.CutPrefix(filepath.Base(os.Args[0]), "stub-"); ok {
		os.Exit(stub(mode, os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// stub is the test binary as a tool that behaves badly.
func stub(mode string, args []string) int {
	last := args[len(args)-1]
	switch last {
	case "--version":
		if mode == "young" {
			fmt.Println(time.Now().Format("2006.01.02"))
			return 0
		}
		fmt.Println("2021.12.17")
		return 0
	case "--help":
		fmt.Println(stubHelp(mode))
		return 0
	}
	if args[len(args)-2] != "--" {
		fmt.Fprintln(os.Stderr, "ERROR: the URL does not stand behind --")
		return 2
	}
	return misbehave(mode, args)
}

func stubHelp(mode string) string {
	help := "--ignore-config --no-cache-dir --no-playlist --socket-timeout --retries --flat-playlist --playlist-items " +
		"--dump-single-json --max-downloads --fragment-retries --continue --newline --print-json --output --cookies"
	if mode == "poor" {
		help = strings.ReplaceAll(help, "--no-playlist", "")
	}
	return help
}

func misbehave(mode string, args []string) int {
	switch mode {
	case "hang":
		select {}
	case "flood":
		for {
			fmt.Println(`{"title": "again and again"}`)
			fmt.Fprintln(os.Stderr, "WARNING: again")
		}
	case "longline":
		for {
			fmt.Print(strings.Repeat("x", 1<<20))
		}
	case "nothing":
	case "two":
		write("dl.f137.mp4", "dl.f140.m4a")
	case "part":
		write("dl.mp4.part")
	case "empty":
		write()
		_ = os.WriteFile("dl.mp4", nil, 0o600)
	case "link":
		_ = os.Symlink("/etc/passwd", "dl.mp4")
	case "folder":
		_ = os.Mkdir("dl.mp4", 0o700)
	case "live":
		fmt.Println(`{"id": "1", "is_live": true}`)
		select {}
	case "args", "young":
		fmt.Fprintln(os.Stderr, "ERROR: [x] Unable to extract data; please report this issue on https://x/?CANARY")
		write("args-" + fmt.Sprint(len(args)))
		return 1
	case "max":
		write("dl.mp4")
		return reachedMax
	case "cookies":
		for i, a := range args {
			if a == "--cookies" {
				b, _ := os.ReadFile(args[i+1])
				_ = os.WriteFile("dl.mp4", b, 0o600)
			}
		}
	}
	return 0
}

func write(names ...string) {
	for _, name := range names {
		_ = os.WriteFile(name, []byte("\x00\x00\x00\x18ftypmp42"), 0o600)
	}
}

// bad gives a tool that misbehaves as mode says.
func bad(t *testing.T, mode string) *Tool {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "stub-"+mode)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	if mode == "hang" || mode == "flood" {
		return &Tool{Guard: here, Path: path, Patience: 200 * time.Millisecond}
	}
	return &Tool{Guard: here, Path: path}
}

func wantFault(t *testing.T, err error, code string) *spool.Error {
	t.Helper()
	e := spool.AsError(err)
	if err == nil || e.Code != code {
		t.Fatalf("error = %v (code %+v), want code %q", err, e, code)
	}
	if e.Reason == "" || e.Hint == "" {
		t.Errorf("error %q has no reason or no hint: %+v", code, e)
	}
	if strings.Contains(err.Error()+e.Hint, "CANARY") {
		t.Errorf("the error tells a secret: %v", err)
	}
	return e
}

func TestBadTools(t *testing.T) {
	for mode, code := range map[string]string{
		"hang": "stalled", "flood": "stalled", "longline": "page-output", "nothing": "page-files", "two": "page-files",
		"part": "page-files", "empty": "page-files", "link": "page-files", "folder": "page-files", "live": "page-live",
		"args": "page-extract", "poor": "page-tool-old",
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file, _, err := bad(t, mode).Download(t.Context(), "http://127.0.0.1/CANARY?CANARY", dir, nil)
			wantFault(t, err, code)
			if file != "" {
				t.Errorf("a file %s came of it", file)
			}
			if _, err := os.Stat(filepath.Join(dir, "home")); !os.IsNotExist(err) {
				t.Error("the tool's home is left")
			}
		})
	}
}

func TestReachedMaximumIsSuccess(t *testing.T) {
	file, about, err := bad(t, "max").Download(t.Context(), "http://127.0.0.1/x", t.TempDir(), nil)
	if err != nil || filepath.Base(file) != "dl.mp4" || about.Page.URL != "http://127.0.0.1/x" {
		t.Errorf("Download = %q, %+v, %v", file, about, err)
	}
}

func TestResolveWithBadTools(t *testing.T) {
	for mode, code := range map[string]string{"hang": "stalled", "nothing": "page-output", "args": "page-extract", "poor": "page-tool-old"} {
		_, _, err := bad(t, mode).Resolve(t.Context(), "http://127.0.0.1/?CANARY")
		wantFault(t, err, code)
	}
}

// An old tool that does not understand a page is named with its age; a young
// one is not blamed.
func TestOldToolIsBlamed(t *testing.T) {
	_, _, err := bad(t, "args").Download(t.Context(), "http://127.0.0.1/x", t.TempDir(), nil)
	e := wantFault(t, err, "page-extract")
	if !strings.Contains(e.Reason, "2021.12.17") || !strings.Contains(e.Reason, "years old") || e.Hint != updateHint {
		t.Errorf("the age is not blamed: %+v", e)
	}
	_, _, err = bad(t, "young").Download(t.Context(), "http://127.0.0.1/x", t.TempDir(), nil)
	if e := wantFault(t, err, "page-extract"); strings.Contains(e.Reason, "old") {
		t.Errorf("a young tool is blamed: %+v", e)
	}
}

func TestCookies(t *testing.T) {
	jar := filepath.Join(t.TempDir(), "jar")
	if err := os.WriteFile(jar, []byte("# Netscape\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := bad(t, "cookies")
	old.Cookies = jar
	_, _, err := old.Download(t.Context(), "http://127.0.0.1/x", t.TempDir(), nil)
	wantFault(t, err, "page-tool-old")

	young := bad(t, "young")
	young.Cookies = jar + ".gone"
	_, _, err = young.Download(t.Context(), "http://127.0.0.1/x", t.TempDir(), nil)
	wantFault(t, err, "no-cookies")
}

func TestNoTool(t *testing.T) {
	for _, path := range []string{"/no/such/yt-dlp", "no-such-yt-dlp", "/etc/passwd"} {
		_, _, err := Find(t.Context(), path)
		wantFault(t, err, "no-page-tool")
	}
	t.Setenv("PATH", t.TempDir())
	_, _, err := (&Tool{Guard: here}).Resolve(t.Context(), "http://127.0.0.1/x")
	wantFault(t, err, "no-page-tool")
}

func TestURLsThatAreNone(t *testing.T) {
	for _, url := range []string{"", "--exec=touch pwned", "file:///etc/passwd", "ytsearch:x", "/etc/passwd", "http://"} {
		_, _, err := bad(t, "hang").Download(t.Context(), url, t.TempDir(), nil)
		wantFault(t, err, "bad-url")
	}
}

func TestAge(t *testing.T) {
	now := time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"2023.03.04\n":       "yt-dlp 2023.03.04, 3 years old",
		"2026.01.01.123456":  "yt-dlp 2026.01.01.123456, 2 months old",
		"2026.03.01":         "yt-dlp 2026.03.01, 4 days old",
		"2026.04.01":         "yt-dlp 2026.04.01, 0 days old",
		"one of these \x1b[": "yt-dlp one of these \\x1b[, of unknown age",
	} {
		if got := parseVersion("/usr/bin/yt-dlp", text).Describe(now); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// here is the policy under which the servers of these tests may be asked.
var here = guard.Policy{Private: true}
