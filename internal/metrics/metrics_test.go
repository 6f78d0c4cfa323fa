package metrics

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/spool-video/spool"
)

// filled are metrics with something in each of them, and with what must not
// become a label.
func filled() *Metrics {
	m := New("1.2.3")
	for _, kind := range []spool.Kind{spool.Fetch, spool.Draft, spool.Encode, spool.Audio, spool.Texts, spool.Finish} {
		m.Began(kind)(spool.Done, "")
		m.Began(kind)(spool.Broke, spool.Transient)
		m.Free(kind, 2)
	}
	m.Lost(spool.Encode)
	m.Called("video.ready", "delivered", time.Second)
	m.Asked("destination", "put", time.Second)
	m.Put("destination", 1000, nil)
	m.Put("destination", 1000, errors.New("full"))
	m.Look(func(context.Context) Standing {
		return Standing{
			Videos: map[spool.Status]int{spool.Ready: 3}, Workers: map[string]int{"idle": 1}, Notices: map[string]int{"waiting": 2},
			Jobs: map[spool.Kind]map[spool.JobState]int{spool.Encode: {spool.JobReady: 4}}, ScratchFree: 10, ScratchUsed: -1,
		}
	})
	for n := range 100 {
		plan := &spool.Plan{Timeline: spool.Timeline{Rate: spool.Ratio{Num: 25, Den: 1}, Frames: 50}, Rungs: []spool.Rung{{Name: "v1-720p", Action: spool.CopyRung}}}
		odd := fmt.Sprintf("v2-%dp", 3001+n)
		m.Made(spool.Job{JobKey: spool.JobKey{Kind: spool.Encode, Video: fmt.Sprint("film", n)}, Plan: plan}, spool.Result{Made: &spool.Made{Segments: []spool.Segment{
			{Rendition: "v0-360p", Units: 25}, {Rendition: "v0-360p", Units: 25}, {Rendition: "v1-720p", Units: 50}, {Rendition: odd, Units: 50},
		}}})
		m.Made(spool.Job{JobKey: spool.JobKey{Kind: spool.Fetch}}, spool.Result{Fetched: &spool.Fetched{Size: 10, SHA256: "ab"}})
	}
	return m
}

// Names, units and help texts are as Prometheus's conventions have them.
func TestLint(t *testing.T) {
	problems, err := testutil.GatherAndLint(filled().registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// What was counted is what is told, and the labels are few.
func TestCounts(t *testing.T) {
	m := filled()
	for name, want := range map[string]string{
		"spool_encode_media_seconds_total": `
			# HELP spool_encode_media_seconds_total Media that were made here, by their length.
			# TYPE spool_encode_media_seconds_total counter
			spool_encode_media_seconds_total{encoder="copy",rung="720p"} 200
			spool_encode_media_seconds_total{encoder="libx264",rung="360p"} 200
			spool_encode_media_seconds_total{encoder="libx264",rung="other"} 200
		`,
		"spool_publish_bytes_total": `
			# HELP spool_publish_bytes_total Bytes that were put into a store.
			# TYPE spool_publish_bytes_total counter
			spool_publish_bytes_total{store="destination"} 1000
		`,
		"spool_source_bytes_total": `
			# HELP spool_source_bytes_total Bytes of sources that were fetched here.
			# TYPE spool_source_bytes_total counter
			spool_source_bytes_total{kind="link"} 1000
		`,
		"spool_scratch_used_bytes": "",
		"spool_videos": `
			# HELP spool_videos Videos in the ledger.
			# TYPE spool_videos gauge
			spool_videos{status="ready"} 3
		`,
	} {
		if err := testutil.GatherAndCompare(m.registry, strings.NewReader(want), name); err != nil {
			t.Error(err)
		}
	}
	m.Look(nil)
	if n, err := testutil.GatherAndCount(m.registry, "spool_videos"); err != nil || n != 0 {
		t.Errorf("%d, %v, when nobody knows", n, err)
	}
}

// Requests are counted by the mux's patterns, whatever is asked for.
func TestRoutes(t *testing.T) {
	m := New("1")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /videos/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	mux.HandleFunc("/", http.NotFound)
	server := httptest.NewServer(m.HTTP(mux))
	defer server.Close()
	for n := range 20 {
		for _, ask := range []string{"GET /videos/%d", "GET /nothing/%d", "ODD%d /videos/1"} {
			method, path, _ := strings.Cut(fmt.Sprintf(ask, n), " ")
			r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
		}
	}
	if n, err := testutil.GatherAndCount(m.registry, "http_request_duration_seconds"); err != nil || n != 3 {
		t.Errorf("%d series, %v; want 3", n, err)
	}
}

// Nobody has to ask whether somebody counts.
func TestNobodyCounts(t *testing.T) {
	var m *Metrics
	m.Began(spool.Fetch)(spool.Done, "")
	m.Free(spool.Fetch, 1)
	m.Lost(spool.Fetch)
	m.Called("video.ready", "delivered", 0)
	m.Asked("destination", "put", 0)
	m.Put("destination", 1, nil)
	m.Made(spool.Job{}, spool.Result{})
	m.Look(nil)
	if h := http.NotFoundHandler(); m.HTTP(h) == nil {
		t.Error("there is no handler")
	}
}

// The page names every metric, and none that is not there.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	families, err := filled().registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"spool_scratch_used_bytes": true}
	for _, f := range families {
		known[f.GetName()] = true
	}
	for name := range known {
		ours := strings.HasPrefix(name, "spool_") || strings.HasPrefix(name, "http_")
		if ours && !strings.Contains(string(page), "`"+name) {
			t.Errorf("docs/operations.md does not name %s", name)
		}
	}
	for _, word := range strings.FieldsFunc(string(page), func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz_", r) }) {
		if strings.HasPrefix(word, "spool_") && !known[word] {
			t.Errorf("docs/operations.md names %s, which there is not", word)
		}
	}
}
