package finish_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/early"
	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/stage/finish"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/verify/verifytest"
)

// publishEarly puts an early master and a growing list that names the objects.
func publishEarly(t *testing.T, m *verifytest.Memory, video, revision string, objects ...string) {
	t.Helper()
	list := hls.Media{Version: hls.Version, Target: 6, Event: true, FromStart: true, Map: "../" + revision + "/a0-und/init-00000000.mp4"}
	for _, o := range objects {
		list.Segments = append(list.Segments, hls.Segment{URI: "../" + o, Duration: time.Second})
	}
	text, err := list.Encode()
	if err != nil {
		t.Fatal(err)
	}
	name := early.Folder(revision) + "/a0-und.m3u8"
	m.Set(video+"/"+name, text)
	master, err := hls.Offer(nil, []hls.Stream{{URI: name, Codec: "mp4a.40.2", Peak: 2, Average: 1}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	m.Set(video+"/"+early.Name, master)
}

// aged is a store of which all was put at second 1000.
type aged struct{ *verifytest.Memory }

func (a aged) Stat(ctx context.Context, name string) (store.Info, error) {
	info, err := a.Memory.Stat(ctx, name)
	info.Modified = time.Unix(1000, 0)
	return info, err
}

func earlyNames(m *verifytest.Memory) []string {
	return slices.DeleteFunc(m.Names(), func(n string) bool { return !strings.Contains(n, "early") && !strings.Contains(n, "live-") })
}

// The early lists of a video outlive its becoming READY, with all that they
// name, and go when nobody can be watching any more.
func TestEarlyListsOutliveReady(t *testing.T) {
	m := verifytest.NewMemory()
	job := verifytest.Job(t, m, verifytest.Options{NoVideo: true})
	const first = "r1/a0-und/00000-00000000.m4s" // it was made again since
	m.Set("vid/"+first, []byte("the first one"))
	m.Set("vid/r1/a0-und/00001-00000000.m4s", []byte("nobody names it"))
	publishEarly(t, m, "vid", "r1", first, job.Made.Segments[1].Name)
	publishEarly(t, m, "vid", "r0", "r0/a0-und/00000-00000000.m4s")
	publishEarly(t, m, "vid", "r1", first, job.Made.Segments[1].Name)
	if _, err := run(t, stage(m), job); err != nil {
		t.Fatal(err)
	}
	if got := earlyNames(m); !slices.Equal(got, []string{"vid/early.m3u8", "vid/live-r1/a0-und.m3u8"}) {
		t.Errorf("early objects: %v", got)
	}
	if m.Bytes("vid/"+first) == nil || m.Bytes("vid/r1/a0-und/00001-00000000.m4s") != nil {
		t.Errorf("left: %v", m.Names())
	}
	sweep := func(before time.Time) {
		t.Helper()
		if err := finish.SweepEarly(t.Context(), aged{m}, "vid", before); err != nil {
			t.Fatal(err)
		}
	}
	sweep(time.Unix(999, 0))
	if len(earlyNames(m)) != 2 {
		t.Error("swept too soon")
	}
	sweep(time.Unix(1001, 0))
	if len(earlyNames(m)) != 0 || m.Bytes("vid/"+first) != nil {
		t.Errorf("left: %v", m.Names())
	}
	if r := fast(t, m); len(r.Findings) > 0 {
		t.Errorf("findings %v", r.Findings)
	}
	sweep(time.Unix(1001, 0)) // again: there is nothing
}

// What is not READY keeps its lists, and a stranger's file of the name stays.
func TestSweepEarlyLeavesAlone(t *testing.T) {
	m := verifytest.NewMemory()
	publishEarly(t, m, "vid", "r1", "r1/a0-und/00000-00000000.m4s")
	before := m.Names()
	if err := finish.SweepEarly(t.Context(), m, "vid", time.Now()); err != nil || !slices.Equal(m.Names(), before) {
		t.Errorf("%v, left %v", err, m.Names())
	}
	if err := finish.SweepEarly(t.Context(), m, "../vid", time.Now()); err == nil {
		t.Error("a name with dots is taken")
	}
	m, _ = published(t, verifytest.Options{NoVideo: true})
	m.Set("vid/early.m3u8", []byte("#EXTM3U\nmine\n"))
	m.Set("vid/live-at-wembley/song.mp3", []byte("theirs"))
	before = m.Names()
	if err := finish.SweepEarly(t.Context(), m, "vid", time.Now()); err != nil || !slices.Equal(m.Names(), before) {
		t.Errorf("%v, left %v", err, m.Names())
	}
	if err := finish.Unpublish(t.Context(), m, "vid", ""); err != nil || !slices.Equal(earlyNames(m), []string{"vid/early.m3u8", "vid/live-at-wembley/song.mp3"}) {
		t.Errorf("%v, left %v", err, m.Names())
	}
}

// The masters go first, then the lists, then what they name; a video that was
// never READY goes, too.
func TestUnpublishEarly(t *testing.T) {
	m, job := published(t, verifytest.Options{NoVideo: true})
	publishEarly(t, m, "vid", "r1", job.Made.Segments[0].Name)
	var deleted []string
	m.Refuse = func(action, name string) error {
		if action == "delete" {
			deleted = append(deleted, name)
		}
		return nil
	}
	if err := finish.Unpublish(t.Context(), m, "vid", ""); err != nil || len(m.Names()) > 0 {
		t.Fatalf("%v, left %v", err, m.Names())
	}
	if want := []string{"vid/master.m3u8", "vid/early.m3u8", "vid/live-r1/a0-und.m3u8"}; !slices.Equal(deleted[:3], want) {
		t.Errorf("deleted %v", deleted)
	}
	publishEarly(t, m, "vid", "r1", "r1/a0-und/00000-00000000.m4s")
	m.Set("vid/r1/a0-und/00000-00000000.m4s", []byte("segment"))
	if err := finish.Unpublish(t.Context(), m, "vid", ""); err != nil || len(m.Names()) > 0 {
		t.Errorf("never READY: %v, left %v", err, m.Names())
	}
}

// A failed or replaced revision takes its early lists with it, and they go
// before what they name.
func TestSweepsTakeEarlyLists(t *testing.T) {
	for name, sweep := range map[string]func(*verifytest.Memory) error{
		"abandoned": func(m *verifytest.Memory) error { return finish.SweepAbandoned(t.Context(), m, "vid", "", nil) },
		"replaced":  func(m *verifytest.Memory) error { return finish.SweepRevision(t.Context(), m, "vid", "r0") },
	} {
		m, _ := published(t, verifytest.Options{NoVideo: true})
		before := m.Names()
		m.Set("vid/r0/a0-und/00000-00000000.m4s", []byte("segment"))
		publishEarly(t, m, "vid", "r0", "r0/a0-und/00000-00000000.m4s")
		var last string
		m.Refuse = func(action, name string) error {
			if action == "delete" {
				last = name
			}
			return nil
		}
		if err := sweep(m); err != nil || !slices.Equal(m.Names(), before) || !strings.HasSuffix(last, ".m4s") {
			t.Errorf("%s: %v, last deleted %s, left %v", name, err, last, m.Names())
		}
	}
	m, _ := published(t, verifytest.Options{NoVideo: true})
	publishEarly(t, m, "vid", "r1", "r1/a0-und/00000-00000000.m4s")
	for _, keep := range []string{"", "r1", "r2"} {
		if err := finish.SweepAbandoned(t.Context(), m, "vid", keep, nil); err != nil || len(earlyNames(m)) != 2 {
			t.Errorf("keep %q: the lists of the READY revision: %v, %v", keep, earlyNames(m), err)
		}
	}
}

var errAway = errors.New("the store is away")

// A store that is away is an error, not a reason to remove more.
func TestSweepEarlyStoreAway(t *testing.T) {
	whole, job := published(t, verifytest.Options{NoVideo: true})
	publishEarly(t, whole, "vid", "r1", job.Made.Segments[0].Name)
	for at := 1; ; at++ {
		m := whole.Clone()
		calls := 0
		m.Refuse = func(string, string) error {
			if calls++; calls >= at {
				return errAway
			}
			return nil
		}
		err := finish.SweepEarly(t.Context(), m, "vid", time.Now())
		if err == nil {
			break
		}
		if !errors.Is(err, errAway) {
			t.Fatalf("call %d: %v", at, err)
		}
		m.Refuse = nil
		if _, err := finish.Look(t.Context(), m, "vid"); errors.Is(err, store.ErrNotFound) || err != nil {
			t.Fatalf("call %d: %v", at, err)
		}
		if err := finish.SweepEarly(t.Context(), m, "vid", time.Now()); err != nil || len(earlyNames(m)) > 0 {
			t.Fatalf("call %d, again: %v, %v", at, err, earlyNames(m))
		}
		if r := fast(t, m); len(r.Findings) > 0 {
			t.Fatalf("call %d: %v", at, r.Findings)
		}
	}
}
