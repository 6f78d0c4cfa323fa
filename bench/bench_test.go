package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The test binary plays spool when this variable says how: "good" publishes
// everything, "lazy" publishes nothing and says that all is well.
const stubVariable = "SPOOL_BENCH_STUB"

func TestMain(m *testing.M) {
	if how := os.Getenv(stubVariable); how != "" {
		os.Exit(stub(how, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// stub takes the arguments that the benchmark gives to spool, fetches every
// source, and leaves a master for each.
func stub(how string, args []string) int {
	if args[0] == "--help" || how == "lazy" {
		return 0
	}
	value := map[string]string{}
	for i := 1; i+1 < len(args); i += 2 {
		value[args[i]] = args[i+1]
	}
	list, err := os.ReadFile(value["-f"])
	if err != nil {
		return 1
	}
	for i, source := range strings.Fields(string(list)) {
		folder := filepath.Join(value["--to"], strconv.Itoa(i))
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return 1
		}
		if strings.HasPrefix(source, "http") {
			if err := download(context.Background(), source, filepath.Join(folder, "source.mp4")); err != nil {
				return 1
			}
		}
		if err := os.WriteFile(filepath.Join(folder, "master.m3u8"), nil, 0o600); err != nil {
			return 1
		}
	}
	return 0
}

// small is a run of seconds with the test binary as a spool of that kind.
func small(t *testing.T, how string) *bench {
	t.Helper()
	t.Setenv(stubVariable, how)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // else every call of the stub ends a second late under -race
	return &bench{
		spool: os.Args[0], preset: "ultrafast", size: "160x90", clips: 2, seconds: 1, one: 1, ready: 3,
		rungs: []rung{{80, 46, 100}, {160, 90, 200}}, notes: io.Discard, began: time.Now(),
	}
}

func TestMeasure(t *testing.T) {
	figures, err := small(t, "good").measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range figures {
		names = append(names, f.name)
		if f.value <= 0 {
			t.Errorf("%s is %v", f.name, f.value)
		}
	}
	want := "spool --help, batch: wall / max(Σ download, Σ encode), batch: wall / yardstick's wall, one video: CPU / three serial runs' CPU, run again with 3 ready videos"
	if got := strings.Join(names, ", "); got != want {
		t.Errorf("measured %s\nwant %s", got, want)
	}
	// The stub encodes nothing, and still it cannot be faster than the link.
	if batch := figures[1].value; batch < 0.9 {
		t.Errorf("a batch that only downloads took %.2f of the downloads' time", batch)
	}
}

func TestUnpublishedVideosAreNoResult(t *testing.T) {
	if _, err := small(t, "lazy").measure(t.Context()); err == nil {
		t.Error("a program that published nothing was measured")
	}
}

func TestRunTellsWhatIsMissing(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"-spool", "no-such-spool"}, &out, &errs); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if !strings.Contains(errs.String(), "no-such-spool") {
		t.Errorf("said %q", errs.String())
	}
	if code := run(t.Context(), []string{"-no-such-flag"}, &out, &errs); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
}

func TestFigure(t *testing.T) {
	for f, want := range map[figure]string{
		{"x", 1.1, 1.22, ""}:   fmt.Sprintf("%-58s     1.10    (≤ 1.22)", "x"),
		{"x", 61.04, 50, "ms"}: fmt.Sprintf("%-58s    61.04ms  (≤ 50.00ms)  missed", "x"),
	} {
		if got := f.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestLinkIsShared: two connections that send as much as one take twice as
// long, and both end about together.
func TestLinkIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &link{rate: 1e6}
		began := time.Now()
		ended := make(chan time.Duration, 2)
		for range 2 {
			go func() {
				for range 100 {
					if err := l.pass(t.Context(), 10_000); err != nil {
						t.Error(err)
					}
				}
				ended <- time.Since(began)
			}()
		}
		first, last := <-ended, <-ended
		if last > 2*time.Second || last < 2*time.Second-2*catchUp || last-first > 100*time.Millisecond {
			t.Errorf("2 MB at 1 MB/s: one connection ended after %v, the other after %v", first, last)
		}
	})
}

func TestLinkEndsWithItsRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&link{rate: 1}).pass(ctx, 1000); err == nil {
		t.Error("a cancelled request waited for the link")
	}
}

func TestSiteServesRanges(t *testing.T) {
	clip := filepath.Join(t.TempDir(), "clip.mp4")
	if err := os.WriteFile(clip, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := openSite(t.Context(), []string{clip}, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, test := range []struct {
		path, bytes, body string
		status            int
	}{
		{s.URLs()[0], "", "0123456789", http.StatusOK},
		{s.URLs()[0], "bytes=4-6", "456", http.StatusPartialContent},
		{s.base + "/1/clip.mp4", "", "404 page not found\n", http.StatusNotFound},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, test.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if test.bytes != "" {
			request.Header.Set("Range", test.bytes)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || string(body) != test.body || response.StatusCode != test.status {
			t.Errorf("%s %s: %d %q %v", test.path, test.bytes, response.StatusCode, body, err)
		}
	}
}
