package early

import (
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/playtest"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/folder"
	"github.com/spool-video/spool/internal/verify/verifytest"
)

// showing is one show of a growing list to a browser. Segments have a second.
type showing struct {
	verifytest.Options
	first  int // segments that are there when the player comes
	fails  int // segment with which the video fails; 0 = it does not
	length float64
}

// Chromium opens the early list when there is little, begins at its start, and
// plays it to its end while it grows; of a video that fails on the way, it
// plays what is there.
func TestChromiumPlaysWhatGrows(t *testing.T) {
	browser := playtest.Start(t)
	for name, o := range map[string]showing{
		"clear":     {first: 1, length: 3.4},
		"encrypted": {Options: verifytest.Options{Encrypted: true, KeyURI: "/k1.key"}, first: 3, length: 3.4},
		"fails":     {first: 1, fails: 2, length: 2},
	} {
		t.Run(name, func(t *testing.T) { playGrowing(t, browser, o) })
	}
}

func playGrowing(t *testing.T, browser *playtest.Browser, o showing) {
	dir := t.TempDir()
	s, err := folder.Open(dir, folder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	job := verifytest.Job(t, s, o.Options)
	loads := make(chan struct{}, 100) // of the list of the smaller size
	mux := http.NewServeMux()
	mux.HandleFunc("/k1.key", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(verifytest.Key) })
	files := http.FileServer(http.Dir(dir))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		files.ServeHTTP(w, r)
		if strings.HasSuffix(r.URL.Path, "v0-90p.m3u8") {
			select {
			case loads <- struct{}{}:
			default: // nobody counts so far
			}
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()

	offered := make(chan string, 10)
	k := &Keeper{Store: s, Mode: Soon, Say: func(_ string, n Note) {
		if n.URL != "" {
			offered <- n.URL
		}
	}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.Run(ctx)
	}()
	defer func() {
		cancel()
		<-done
	}()
	v := spool.Video{ID: verifytest.Video, Revision: verifytest.Revision, Status: spool.Working}
	k.Planned(v, job.Plan, job.Keys)
	for n := range o.first {
		k.Made(v.ID, v.Revision, numbered(job.Made, n))
	}
	if url := <-offered; url != filepath.Join(dir, "vid/early.m3u8") {
		t.Errorf("offered as %s", url)
	}
	made := make(chan struct{})
	go func() {
		defer close(made)
		for n := o.first; n < job.Plan.Grid.Segments(); n++ {
			// A segment is made each time the player has asked twice for more.
			for range 2 {
				select {
				case <-loads:
				case <-ctx.Done():
					return
				}
			}
			if n == o.fails {
				k.Changed(spool.Video{ID: v.ID, Revision: v.Revision, Status: spool.Failed})
				return
			}
			k.Made(v.ID, v.Revision, numbered(job.Made, n))
		}
	}()
	defer func() {
		cancel()
		<-made
	}()
	r := browser.Play(t, server.URL, "vid/early.m3u8", playtest.Options{Rate: 1, Listed: true, Limit: time.Minute})
	if !r.Ended || r.First > 0.5 || math.Abs(r.Position-o.length) > 0.1 || len(r.Buffered) != 1 || math.Abs(r.Buffered[0][0]) > 0.05 || !slices.Equal(r.Shown, []int{0}) {
		t.Errorf("%+v", r)
	}
	for _, e := range r.Errors {
		if !strings.Contains(e, "bufferStalledError") || strings.Contains(e, "fatal") { // it had to wait for us, and did
			t.Errorf("the player says: %s", e)
		}
	}
	for _, request := range r.Requests {
		if strings.Contains(request, "master.m3u8") || strings.Contains(request, "index.m3u8") {
			t.Errorf("the player asked for %s", request)
		}
	}
}

// numbered are the parts of made that belong to one segment number.
func numbered(made *spool.Made, n int) spool.Made {
	m := spool.Made{Inits: made.Inits}
	for _, s := range made.Segments {
		if s.Number == n {
			m.Segments = append(m.Segments, s)
		}
	}
	return m
}

// hls-parser reads the lists strictly, while they grow and at their end.
func TestListsByHLSParser(t *testing.T) {
	js := hlsParser(t)
	var files []string
	keep := func(w *world, when string) {
		for _, name := range w.Names() {
			if filepath.Ext(name) != ".m3u8" || !strings.Contains(name, "live-") && !strings.Contains(name, Name) {
				continue
			}
			file := filepath.Join(js, when+"-"+filepath.Base(name))
			if err := os.WriteFile(file, w.Bytes(name), 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
	}
	inBubble(t, func(t *testing.T, w *world) {
		p := plan(5)
		k, stop := w.keeper(Soon)
		defer stop()
		w.key = &spool.ContentKey{ID: "k1", Bytes: verifytest.Key, URI: "https://keys.example.com/k1"}
		k.Planned(making("r1"), p, spool.ContentKeys{*w.key})
		k.Made(video, "r1", w.whole("r1", p, 0))
		synctest.Wait()
		keep(w, "growing")
		k.Changed(w.finish("r1", p))
		synctest.Wait()
		keep(w, "grown")
	})
	check := exec.CommandContext(t.Context(), "node", append([]string{"check.mjs"}, files...)...)
	check.Dir = js
	out, err := check.CombinedOutput()
	if err != nil || strings.Count(string(out), "\n") != len(files) || strings.Count(string(out), `"EVENT"`) != 6 {
		t.Errorf("hls-parser: %v\n%s", err, out)
	}
}

// hlsParser makes a folder with hls-parser ready.
func hlsParser(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	js := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "check.mjs"} {
		text, err := os.ReadFile(filepath.Join("..", "hls", "jstest", name))
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
	return js
}

// A reader of a real folder, who looks all the time, sees whole lists that
// only grow, of objects that are there.
func TestReaderOfARealFolder(t *testing.T) {
	dir := t.TempDir()
	s, err := folder.Open(dir, folder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w := newWorld(t)
	p := plan(12)
	k := &Keeper{Store: s, Mode: Soon}
	ctx, cancel := context.WithCancel(t.Context())
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		k.Run(ctx)
	}()
	k.Planned(making("r1"), p, nil)
	go func() {
		for n := range p.Grid.Segments() {
			m := w.whole("r1", p, n)
			for _, object := range m.Segments {
				put(t, s, w, object.Name)
			}
			for _, object := range m.Inits {
				put(t, s, w, object.Name)
			}
			k.Made(video, "r1", m)
		}
		v := w.publish("r1", p, everything(w, p))
		for _, name := range w.Names() {
			if strings.HasSuffix(name, "index.m3u8") {
				put(t, s, w, strings.TrimPrefix(name, video+"/"))
			}
		}
		k.Changed(v)
	}()
	for ended := 0; ended < 3; {
		ended = 0
		for _, r := range renditionsOf(p) {
			if lookAt(t, dir, w, listName("r1", r)) {
				ended++
			}
		}
	}
	cancel()
	<-kept
}

// everything is what was made of a plan.
func everything(w *world, p *spool.Plan) []spool.Made {
	var all []spool.Made
	for n := range p.Grid.Segments() {
		all = append(all, w.whole("r1", p, n))
	}
	return all
}

func put(t *testing.T, s store.Store, w *world, name string) {
	body := strings.NewReader(string(w.Bytes(video + "/" + name)))
	if err := s.Put(t.Context(), video+"/"+name, body, store.PutOptions{}); err != nil {
		t.Error(err)
	}
}

// lookAt reads a list from the disk, as it is now, and reports whether it has
// ended.
func lookAt(t *testing.T, dir string, w *world, name string) bool {
	t.Helper()
	file := filepath.Join(dir, video, name)
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	list, err := hls.ParseMedia(text)
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, text)
	}
	before := w.lists[name]
	if len(list.Segments) < len(before.Segments) || !slices.EqualFunc(before.Segments, list.Segments[:len(before.Segments)], same) {
		t.Fatalf("%s has %d segments, and had %d", name, len(list.Segments), len(before.Segments))
	}
	for _, s := range list.Segments[len(before.Segments):] {
		if _, err := os.Stat(filepath.Join(filepath.Dir(file), s.URI)); err != nil {
			t.Fatal(err)
		}
	}
	w.lists[name] = seen{list, time.Now()}
	return list.Ended
}

func same(a, b hls.Segment) bool { return a.URI == b.URI && a.Duration == b.Duration }
