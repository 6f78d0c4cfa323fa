package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The test binary plays spool when this variable says how: "good" publishes
// everything, "lazy" publishes nothing and says that all is well, "stuck" does
// not end.
const stubVariable = "SPOOL_BENCH_STUB"

func TestMain(m *testing.M) {
	if how := os.Getenv(stubVariable); how != "" {
		os.Exit(stub(how, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// stub takes the arguments that the benchmark gives to spool.
func stub(how string, args []string) int {
	value := map[string]string{}
	for i := 1; i+1 < len(args); i += 2 {
		value[args[i]] = args[i+1]
	}
	switch {
	case how == "stuck":
		<-time.After(time.Minute)
		return 1
	case args[0] == "--help" || args[0] == "verify" || how == "lazy":
		return 0
	case args[0] == "plan":
		fmt.Println(`[{"rungs": [{"action": "encode"}, {"action": "copy"}]}]`)
		return 0
	case args[0] == "show":
		return stubShow(filepath.Dir(args[3]))
	case value["--progress"] == "json":
		return stubKilled(filepath.Dir(value["--to"]), value)
	}
	return stubRun(value)
}

// stubEncode is how long the stand-in takes for sources from the disk: long
// against what a link gives back.
const stubEncode = 10 * catchUp

// stubRun fetches every source of the list, and leaves a master for each.
func stubRun(value map[string]string) int {
	list, err := os.ReadFile(value["-f"])
	if err != nil {
		return 1
	}
	if !strings.Contains(string(list), "http://") {
		<-time.After(stubEncode)
	}
	for line := range strings.Lines(string(list)) {
		source, id, _ := strings.Cut(strings.TrimSpace(line), " id=")
		folder := filepath.Join(value["--to"], id)
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

// stubKilled is half done when it is run first, and waits to be killed; the
// second time it does the rest.
func stubKilled(home string, value map[string]string) int {
	mark := filepath.Join(home, "begun")
	if _, err := os.Stat(mark); err == nil {
		if err := os.WriteFile(filepath.Join(home, "again"), nil, 0o600); err != nil {
			return 1
		}
		return stubRun(value)
	}
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		return 1
	}
	for _, done := range []string{"0", "49", "50"} {
		fmt.Fprintf(os.Stderr, `{"type": "progress", "progress": {"encode": {"done": %s, "total": 100}}}`+"\n", done)
	}
	<-time.After(time.Minute)
	return 1
}

// stubShow tells of one chunk that was done, one that was begun, and one that
// was only handed out.
func stubShow(home string) int {
	states, epochs := []string{"done", "running", "sent"}, []int{1, 1, 1}
	if _, err := os.Stat(filepath.Join(home, "again")); err == nil {
		states, epochs = []string{"done", "done", "done"}, []int{1, 2, 2}
	}
	var jobs []string
	for i := range states {
		jobs = append(jobs, fmt.Sprintf(`{"revision": "r1", "kind": "encode", "number": %d, "state": %q, "epoch": %d}`, i, states[i], epochs[i]))
	}
	fmt.Printf(`{"revision": "r1", "jobs": [%s, {"revision": "r1", "kind": "audio"}]}`, strings.Join(jobs, ", "))
	return 0
}

// small is a run of seconds with the test binary as a spool of that kind.
func small(t *testing.T, how string) *bench {
	t.Helper()
	t.Setenv(stubVariable, how)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // else every call of the stub ends a second late under -race
	return &bench{
		spool: os.Args[0], preset: "ultrafast", quick: "ultrafast", size: "160x90", clips: 2, seconds: 1, big: 1, tall: 90, cpu: 1, tape: 1, one: 2,
		kill: 2, slots: 2, ready: 3, check: 1, limit: time.Minute, rungs: []rung{{80, 46, 100}, {160, 90, 200}}, notes: io.Discard, began: time.Now(),
	}
}

// measured are the figures of the parts with those names.
func (b *bench) measured(ctx context.Context, only string) ([]figure, error) {
	b.only = only
	parts, err := b.chosen()
	if err != nil {
		return nil, err
	}
	var figures []figure
	err = b.measure(ctx, parts, func(f figure) { figures = append(figures, f) })
	return figures, err
}

func TestMeasure(t *testing.T) {
	figures, err := small(t, "good").measured(t.Context(), "cpu,help,batch,one,kill,again,verify")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	var names []string
	for _, f := range figures {
		values[f.name] = f.value
		names = append(names, f.name)
		if f.value <= 0 {
			t.Errorf("%s is %v", f.name, f.value)
		}
	}
	want := []string{
		"spool --help", "batch: wall / max(Σ download, Σ encode)", "batch: wall / yardstick's wall", "one video: wall / max(download, encode)",
		"one video: CPU / three serial runs' CPU", "one video: CPU, top rung copied / encoded",
		"killed at 50 %: chunks encoded twice / encoders", "killed at 50 %: bytes sent / bytes of the source", "run again with 3 ready videos",
		"verify: wall / making it", "verify: CPU / making it",
	}
	if !slices.Equal(names, want) {
		t.Errorf("measured %q\nwant %q", names, want)
	}
	// The stub encodes nothing, and still it cannot be faster than the link.
	for _, name := range want[1:4:4] {
		if value := values[name]; value < 0.9 && name != want[2] {
			t.Errorf("%s: %.2f, although all was downloaded", name, value)
		}
	}
	if twice := values[want[6]]; twice != 0.5 {
		t.Errorf("one chunk of two encoders was done twice: %v, want 0.5", twice)
	}
	if sent := values[want[7]]; sent != 1 {
		t.Errorf("the source was sent %v times, want once", sent)
	}
}

func TestLarge(t *testing.T) {
	figures, err := small(t, "good").measured(t.Context(), "large")
	if err != nil || len(figures) != 3 || figures[2].name != "large: CPU / three serial runs' CPU" || figures[2].value <= 0 {
		t.Errorf("measured %v, %v", figures, err)
	}
}

func TestChunksThatAreLostAreRepeated(t *testing.T) {
	before := chunks{{Revision: "r1", Number: 0, State: chunkDone, Epoch: 1}, {Revision: "r1", Number: 1, State: "ready"}}
	if n := before.repeated(chunks{{Revision: "r2", Number: 0, State: chunkDone, Epoch: 1}}); n != 1 {
		t.Errorf("%d, want 1: the revision with the chunk is gone, and what had not begun was not lost", n)
	}
}

func TestUnpublishedVideosAreNoResult(t *testing.T) {
	figures, err := small(t, "lazy").measured(t.Context(), "help,batch,again")
	if err == nil || !strings.Contains(err.Error(), "batch: ") || !strings.Contains(err.Error(), "again: ") {
		t.Errorf("a program that published nothing: %v", err)
	}
	if len(figures) != 1 {
		t.Errorf("%d figures, want what could be measured: 1", len(figures))
	}
}

func TestWhatIsStuckSaysWhere(t *testing.T) {
	b := small(t, "stuck")
	t.Setenv("TMPDIR", t.TempDir())
	b.limit = 500 * time.Millisecond
	if _, err := b.measured(t.Context(), "help"); !errors.Is(err, errStuck) {
		t.Fatalf("a program that does not end: %v", err)
	}
	kept, err := filepath.Glob(filepath.Join(os.TempDir(), "spool-bench-stuck-*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept %q, %v", kept, err)
	}
	said, err := os.ReadFile(kept[0])
	if err != nil || !bytes.Contains(said, []byte("bench.stub(")) {
		t.Errorf("where it hangs is not told: %v\n%.500s", err, said)
	}
}

func TestSpoolThatEndsCannotBeKilled(t *testing.T) {
	b := small(t, "lazy")
	b.dir = t.TempDir()
	if _, err := b.runAndKill(t.Context(), order{name: "x"}); !errors.Is(err, errNotKilled) {
		t.Errorf("there was nothing to kill: %v", err)
	}
}

func TestRunTellsWhatIsMissing(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"-spool", "no-such-spool", "-only", "help"}, &out, &errs); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if !strings.Contains(errs.String(), "no-such-spool") {
		t.Errorf("said %q", errs.String())
	}
	for _, wrong := range [][]string{{"-no-such-flag"}, {"-only", "no-such-part"}, {"-first", "1m"}} {
		if code := run(t.Context(), wrong, &out, &errs); code != 2 {
			t.Errorf("%v: exit code %d, want 2", wrong, code)
		}
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
