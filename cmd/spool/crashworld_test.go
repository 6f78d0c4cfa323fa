package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/verify"
)

// world is the sources and the programs that several destinations share.
type world struct {
	dir           string
	sources       []string
	site          *site
	ffmpeg, ytdlp string // scripts before the real ones
	log           string // a line for each start of ffmpeg: its folder
	calm          published
	buckets       int
	rate          int64         // of all downloads together, bytes per second
	pages         bool          // a page tool is at work, too
	calmly        time.Duration // the shortest time between two kills; 0 = they come at any time
}

// published is, for each video, the sum of each segment before encryption.
type published = map[string]map[string]string

// bucket is one destination, with a home of its own.
type bucket struct {
	world   *world
	dir     string
	state   string
	sources []string       // what is run
	deaths  map[string]int // by the folder in which the process worked
	orphans map[int]string // start time by process
	durable map[string]int // how often ffmpeg had been started for a part that is durable
	begun   map[string]int // how often it had been at the last kill, for any part
	lost    int64          // bytes that were downloaded and not yet durable
}

func newWorld(t *testing.T) *world {
	t.Helper()
	needTools(t, "ffmpeg", "ffprobe", "yt-dlp")
	clips := &clips{dir: t.TempDir()}
	w := &world{dir: t.TempDir(), rate: slow, pages: true}
	w.log = filepath.Join(w.dir, "starts")
	var media []byte
	for _, kind := range []string{"heard", "silent"} {
		file, err := clips.make(kind, ".mp4")
		if err != nil {
			t.Fatal(err)
		}
		w.sources = append(w.sources, file)
		if media == nil {
			if media, err = os.ReadFile(file); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.site = newSite(t, media)
	w.sources = append(w.sources, w.site.url+"/direct.mp4", w.site.url+"/page.html")
	w.ffmpeg = w.script(t, "ffmpeg", `pwd >> `+w.log+`; exec `+program(t, "ffmpeg")+` "$@"`)
	// What the page tool has started outlives it, unless somebody cares.
	w.ytdlp = w.script(t, "yt-dlp", `sleep 600 & exec `+program(t, "yt-dlp")+` "$@"`)
	return w
}

func program(t *testing.T, name string) string {
	t.Helper()
	found, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func (w *world) script(t *testing.T, name, body string) string {
	t.Helper()
	file := filepath.Join(w.dir, name)
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	return file
}

// bucket makes the room for a new destination.
func (w *world) bucket(t *testing.T) *bucket {
	t.Helper()
	w.buckets++
	b := &bucket{
		world: w, sources: w.sources, dir: filepath.Join(w.dir, fmt.Sprintf("r%d", w.buckets)),
		deaths: map[string]int{}, orphans: map[int]string{}, durable: map[string]int{},
	}
	b.state = filepath.Join(b.dir, "state")
	if err := os.MkdirAll(filepath.Join(b.dir, "home"), 0o755); err != nil {
		t.Fatal(err)
	}
	return b
}

// starts is how often ffmpeg was started in each folder.
func (b *bucket) starts(t *testing.T) map[string]int {
	t.Helper()
	text, err := os.ReadFile(b.world.log)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	starts := map[string]int{}
	for dir := range strings.Lines(string(text)) {
		starts[strings.TrimSpace(dir)]++
	}
	return starts
}

// notDurable is how many bytes the download in scratch holds beyond its last
// checkpoint.
func (b *bucket) notDurable(t *testing.T) int64 {
	t.Helper()
	parts, err := filepath.Glob(filepath.Join(b.dir, "work", "*", "*", "source", "source.part"))
	if err != nil {
		t.Fatal(err)
	}
	var lost int64
	for _, part := range parts {
		info, err := os.Stat(part)
		if err != nil {
			t.Fatal(err)
		}
		var record struct{ Have spool.Spans }
		if text, err := os.ReadFile(part + ".json"); err == nil {
			if err := json.Unmarshal(text, &record); err != nil {
				t.Errorf("%s: %v", part, err)
			}
		}
		// Where nothing was written the file has holes, not bytes.
		lost += min(info.Size(), info.Sys().(*syscall.Stat_t).Blocks*512)
		for _, s := range record.Have {
			lost -= s.Len()
		}
	}
	return lost
}

// published reads the manifests.
func (b *bucket) published(t *testing.T) published {
	t.Helper()
	all := published{}
	for _, m := range b.manifests(t) {
		sums := map[string]string{}
		for _, r := range m.Renditions {
			for _, s := range r.Segments {
				sums[fmt.Sprintf("%s/%d", s.Rendition, s.Number)] = s.Plain
			}
		}
		for _, o := range m.Beside {
			sums[o.Name] = "is there"
		}
		all[m.Video] = sums
	}
	return all
}

func (b *bucket) manifests(t *testing.T) []verify.Manifest {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(b.dir, "bucket", "*", "r*", "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []verify.Manifest
	for _, name := range found {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var m verify.Manifest
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// strangers finds what lies in the destination and is named by no manifest:
// what a crash left there is swept when its video is finished.
func (b *bucket) strangers(t *testing.T) {
	t.Helper()
	named := map[string]bool{}
	for _, m := range b.manifests(t) {
		named[path.Join(m.Video, m.Revision, "manifest.json")] = true
		for _, o := range slices.Concat(m.Objects(), m.Beside) {
			named[path.Join(m.Video, o.Name)] = true
		}
	}
	for _, name := range files(t, filepath.Join(b.dir, "bucket")) {
		if !named[name] && !strings.HasPrefix(name, ".spool") {
			t.Errorf("nobody names %s", name)
		}
	}
}

// files lists all files below a folder.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return names
}

// watch looks at the destination all the time, as players do: whenever there is
// a master, all that it names is there, whole, and stays. The function that it
// returns ends the watch and tells what was wrong.
func (b *bucket) watch() (stop func() []error) {
	done, result := make(chan struct{}), make(chan []error)
	go func() {
		var errs []error
		seen := map[string]string{}
		tick := time.NewTicker(15 * time.Millisecond)
		defer tick.Stop()
		for {
			masters, _ := filepath.Glob(filepath.Join(b.dir, "bucket", "*", "master.m3u8"))
			for _, master := range masters {
				if err := follow(master, seen); err != nil {
					errs = append(errs, err)
				}
			}
			select {
			case <-done:
				result <- errs
				return
			case <-tick.C:
			}
		}
	}()
	return func() []error { close(done); return <-result }
}

var uri = regexp.MustCompile(`(?m)^[^#\n].*$|URI="(r[^"]*|init[^"]*)"`)

// follow reads a master and everything below it. A list that was seen before
// must not have changed; media must be what their names say.
func follow(list string, seen map[string]string) error {
	text, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	if before, known := seen[list]; known {
		if before != string(text) {
			return fmt.Errorf("%s has changed:\n%s\n%s", list, before, text)
		}
		return nil
	}
	if !bytes.HasPrefix(text, []byte("#EXTM3U")) || !bytes.HasSuffix(text, []byte("\n")) {
		return fmt.Errorf("%s is not whole: %q", list, text)
	}
	seen[list] = string(text)
	for _, found := range uri.FindAllStringSubmatch(string(text), -1) {
		name := found[0]
		if found[1] != "" {
			name = found[1]
		}
		if err := arrive(filepath.Join(filepath.Dir(list), name), seen); err != nil {
			return fmt.Errorf("%s: %w", list, err)
		}
	}
	return nil
}

func arrive(name string, seen map[string]string) error {
	if strings.HasSuffix(name, ".m3u8") {
		return follow(name, seen)
	}
	media, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(media)
	if !strings.Contains(filepath.Base(name), hex.EncodeToString(sum[:])[:8]) {
		return fmt.Errorf("%s is not what its name says", name)
	}
	return nil
}
