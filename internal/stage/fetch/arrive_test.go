package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/download"
	"github.com/spool-video/spool/internal/tap"
)

// readableStage is a stage whose sources can be read while they arrive.
func readableStage(t *testing.T) *Stage {
	t.Helper()
	dir := t.TempDir()
	client := &download.Client{Guard: anywhere, Attempts: 1}
	t.Cleanup(client.Close)
	s := &Stage{Client: client, Sources: &tap.Desk{}, Work: func(spool.JobKey) string { return dir }}
	t.Cleanup(func() { s.Release("film") })
	return s
}

func filmJob(url string) spool.Job {
	return spool.Job{JobKey: spool.JobKey{Video: "film", Revision: "r1", Kind: spool.Fetch}, Source: url, Canonical: url}
}

// told collects what a run tells.
type told struct {
	mu       sync.Mutex
	arrived  []spool.Fetched
	have     spool.Spans
	readable chan struct{} // closed when the source can be read
}

func (t *told) progress(p spool.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.Result != nil {
		t.arrived = append(t.arrived, *p.Result.Fetched)
		if len(t.arrived) == 1 {
			close(t.readable)
		}
	}
	if p.Phase != "" {
		t.have = p.Have
	}
}

// A source is announced when its moov box is here, and read while the rest is
// not; another try goes on with the same readers.
func TestSourceIsReadWhileItArrives(t *testing.T) {
	site, stage := newSite(t), readableStage(t)
	site.stall.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	first := &told{readable: make(chan struct{})}
	ended := make(chan error, 1)
	go func() {
		_, err := stage.Run(ctx, filmJob(site.url+"/clip.mp4"), first.progress)
		ended <- err
	}()
	<-first.readable
	path := first.arrived[0].Path
	source := stage.Sources.Taps.Find(path)
	if source == nil || !first.arrived[0].Arriving || first.arrived[0].Tag != `"clip"` || source.Size() != int64(len(site.clip)) {
		t.Fatalf("%+v, %+v", first.arrived, source)
	}
	head := make([]byte, 8)
	if err := tap.ReadFull(t.Context(), source, head, 0); err != nil || string(head[4:]) != "ftyp" {
		t.Errorf("read %q, %v", head, err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	first.mu.Lock()
	if first.have.Len() == 0 {
		t.Error("nobody was told which bytes are here")
	}
	first.mu.Unlock()

	second := &told{readable: make(chan struct{})}
	r, err := stage.Run(t.Context(), filmJob(site.url+"/clip.mp4"), second.progress)
	if err != nil || r.Fetched.Arriving || r.Fetched.Path != path {
		t.Fatalf("%+v, %v", r.Fetched, err)
	}
	tail := make([]byte, 100)
	if err := tap.ReadFull(t.Context(), source, tail, int64(len(site.clip)-100)); err != nil || string(tail) != string(site.clip[len(site.clip)-100:]) {
		t.Errorf("the first try's reader does not see the end: %v", err)
	}
	if stage.Sources.Tapped(&spool.Fetched{Path: path}) {
		t.Error("a source that is whole is still read through the tap")
	}
	stage.Release("film")
	if err := tap.ReadFull(t.Context(), source, tail, 0); err == nil {
		t.Error("a file that was given back can still be read")
	}
}

// changing serves half of one file, then another under the same address.
func changing(t *testing.T, first, second []byte) string {
	t.Helper()
	var mu sync.Mutex
	requests := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		requests++
		n := requests
		mu.Unlock()
		w.Header().Set("Content-Type", "video/mp4")
		if n == 1 {
			w.Header().Set("ETag", `"one"`)
			w.Header().Set("Content-Length", fmt.Sprint(len(first)))
			_, _ = w.Write(first[:len(first)*3/4])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("ETag", `"two"`)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(second)))
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/film.mp4"
}

// A source that is replaced while others read it ends what they make of it.
func TestReplacedSourceEndsTheRevision(t *testing.T) {
	site, stage := newSite(t), readableStage(t)
	stage.Client.Attempts = 5
	other := append([]byte(nil), site.clip...)
	other[len(other)/2] ^= 0xff
	seen := &told{readable: make(chan struct{})}
	stage.Client.Wait = func(ctx context.Context, _ time.Duration) error {
		select {
		case <-seen.readable: // the second try comes when the source is being read
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	_, err := stage.Run(t.Context(), filmJob(changing(t, site.clip, other)), seen.progress)
	var e *spool.Error
	if !errors.As(err, &e) || e.Class != spool.Replan || e.Code != "source-changed" {
		t.Fatalf("got %v", err)
	}
	if stage.Sources.Taps.Find(seen.arrived[0].Path) != nil {
		t.Error("the old bytes can still be read")
	}
}

// A revision that trusts the source less reads nothing through the tap of the
// one before.
func TestNextRevisionReadsAnew(t *testing.T) {
	site, stage := newSite(t), readableStage(t)
	site.stall.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	first := &told{readable: make(chan struct{})}
	ended := make(chan error, 1)
	go func() {
		_, err := stage.Run(ctx, filmJob(site.url+"/clip.mp4"), first.progress)
		ended <- err
	}()
	<-first.readable
	path := first.arrived[0].Path
	old := stage.Sources.Taps.Find(path)

	// It waits for the other to let go of the files.
	job := filmJob(site.url + "/clip.mp4")
	job.Revision, job.Careful = "r2", 1
	again := make(chan error, 1)
	go func() {
		_, err := stage.Run(t.Context(), job, func(spool.Progress) {})
		again <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := <-again; err != nil {
		t.Fatal(err)
	}
	if stage.Sources.Tapped(&spool.Fetched{Path: path}) || old.Err() == nil {
		t.Error("the revision before is still read")
	}
}

// What was used of a download that is gone, and of which nothing is known, may
// have been another file.
func TestDownloadThatIsGoneIsNotGoneOnWith(t *testing.T) {
	site, stage := newSite(t), readableStage(t)
	job := filmJob(site.url + "/clip.mp4")
	job.Fetched = &spool.Fetched{Path: stage.Work(job.JobKey) + "/source", Size: int64(len(site.clip)), Arriving: true}
	_, err := stage.Run(t.Context(), job, func(spool.Progress) {})
	var e *spool.Error
	if !errors.As(err, &e) || e.Class != spool.Replan || e.Code != spool.SourceGone {
		t.Errorf("got %v", err)
	}
}
