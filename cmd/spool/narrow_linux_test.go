package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/mediatest"
)

// bulky makes a source that is larger than scratch is in these tests: a minute
// and a half of noise, which nothing makes small, in small pictures.
var bulky = func() func(t *testing.T) []byte {
	var mu sync.Mutex
	var made []byte
	return func(t *testing.T) []byte {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if made != nil {
			return made
		}
		file := filepath.Join(t.TempDir(), "bulky.mp4")
		mediatest.FFmpeg(t, append(strings.Fields("-f lavfi -i testsrc2=s=160x90:r=25:d=90,noise=alls=60:allf=t -f lavfi -i sine=f=440:d=90 "+
			"-c:v libx264 -preset ultrafast -qp 12 -threads 1 -pix_fmt yuv420p -g 50 -c:a aac -b:a 96k -movflags +faststart"), file)...)
		var err error
		if made, err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
		return made
	}
}()

// gauge looks all the time how much of the disk a folder takes.
type gauge struct {
	most int64 // bytes
	stop chan struct{}
	done chan struct{}
}

func measure(dir string) *gauge {
	g := &gauge{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(g.done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			g.most = max(g.most, taken(dir))
			select {
			case <-tick.C:
			case <-g.stop:
				return
			}
		}
	}()
	return g
}

// end gives the most that was taken, in bytes.
func (g *gauge) end() int64 {
	close(g.stop)
	<-g.done
	return g.most
}

// taken is what du says of a folder, in bytes.
func taken(dir string) int64 {
	var sum int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // what vanishes takes nothing
		}
		if info, err := d.Info(); err == nil {
			sum += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return nil
	})
	return sum
}

// least has a run refused whose scratch is far too small, and gives the limit
// that it names, in MB.
func (h *home) least(t *testing.T, run []string, why string) int {
	t.Helper()
	said := h.do(t, exitSomeFailed, append(run, "9MB")...)
	named := regexp.MustCompile(why + `.*\n.*give --scratch-limit (\d+)MB`).FindStringSubmatch(said)
	if named == nil {
		t.Fatalf("no limit is named:\n%s", said)
	}
	limit, err := strconv.Atoi(named[1])
	if err != nil {
		t.Fatal(err)
	}
	return limit
}

// calmly gives what a run makes of the bulky source that nothing disturbs, and
// that has it as a file.
var calmly = func() func(t *testing.T) map[string]string {
	var mu sync.Mutex
	var sums map[string]string
	return func(t *testing.T) map[string]string {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if sums == nil {
			h := newHome(t)
			local := h.path("local.mp4")
			if err := os.WriteFile(local, bulky(t), 0o600); err != nil {
				t.Fatal(err)
			}
			h.do(t, exitReady, append([]string{"run", h.publishAs(t, "film", local)}, narrowly...)...)
			sums = plain(t, h.path("bucket", "film"))
		}
		return sums
	}
}()

// alike holds that videos are published as a calm run makes them.
func (h *home) alike(t *testing.T, ids ...string) {
	t.Helper()
	want := calmly(t)
	for _, id := range ids {
		if got := plain(t, h.path("bucket", id)); !maps.Equal(got, want) || len(got) < 10 {
			t.Errorf("%s is published as\n%v\na calm run makes\n%v", id, got, want)
		}
	}
}

var narrowly = []string{"--copy", "never", "--sizes", "90"}

// A source that is larger than scratch may be goes through it, in the room that
// is named to who gave too little. Nothing of it is sent twice.
func TestSourceLargerThanScratchGoesThrough(t *testing.T) {
	t.Parallel()
	const needs = "and this source needs [0-9.]+ MB at once"
	body := bulky(t)
	h, site := newHome(t), newLink(t)
	source := site.put("/film.mp4", offer{body: body, tag: "1"})
	run := append(append([]string{"run", h.publishAs(t, "film", source)}, narrowly...), "--scratch-limit")
	limit := h.least(t, run, needs)
	if limit >= len(body)/1_000_000 {
		t.Fatalf("a limit of %d MB for %d bytes", limit, len(body))
	}
	before := site.served("/film.mp4")
	g := measure(h.path("work"))
	h.do(t, exitReady, append(run, fmt.Sprintf("%dMB", limit))...)
	if most := g.end(); most > int64(limit)*1_000_000 || most < int64(limit)*1_000_000/2 {
		t.Errorf("scratch took %d bytes of %d MB", most, limit)
	}
	if n := site.served("/film.mp4") - before; n > int64(len(body))*1001/1000 {
		t.Errorf("%d bytes were sent of %d", n, len(body))
	}
	h.good(t, 1)
	h.alike(t, "film")

	// The same pictures and sound, but the first packets of sound lie far behind
	// their pictures.
	apart := misplaced(t, body)
	source = site.put("/apart.mp4", offer{body: apart, tag: "2"})
	run = append(append([]string{"run", h.publishAs(t, "apart", source)}, narrowly...), "--scratch-limit")
	if more := h.least(t, run, needs+", by the way that its pictures and sound lie in it"); more <= limit {
		t.Errorf("a limit of %d MB for a source that lies badly, of %d MB for one that lies well", more, limit)
	}
}

// misplaced puts a copy of the first chunk of an MP4's sound at three quarters of
// its media, where its index then says that it lies.
func misplaced(t *testing.T, file []byte) []byte {
	t.Helper()
	tables := chunkTables(file) // pictures, then sound
	media := bytes.Index(file, []byte("mdat")) - 4
	if len(tables) != 2 || media < 0 {
		t.Fatalf("%d tables, media at %d", len(tables), media)
	}
	first, end, middle := tables[1].at(file, 0), len(file), len(file)
	for _, c := range tables {
		for i := range c.entries {
			at := c.at(file, i)
			if at > first {
				end = min(end, at)
			}
			if at > len(file)*3/4 {
				middle = min(middle, at)
			}
		}
	}
	out, moved := bytes.Clone(file), end-first
	for _, c := range tables {
		for i := range c.entries {
			if at := c.at(file, i); at >= middle {
				c.put(out, i, at+moved)
			}
		}
	}
	tables[1].put(out, 0, middle)
	binary.BigEndian.PutUint32(out[media:], binary.BigEndian.Uint32(out[media:])+uint32(moved))
	return bytes.Join([][]byte{out[:middle], file[first:end], out[middle:]}, nil)
}

// chunkTable is an stco box of a file: where its entries begin.
type chunkTable struct{ from, entries int }

func (c chunkTable) at(file []byte, i int) int {
	return int(binary.BigEndian.Uint32(file[c.from+4*i:]))
}

func (c chunkTable) put(file []byte, i, at int) {
	binary.BigEndian.PutUint32(file[c.from+4*i:], uint32(at))
}

// chunkTables finds the tables of an MP4's tracks.
func chunkTables(file []byte) []chunkTable {
	var all []chunkTable
	var walk func(from, to int)
	walk = func(from, to int) {
		for at := from; at+8 <= to; {
			size := int(binary.BigEndian.Uint32(file[at:]))
			switch string(file[at+4 : at+8]) {
			case "moov", "trak", "mdia", "minf", "stbl":
				walk(at+8, at+size)
			case "stco":
				all = append(all, chunkTable{at + 16, int(binary.BigEndian.Uint32(file[at+12:]))})
			}
			at += max(size, 8)
		}
	}
	walk(0, len(file))
	return all
}

// A run that is killed while bytes are given back is completed by the next:
// nothing that was given back is asked for again, and all is as if nothing had
// happened.
func TestPulledPlugInNarrowScratch(t *testing.T) {
	t.Parallel()
	body := bulky(t)
	h, site := newHome(t), newLink(t)
	const limit = 40_000_000
	var mu sync.Mutex
	var gone spool.Spans
	again := int64(0)
	source := site.put("/film.mp4", offer{body: body, tag: "1", instead: func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		mu.Lock()
		defer mu.Unlock()
		var from, to int64
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); err == nil {
			again += gone.In(spool.Span{From: from, To: to + 1}).Len()
		}
		return false
	}})
	run := append([]string{"run", h.publishAs(t, "film", source), "--scratch-limit", strconv.Itoa(limit)}, narrowly...)
	g := measure(h.path("work"))
	for range 2 {
		c := h.start(t, run...)
		mu.Lock()
		before := gone.Len()
		mu.Unlock()
		h.until(t, c, "bytes that are given back", func() bool {
			return givenBack(h.path("work", "*", "film", "source", "source.part.json")).Len() > before
		})
		c.signal(t, syscall.SIGKILL)
		<-c.ended
		mu.Lock()
		gone = givenBack(h.path("work", "*", "film", "source", "source.part.json"))
		mu.Unlock()
	}
	h.do(t, exitReady, run...)
	if most := g.end(); most > limit {
		t.Errorf("scratch took %d bytes of %d", most, limit)
	}
	if again > 0 {
		t.Errorf("%d bytes were asked for again that had been given back", again)
	}
	if n := site.served("/film.mp4"); n > int64(len(body))*13/10 {
		t.Errorf("%d bytes were sent of %d", n, len(body))
	}
	h.good(t, 1)
	h.blameless(t)
	h.alike(t, "film")
}

// givenBack is what the side-file of a download says; nothing while there is
// none.
func givenBack(pattern string) spool.Spans {
	var record struct{ Gone spool.Spans }
	found, _ := filepath.Glob(pattern)
	for _, name := range found {
		if text, err := os.ReadFile(name); err == nil {
			_ = json.Unmarshal(text, &record) // it is replaced in one step
		}
	}
	return record.Gone
}
