package main

import (
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/mediatest"
)


// bulky makes the source once for all tests.
var bulky = func() func(t *testing.T) []byte {
	var once sync.Once
	var made []byte
	return func(t *testing.T) []byte {
		t.Helper()
		once.Do(func() {
			file := filepath.Join(t.TempDir(), "bulky.mp4")
			mediatest.FFmpeg(t, append(strings.Fields("-f lavfi -i testsrc2=s=320x180:r=25:d=100,noise=alls=40:allf=t -f lavfi -i sine=f=440:d=100 "+
				"-c:v libx264 -preset ultrafast -qp 30 -threads 1 -pix_fmt yuv420p -g 50 -c:a aac -b:a 96k -movflags +faststart"), file)...)
			var err error
			if made, err = os.ReadFile(file); err != nil {
				t.Fatal(err)
			}
		})
		if made == nil {
			t.Fatal("the source could not be made")
		}
		return made
	}
}()

// gauge looks all the time how much of the disk a folder takes.
type gauge struct {
	most int64
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
			g.most = max(g.most, blocks(dir))
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

func blocks(dir string) int64 {
	var sum int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			sum += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return nil
	})
	return sum
}

// A source that is larger than scratch may be goes through it: what is made of
// it is given back, and nothing is fetched twice.
func TestSourceLargerThanScratchGoesThrough(t *testing.T) {
	t.Parallel()
	body := bulky(t)
	h, site := newHome(t), newLink(t)
	source := site.put("/film.mp4", offer{body: body, tag: "1"})
	t.Logf("%d bytes", len(body))
	run := []string{"run", h.publishAs(t, "film", source), "--copy", "never", "--sizes", "90,180", "--scratch-limit"}
	said := h.do(t, exitSomeFailed, append(run, "1MB")...)
	limit := regexp.MustCompile(`give --scratch-limit (\d+)MB`).FindStringSubmatch(said)
	t.Logf("%s", said)
	if limit == nil {
		t.Fatal(said)
	}
	t.Logf("served %d", site.served("/film.mp4"))
	site.put("/film.mp4", offer{body: body, tag: "1", instead: func(w http.ResponseWriter, r *http.Request, n int) bool {
		t.Logf("%d %s at %d", n, r.Header.Get("Range"), site.served("/film.mp4"))
		return false
	}})
	g := measure(h.path("work"))
	h.do(t, exitReady, append(run, limit[1]+"MB")...)
	t.Logf("took %d bytes, served %d", g.end(), site.served("/film.mp4"))
	h.good(t, 1)
	_ = maps.Equal[map[string]string, map[string]string]
}
