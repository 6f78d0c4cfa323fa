package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// watched is a folder that spool watch publishes.
type watched struct {
	*home
	in string
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	w := &watched{home: newHome(t)}
	w.in = w.path("in")
	if err := os.MkdirAll(filepath.Join(w.in, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	return w
}

// put copies a file in, in parts, as slowly as somebody else would.
func (w *watched) put(t *testing.T, name string, body []byte, parts int) {
	t.Helper()
	f, err := os.Create(filepath.Join(w.in, name))
	if err != nil {
		t.Fatal(err)
	}
	pause := time.NewTicker(100 * time.Millisecond)
	defer pause.Stop()
	for i := range parts {
		if _, err := f.Write(body[len(body)*i/parts : len(body)*(i+1)/parts]); err != nil {
			t.Fatal(err)
		}
		if i < parts-1 {
			<-pause.C
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// revisions are those of the videos, by the name of the source.
func (w *watched) revisions(t *testing.T) map[string]string {
	t.Helper()
	revisions := map[string]string{}
	masters, err := filepath.Glob(w.path("bucket", "*", "master.m3u8"))
	if err != nil {
		t.Fatal(err)
	}
	for _, master := range masters {
		text, err := os.ReadFile(master)
		if err != nil {
			t.Fatal(err)
		}
		id := filepath.Base(filepath.Dir(master))
		for line := range strings.Lines(string(text)) {
			if revision, _, found := strings.Cut(line, "/"); found && !strings.HasPrefix(line, "#") {
				revisions[id[:strings.LastIndexByte(id, '-')]] = revision
			}
		}
	}
	return revisions
}

// A folder is watched: what is there and what comes is published once it is
// whole, what is replaced is made anew, and nothing is made twice, also after
// the folder was away, and after a restart.
func TestWatchFolder(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	first, second := reel(t, "head"), reel(t, "other")
	w.put(t, "one.mp4", first, 1)
	args := []string{"watch", w.in, "--settle", "1s", "--poll", "1s", "--exclude", "*.part.mp4"}
	c := w.start(t, args...)
	c.await(t, `one-\w+: ready`)

	w.put(t, "below/two.mp4", first, 5)
	w.put(t, "three.part.mp4", first, 1)
	w.put(t, "empty.mp4", nil, 1)
	c.await(t, `two-\w+: ready`)
	before := w.revisions(t)
	if len(before) != 2 {
		t.Fatalf("published %v", before)
	}

	w.put(t, "one.mp4", second, 3)
	c.await(t, `(?s)one-\w+: made anew.*one-\w+: ready`)
	if err := os.Rename(w.in, w.path("away")); err != nil {
		t.Fatal(err)
	}
	c.await(t, `refused \(source-missing\)`)
	if err := os.Rename(w.path("away"), w.in); err != nil {
		t.Fatal(err)
	}
	w.put(t, "four.mp4", first, 1)
	c.await(t, `four-\w+: ready`)
	c.signal(t, syscall.SIGTERM)
	said := c.end(t, exitReady)
	if n := strings.Count(said, "/master.m3u8\n"); n != 4 {
		t.Errorf("%d videos were given out, want 4:\n%s", n, said)
	}

	after := w.revisions(t)
	if len(after) != 3 || after["one"] == before["one"] || after["two"] != before["two"] {
		t.Errorf("published %v, and before %v", after, before)
	}

	again := w.start(t, append(args, "--progress", "json")...)
	w.put(t, "five.mp4", first, 1)
	again.await(t, `"type":"ready".*"five-|"five-.*"type":"ready"`)
	again.signal(t, syscall.SIGINT)
	if n := strings.Count(again.end(t, exitReady), `"type":"counted"`); n != 1 {
		t.Errorf("all sources were read for the first time %d times", n)
	}
	last := w.revisions(t)
	for id, revision := range after {
		if last[id] != revision {
			t.Errorf("%s was made again", id)
		}
	}
	if len(last) != 4 {
		t.Errorf("published %v", last)
	}
}
