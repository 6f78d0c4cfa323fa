package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/brokertest"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/webapi"
)

// segments are the published media files of a bucket, by what names them
// whatever the revision: "film/v0-90p/00000-1a2b3c4d.m4s". Their names carry
// the hash of their bytes.
func segments(t *testing.T, bucket string) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"*/*/*/*.m4s", "*/*/*/init-*.mp4"} {
		names, err := filepath.Glob(filepath.Join(bucket, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			rel, err := filepath.Rel(bucket, name)
			if err != nil {
				t.Fatal(err)
			}
			parts := strings.Split(rel, "/")
			if !strings.HasPrefix(parts[1], "live-") {
				found = append(found, parts[0]+"/"+strings.Join(parts[2:], "/"))
			}
		}
	}
	return found
}

// listens is where a serve lets workers in.
var listens = regexp.MustCompile(`let in at (nats://\S+)`)

// Two workers on one machine, and a serve without slots, publish two videos
// over the queue inside the serve. The worker that encodes is killed in the
// middle: what comes out is, byte for byte, what one process makes.
func TestFleet(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	second := h.path("second.mp4")
	if err := os.WriteFile(second, reel(t, "other"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.env = []string{"SPOOL_ENCRYPT=none", "SPOOL_ENCODES=1"}
	h.do(t, exitReady, "run", h.clip, second, "--to", "alone", "--state", "alone-state", "--work", "alone-work")

	h.env = append(h.env, "SPOOL_METRICS=127.0.0.1:0", "SPOOL_LOG_FORMAT=json")
	h.gate(t)
	serve := h.start(t, "serve", "--http", "127.0.0.1:0", "--slots", "none", "--listen", "127.0.0.1:0", "--allow-source", h.dir)
	serve.await(t, listens.String())
	queue := listens.FindStringSubmatch(serve.said())[1]
	workers := map[string]*child{}
	for _, name := range []string{"one", "two"} {
		workers[name] = h.start(t, "worker", "--queue", queue, "--name", name, "--grace", "1m")
	}
	for name, w := range workers {
		w.await(t, `works for nats`)
		if said := h.do(t, exitUsage, "worker", "--queue", queue, "--name", name); !strings.Contains(said, "has the name "+name) {
			t.Errorf("a second worker %s said:\n%s", name, said)
		}
	}
	added := h.start(t, "add", h.clip, second, "--wait")
	h.held(t, serve)
	dead, alive := "one", "two"
	h.until(t, serve, "both to work", func() bool {
		said := h.do(t, exitReady, "workers")
		t.Log(said)
		return strings.Count(said, " working ") == 2
	})
	workers[dead].signal(t, syscall.SIGKILL)
	killed := time.Now()
	h.open(t)
	added.end(t, exitReady)
	t.Logf("both were ready %v after a worker was killed", time.Since(killed).Round(time.Second))

	want, got := segments(t, h.path("alone")), segments(t, h.path("bucket"))
	if len(want) == 0 || strings.Join(want, "\n") != strings.Join(got, "\n") {
		t.Errorf("one process makes\n%s\na fleet\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
	if said := h.do(t, exitReady, "verify", "--all"); strings.Count(said, "good") != 2 {
		t.Errorf("verify:\n%s", said)
	}
	if said := h.do(t, exitReady, "workers"); !regexp.MustCompile(dead+` +lost`).MatchString(said) || !regexp.MustCompile(alive+` +(idle|working)`).MatchString(said) {
		t.Errorf("workers:\n%s", said)
	}
	if told := scrape(t, serve); !strings.Contains(told, `spool_workers{state="lost"} 1`) {
		t.Errorf("serve's metrics:\n%s", told)
	}
	if told := scrape(t, workers[alive]); !strings.Contains(told, `spool_stage_attempts_total{error_class="",outcome="done",stage="encode"} `) || strings.Contains(told, "\nspool_videos") {
		t.Errorf("the worker's metrics:\n%s", told)
	}
	h.do(t, exitReady, "drain", alive)
	workers[alive].end(t, exitReady)
	if left, err := filepath.Glob(h.path("work", "*-worker-"+alive, "scratch", "*")); err != nil || len(left) > 0 {
		t.Errorf("the worker left %v (%v)", left, err)
	}
	if kept, err := filepath.Glob(h.path("work", "*-worker-*", "*ledger*")); err != nil || len(kept) > 0 {
		t.Errorf("a worker keeps a ledger: %v (%v)", kept, err)
	}
	serve.signal(t, syscall.SIGTERM)
	holdsEvents(t, serve.end(t, exitReady), "worker.lost", "video.ready", "chunk.done")
	holdsEvents(t, workers[alive].said(), "job.done", "note")
}

// A serve whose work is all its workers' says that there is none.
func TestNobodyWorks(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	serve := h.start(t, "serve", "--http", "127.0.0.1:0", "--slots", "none", "--listen", "127.0.0.1:0", "--allow-source", h.dir)
	h.until(t, serve, "the API", func() bool { return h.serves() != "" })
	client, err := serving(t.Context(), config.Config{State: h.path("state")})
	if err != nil {
		t.Fatal(err)
	}
	for _, verdict := range []string{webapi.Accepted, webapi.Known} {
		taken, err := client.Add(t.Context(), []webapi.Submission{{Source: h.clip}})
		if err != nil || len(taken) != 1 || taken[0].Verdict != verdict || taken[0].Video.Why != "waits for a worker" {
			t.Errorf("handed in: %+v, %v", taken, err)
		}
	}
	for _, args := range [][]string{{"ls"}, {"show", h.id(t)}} {
		if said := h.do(t, exitReady, args...); !strings.Contains(said, "waits for a worker") {
			t.Errorf("spool %s:\n%s", strings.Join(args, " "), said)
		}
	}
	serve.signal(t, syscall.SIGTERM)
	serve.end(t, exitReady)
}

// A queue that could be set up better is warned of, and is no reason to wait.
func TestQueueThatForgets(t *testing.T) {
	t.Parallel()
	b := brokertest.Redis(t, "--appendonly", "no")
	h, m := newHome(t), newManager(t)
	h.env = []string{"SPOOL_QUEUE=redis://" + b.Address, "SPOOL_LOG_FORMAT=json", "NOTIFY_SOCKET=" + m.path}
	serve := h.start(t, "serve", "--http", "127.0.0.1:0", "--slots", "none")
	worker := h.start(t, "worker", "--name", "one")
	h.until(t, serve, "the worker to be known", func() bool { return h.serves() != "" && strings.Contains(h.do(t, exitReady, "workers"), "one") })
	for _, c := range []*child{worker, serve} {
		c.signal(t, syscall.SIGTERM)
		said := c.end(t, exitReady)
		holdsEvents(t, said, "engine.warns")
		if !strings.Contains(said, "keeps no log on its disk") || strings.Contains(said, "engine.away") || strings.Contains(said, "service.waits") {
			t.Errorf("it said:\n%s", said)
		}
	}
	if said := m.said.String(); strings.Contains(said, "waits") || !strings.Contains(said, "READY=1") {
		t.Errorf("its manager heard:\n%s", said)
	}
}
