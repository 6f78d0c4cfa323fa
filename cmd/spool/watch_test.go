package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/verify"
)

// takes are sources that are watched while they arrive: 32 s in segments of
// six, with the index at either end. They stay below the cap of their rungs, as
// clipKinds say.
var takes = map[string]string{
	"head":  "-movflags +faststart",
	"tail":  "",
	"other": "-vf negate -movflags +faststart",
	"long":  "-g 500 -sc_threshold 0", // from key frame to key frame it is too long to be copied, and not to be sought in
}

// reel makes a take, each once for all tests.
var reel = func() func(t *testing.T, kind string) []byte {
	var mu sync.Mutex
	made := map[string][]byte{}
	return func(t *testing.T, kind string) []byte {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		args, known := takes[kind]
		if !known {
			t.Fatalf("no take %q", kind)
		}
		if made[kind] != nil {
			return made[kind]
		}
		file := filepath.Join(t.TempDir(), kind+".mp4")
		mediatest.FFmpeg(t, append(strings.Fields("-f lavfi -i testsrc=s=320x180:r=25:d=32 -f lavfi -i sine=f=440:d=32 -c:v libx264 -preset ultrafast -crf 16 "+
			"-pix_fmt yuv420p -g 50 -c:a aac -b:a 96k "+args), file)...)
		var err error
		if made[kind], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
		return made[kind]
	}
}()

// publishAs writes a list with one source under an ID, and gives its name.
func (h *home) publishAs(t *testing.T, id, source string) string {
	t.Helper()
	name := h.path(id + ".txt")
	if err := os.WriteFile(name, []byte(source+" id="+id+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// plain gives, of each segment that the manifests of a video name, its sum
// before encryption.
func plain(t *testing.T, video string) map[string]string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(video, "r*", "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for _, name := range found {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var m verify.Manifest
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		for _, r := range m.Renditions {
			for _, s := range r.Segments {
				sums[s.Rendition+"/"+filepath.Base(s.Name)[:5]] = s.Plain
			}
		}
	}
	return sums
}

// TestWatchedWhileItArrives publishes what comes twice as fast as it plays,
// and looks at the destination all the time. It is not run beside the others:
// that lists grow in time needs encoders that keep ahead.
func TestWatchedWhileItArrives(t *testing.T) { //nolint:tparallel // as said
	for _, kind := range []struct {
		take  string
		flags []string
	}{{"head", nil}, {"tail", []string{"--keys", "keys"}}, {"head", []string{"--copy", "never", "--sizes", "90,180"}}} {
		t.Run(strings.Join(append(kind.flags, kind.take), " "), func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			body := reel(t, kind.take)
			site := newLink(t)
			source := site.put("/film.mp4", offer{body: body, tag: "1", rate: len(body) / 13})
			run := append([]string{"run", h.publishAs(t, "film", source), "--early", "soon"}, kind.flags...)
			keys := ""
			if strings.HasPrefix(strings.Join(kind.flags, " "), "--keys") {
				keys = h.path("keys")
			}
			v := look(h.path("bucket"), keys)
			c := h.start(t, run...)
			h.until(t, c, "the offer", func() bool {
				_, err := os.Stat(h.path("bucket", "film", "early.m3u8"))
				return err == nil
			})
			if at := site.served("/film.mp4"); at >= int64(len(body)) {
				t.Errorf("it is offered only when all %d bytes are here", at)
			}
			h.one(t, "bucket", "film", "r*", "v0-*", "00000-*")
			c.end(t, exitReady)
			v.stop()
			v.report(t, c.said())
			if n := site.served("/film.mp4"); n > int64(len(body))*101/100 {
				t.Errorf("%d bytes were sent of %d", n, len(body))
			}
			h.good(t, 1)

			calm := newHome(t)
			local := calm.path("local.mp4")
			if err := os.WriteFile(local, body, 0o600); err != nil {
				t.Fatal(err)
			}
			calm.do(t, exitReady, append([]string{"run", calm.publishAs(t, "film", local)}, kind.flags...)...)
			if got, want := plain(t, h.path("bucket", "film")), plain(t, calm.path("bucket", "film")); !maps.Equal(got, want) || len(got) < 8 {
				t.Errorf("published while it arrived %v\na calm run publishes %v", got, want)
			}
		})
	}
}

// report tells what a viewer has found, of one video that is ready. That a list
// stood still is a fault only when nobody said that who watches has to wait: the
// encoders of a busy machine may be late.
func (v *viewer) report(t *testing.T, said string) {
	t.Helper()
	late := strings.Contains(said, "who watches early has to wait")
	for _, err := range v.errs {
		t.Error(err)
	}
	if len(v.offered) != 1 || len(v.ready) != 1 {
		t.Errorf("offered %v, ready %v", v.offered, v.ready)
	}
	for name, g := range v.lists {
		t.Logf("%s: %d segments, grew %d times, stood still for %s at most", name, len(g.Segments), g.grew, g.longest.Round(time.Millisecond))
		if !g.Ended || g.grew < 3 || !late && g.longest > time.Duration(g.Target)*time.Second*3/2 {
			t.Errorf("%s: ended %v, grew %d times, and stood still for %s", name, g.Ended, g.grew, g.longest)
		}
		if g.Length() < 31*time.Second {
			t.Errorf("%s plays for %s", name, g.Length())
		}
	}
	if len(v.lists) < 2 {
		t.Errorf("%d lists", len(v.lists))
	}
}
