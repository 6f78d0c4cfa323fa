package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// filmed is how long each source of TestPulledPlugWhileArriving takes to
// arrive: what a kill loses, a checkpoint's worth, is little of that.
const filmed = 45 * time.Second

// TestPulledPlugWhileArriving kills spool and its encoders while sources
// arrive slowly and are encoded and watched meanwhile. Of one the pictures are
// copied; the other has its index at the end. Nothing is fetched, made or put
// twice, and what was on show stays.
func TestPulledPlugWhileArriving(t *testing.T) {
	t.Parallel()
	const usual = 4
	kills, seed := killsOf(usual, 50), killSeed(t)
	films := map[string][]byte{"copied": reel(t, "head"), "encoded": reel(t, "long")}
	w := &world{dir: t.TempDir(), calmly: 2 * time.Second}
	w.log = filepath.Join(w.dir, "starts")
	w.ffmpeg = w.script(t, "ffmpeg", `pwd >> `+w.log+`; exec `+program(t, "ffmpeg")+` "$@"`)
	w.ytdlp = "yt-dlp"
	for _, film := range films {
		w.rate += int64(len(film)) * int64(time.Second) / int64(filmed)
	}
	calm := w.arriving(t, films, 0)
	calm.finish(t)
	w.calm = calm.published(t)
	if len(w.calm) != len(films) {
		t.Fatalf("the undisturbed run published %v", w.calm)
	}
	var mu sync.Mutex
	var sum tally
	t.Run("kills", func(t *testing.T) {
		for i := range uint64(2) {
			b := w.arriving(t, films, filmed)
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				began := time.Now()
				var count tally
				b.endure(t, rand.New(rand.NewPCG(seed, i)), kills, &count) //nolint:gosec // repeatable is what it must be
				count.took = time.Since(began)
				mu.Lock()
				defer mu.Unlock()
				sum.add(count)
			})
		}
	})
	t.Log(sum)
	most := sum.size * 105 / 100
	if kills > usual {
		// One after the other they lose more, and nothing else comes twice.
		most = sum.size*101/100 + sum.lost
	}
	if sum.served > most {
		t.Errorf("%d bytes were sent of %d", sum.served, sum.size)
	}
}

func (c *tally) add(more tally) {
	c.spool, c.ffmpeg, c.ytdlp, c.buckets = c.spool+more.spool, c.ffmpeg+more.ffmpeg, c.ytdlp+more.ytdlp, c.buckets+1
	c.orphans, c.durable, c.cut = c.orphans+more.orphans, c.durable+more.durable, c.cut+more.cut
	c.size, c.served, c.lost, c.worst = c.size+more.size, c.served+more.served, c.lost+more.lost, max(c.worst, more.worst)
	c.took = max(c.took, more.took)
}

// arriving makes the room for a destination whose sources take so long.
func (w *world) arriving(t *testing.T, films map[string][]byte, long time.Duration) *arrivals {
	t.Helper()
	a := &arrivals{bucket: w.bucket(t), link: newLink(t), films: films, put: map[string]uint64{}}
	var list strings.Builder
	for id, film := range films {
		o := offer{body: film, tag: "1"}
		if long > 0 {
			o.rate = int(int64(len(film)) * int64(time.Second) / int64(long))
		}
		fmt.Fprintf(&list, "%s id=%s\n", a.link.put("/"+id+".mp4", o), id)
	}
	if err := os.WriteFile(filepath.Join(a.dir, "films.txt"), []byte(list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	a.sources = []string{"films.txt", "--early", "soon", "--sizes", "90,180"}
	return a
}

// arrivals is a bucket whose sources come by a link.
type arrivals struct {
	*bucket
	link  *link
	films map[string][]byte
	put   map[string]uint64 // the inode of each object that was there at a kill
}

// endure publishes all, and is killed so often meanwhile.
func (a *arrivals) endure(t *testing.T, random *rand.Rand, kills int, count *tally) {
	t.Helper()
	v := look(filepath.Join(a.dir, "bucket"), filepath.Join(a.dir, "keys"))
	for count.kills() < kills {
		p := a.start(t)
		if a.disturb(t, p, random, kills-count.kills(), count) {
			break
		}
		a.wreck(t, count)
		a.objects(t)
	}
	a.finish(t)
	a.objects(t)
	v.stop()
	for _, err := range v.errs {
		t.Error(err)
	}
	for name, g := range v.lists {
		if !g.Ended || len(g.Segments) != 6 {
			t.Errorf("%s: ended %v with %d segments", name, g.Ended, len(g.Segments))
		}
	}
	if len(v.offered) != len(a.films) || len(v.ready) != len(a.films) {
		t.Errorf("offered %v, ready %v", v.offered, v.ready)
	}
	if got := a.published(t); !maps.EqualFunc(got, a.world.calm, maps.Equal[map[string]string, map[string]string]) {
		t.Errorf("published %v\nwant %v", got, a.world.calm)
	}
	a.clean(t)
	a.once(t, count)
	for id, film := range a.films {
		count.size, count.served = count.size+int64(len(film)), count.served+a.link.served("/"+id+".mp4")
	}
	count.lost = a.lost
}

// objects holds that no object of a revision is put again that was there.
func (a *arrivals) objects(t *testing.T) {
	t.Helper()
	root := filepath.Join(a.dir, "bucket")
	found, err := filepath.Glob(filepath.Join(root, "*", "r*", "*", "*.m*4*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range found {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		inode := info.Sys().(*syscall.Stat_t).Ino
		if before, known := a.put[name]; known && before != inode {
			t.Errorf("%s was there and was put again", name)
		}
		a.put[name] = inode
	}
}
