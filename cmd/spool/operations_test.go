package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/progress"
)

// scraped is where a service says that its metrics are.
var scraped = regexp.MustCompile(`metrics are at (http://[0-9.:]+)/metrics`)

// scrape asks a running service for its metrics.
func scrape(t *testing.T, c *child) string {
	t.Helper()
	c.await(t, scraped.String())
	return asked200(t, scraped.FindStringSubmatch(c.said())[1]+"/metrics")
}

func asked200(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v\n%s", url, res.Status, err, body)
	}
	return string(body)
}

// A serve at work tells Prometheus how it fares, and its log what happens, both
// without what is secret or without end.
func TestOperations(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	k := newHook(t, http.StatusInternalServerError)
	if err := os.WriteFile(h.path("broken.mp4"), []byte("no film"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := h.start(t, "serve", "--http", "127.0.0.1:0", "--allow-source", h.dir, "--allow-cidr", "127.0.0.1/32", "--metrics", "127.0.0.1:0", "--log-format", "json")
	h.until(t, c, "the API", func() bool { return h.serves() != "" })
	h.do(t, exitReady, "add", h.clip, "--wait", "--callback", k.URL+"/?token=hidden")
	h.do(t, exitSomeFailed, "add", h.path("broken.mp4"), "--wait")
	c.await(t, `callback.delivered`)
	text := scrape(t, c)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if !strings.HasPrefix(p.Metric, "go_") && !strings.HasPrefix(p.Metric, "process_") && !strings.HasPrefix(p.Metric, "promhttp_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	for _, want := range []string{
		`spool_build_info{`, `spool_videos{status="ready"} 1`, `spool_videos{status="failed"} 1`, `spool_workers{state="lost"} 0`,
		`spool_stage_attempts_total{error_class="",outcome="done",stage="encode"} 3`, `spool_stage_attempts_total{error_class="permanent",outcome="failed",stage="`,
		`spool_stage_duration_seconds_count{outcome="done",stage="finish"} 1`, `spool_stage_slots{stage="encode",state="busy"} 0`,
		`spool_encode_media_seconds_total{encoder="aac",rung="audio"}`, `spool_source_bytes_total{kind="file"}`,
		`spool_publish_objects_total{outcome="done",store="destination"}`, `spool_store_request_duration_seconds_count{op="put",store="destination"}`,
		`spool_webhook_deliveries_total{event="video.ready",outcome="delivered"} 1`, `spool_webhook_deliveries_total{event="video.ready",outcome="failed"} 1`,
		`spool_webhook_pending{state="waiting"} 0`, `spool_scratch_free_bytes `, `go_goroutines `, `process_cpu_seconds_total `,
		`http_request_duration_seconds_count{code="201",method="POST",route="/api/v1/batch"} 2`,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("it does not tell %s:\n%s", want, regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(want[:strings.IndexAny(want, "{ ")])+`.*`).FindAllString(text, -1))
		}
	}
	if strings.Contains(text, "film-") || strings.Contains(text, "hidden") || strings.Contains(text, h.dir) || strings.Count(text, "\nspool_") > 400 {
		t.Errorf("labels without end:\n%s", text)
	}
	at := scraped.FindStringSubmatch(c.said())[1]
	asked200(t, at+"/livez")
	asked200(t, at+"/readyz")
	if said := h.do(t, exitUsage, "serve", "--state", "another", "--metrics", "nowhere"); !strings.Contains(said, "--metrics is nowhere") {
		t.Errorf("a wrong address:\n%s", said)
	}
	c.signal(t, syscall.SIGTERM)
	holdsEvents(t, c.end(t, exitReady), "video.accepted", "video.fetched", "video.planned", "chunk.done", "piece.done", "video.ready", "video.failed", "callback.failed", "callback.delivered", "note")
}

// holdsEvents: what a service has said is a log of events that are documented,
// these among them, and shows no secret.
func holdsEvents(t *testing.T, said string, want ...string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(said) {
		if id, path, isReady := strings.Cut(line, "\t"); isReady && !strings.Contains(id, "{") && strings.Contains(path, "master.m3u8") {
			continue // what is ready, on standard output
		}
		var e struct{ Time, Level, Event, Video string }
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Time == "" || e.Level == "" || e.Event == "" {
			t.Errorf("%v: %s", err, line)
		}
		if !seen[e.Event] && !strings.Contains(string(page), "`"+e.Event+"`") {
			t.Errorf("docs/operations.md does not name %s", e.Event)
		}
		seen[e.Event] = true
		if e.Video == "" && strings.HasPrefix(e.Event, "video.") && e.Event != "video.refused" {
			t.Errorf("of no video: %s", line)
		}
	}
	for _, name := range want {
		if !seen[name] {
			t.Errorf("it never said %s:\n%s", name, said)
		}
	}
	if strings.Contains(said, "hidden") {
		t.Errorf("secrets:\n%s", said)
	}
}

// A log has no secrets and no control characters of others, and says once a
// minute what repeats itself.
func TestLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := newLog("text", slog.LevelInfo, &out)
	secret := "https://user:hidden@example.com/f?sig=hidden"
	log.Warn("job.failed", "video", "a", "code", "x", "error", errors.New(secret), "took", 1500*time.Millisecond)
	for range 5 {
		log.Warn("job.failed", "video", "b", "code", "x")
	}
	log.Warn("job.failed", "video", "b", "code", "y", "reason", "a\x1b[1m\u202eb "+secret)
	log.Debug("job.started", "video", "a")
	for range 2 {
		log.Warn("video.failed", "video", "b", "code", "x")
	}
	log.Info("note", "sizes", []string{"360p", secret}, "text", "Cookie: hidden")
	said := out.String()
	if strings.Count(said, "\n") != 5 || strings.Contains(said, "hidden") || strings.ContainsAny(said, "\x1b\u202e") || !strings.Contains(said, "took=1.5") ||
		!strings.Contains(said, "event=job.failed video=a") || strings.Contains(said, "job.started") {
		t.Errorf("the log:\n%s", said)
	}
	later := &told{}
	began := time.Now()
	for i, want := range []struct {
		times int
		of    bool
	}{{0, false}, {0, true}, {0, true}, {2, false}} {
		if times, of := later.again("k", began.Add(time.Duration(i)*20*time.Second)); times != want.times || of != want.of {
			t.Errorf("%d: %d, %v", i, times, of)
		}
	}
}

// What a service waits for has names in its log.
func TestWaitsHaveNames(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	show, err := progress.New(progress.Options{Log: newLog("json", slog.LevelInfo, &out)})
	if err != nil {
		t.Fatal(err)
	}
	s := &service{show: show}
	s.hears("the queue is away")
	s.hears("")
	s.says("the disk is full")
	s.says("")
	warned(s.warns)(&spool.Error{Reason: "the queue forgets", Hint: "give it a disk"})
	warned(s.warns)(&spool.Error{Reason: "the queue forgets", Hint: "give it a disk"})
	show.Show(progress.Event{Type: progress.Failed, Video: "a", Failure: &spool.Failure{Class: spool.Permanent, Code: "http-404", Reason: "gone", Hint: "look"}})
	show.Show(progress.Event{Type: progress.Moved, Video: "a"})
	warns := []string{"engine.away", "service.waits", "engine.warns", "video.failed"}
	for _, want := range []string{"engine.away", "engine.back", "service.waits", "service.goes-on", "engine.warns", "video.failed"} {
		line, err := out.ReadString('\n')
		if err != nil || !strings.Contains(line, `"event":"`+want+`"`) || strings.Contains(line, `"WARN"`) != slices.Contains(warns, want) {
			t.Errorf("%v: %s, want %s", err, line, want)
		}
	}
	if out.Len() > 0 {
		t.Errorf("and more: %s", out.String())
	}
}
