package finish_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/stage/finish"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/verify/verifytest"
)

func published(t *testing.T, o verifytest.Options) (*verifytest.Memory, spool.Job) {
	t.Helper()
	m := verifytest.NewMemory()
	job := verifytest.Job(t, m, o)
	if _, err := run(t, stage(m), job); err != nil {
		t.Fatal(err)
	}
	return m, job
}

func TestForeignFolderIsLeftAlone(t *testing.T) {
	for name, theirs := range map[string]map[string]string{
		"a playlist":              {"vid/master.m3u8": "#EXTM3U\n"},
		"a playlist that leads":   {"vid/master.m3u8": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,AVERAGE-BANDWIDTH=1,CODECS=\"c\"\nr1/x.m3u8\n"},
		"a playlist and JSON":     {"vid/master.m3u8": "#EXTM3U\n", "vid/video.json": "{}"},
		"a video.json":            {"vid/video.json": "{\"id\": \"vid\"}"},
		"not even JSON":           {"vid/video.json": "hello"},
		"the card of another one": {"vid/video.json": "{\"v\":1,\"id\":\"other\",\"revision\":\"r1\"}"},
	} {
		m := verifytest.NewMemory()
		job := verifytest.Job(t, m, verifytest.Options{NoVideo: true})
		for name, text := range theirs {
			m.Set(name, []byte(text))
		}
		before := m.Names()
		_, err := run(t, stage(m), job)
		if e := spool.AsError(err); !errors.Is(err, finish.ErrForeign) || e.Class != spool.Permanent || e.Code != "foreign-folder" {
			t.Errorf("%s: run: %v", name, err)
		}
		if err := finish.Unpublish(t.Context(), m, "vid", ""); !errors.Is(err, finish.ErrForeign) {
			t.Errorf("%s: Unpublish: %v", name, err)
		}
		if _, err := finish.Adopt(t.Context(), m, "vid"); !errors.Is(err, finish.ErrForeign) {
			t.Errorf("%s: Adopt: %v", name, err)
		}
		if !slices.Equal(m.Names(), before) {
			t.Errorf("%s: objects were %v, are %v", name, before, m.Names())
		}
	}
}

// A second revision takes the first one's place in one step; the first can be
// swept then, and not before.
func TestReplaceAndSweep(t *testing.T) {
	m, job := published(t, verifytest.Options{NoVideo: true})
	if err := finish.SweepRevision(t.Context(), m, "vid", "r1"); err == nil {
		t.Fatal("the published revision is swept")
	}
	second := successor(m, job)
	second.Published = "r1"
	if _, err := run(t, stage(m), second); err != nil {
		t.Fatal(err)
	}
	if err := finish.SweepRevision(t.Context(), m, "vid", "r1"); err != nil {
		t.Fatal(err)
	}
	for _, name := range m.Names() {
		if strings.HasPrefix(name, "vid/r1/") {
			t.Errorf("%s is left", name)
		}
	}
	if r := fast(t, m); len(r.Findings) > 0 || r.Revision != "r2" {
		t.Errorf("report %+v", r)
	}
	for _, bad := range []string{"", ".", "..", "r2/v0-90p"} {
		if err := finish.SweepRevision(t.Context(), m, "vid", bad); err == nil {
			t.Errorf("revision %q is swept", bad)
		}
	}
}

// After video.json of a new revision was put, but not yet its master, the old
// revision is still the published one.
func TestSweepFollowsTheMasterNotTheCard(t *testing.T) {
	m, _ := published(t, verifytest.Options{NoVideo: true})
	m.Set("vid/video.json", []byte(`{"v":1,"id":"vid","revision":"r2"}`))
	if err := finish.SweepRevision(t.Context(), m, "vid", "r1"); err == nil {
		t.Error("the revision that the master names is swept")
	}
	m.Set("vid/master.m3u8", []byte("damaged"))
	if err := finish.SweepRevision(t.Context(), m, "vid", "r1"); err == nil {
		t.Error("with a master that cannot be read, a revision is swept")
	}
}

func TestStraysOfTheRevisionAreSwept(t *testing.T) {
	m := verifytest.NewMemory()
	job := verifytest.Job(t, m, verifytest.Options{NoVideo: true})
	m.Set("vid/r1/a0-und/00000-00000000.m4s", []byte("zombie"))
	m.Set("vid/r0/a0-und/00000-00000000.m4s", []byte("a whole revision's"))
	m.Set("vid/r0/manifest.json", []byte("{}"))
	if _, err := run(t, stage(m), job); err != nil {
		t.Fatal(err)
	}
	if m.Bytes("vid/r1/a0-und/00000-00000000.m4s") != nil || m.Bytes("vid/r0/a0-und/00000-00000000.m4s") == nil {
		t.Errorf("left: %v", m.Names())
	}
	// A store that does not delete does not unmake a published video.
	m.Set("vid/r1/a0-und/00000-00000000.m4s", []byte("zombie"))
	m.Refuse = func(action, _ string) error {
		if action == "delete" {
			return errors.New("read-only")
		}
		return nil
	}
	note := ""
	_, err := stage(m).Run(t.Context(), job, func(p spool.Progress) { note = p.Note })
	if err != nil || note == "" {
		t.Errorf("run: %v, note %q", err, note)
	}
}

func TestUnpublish(t *testing.T) {
	m, job := published(t, verifytest.Options{Encrypted: true})
	dir := t.TempDir()
	if err := keys.Export(dir, "vid", job.Keys[0].ID, job.Keys[0].Bytes); err != nil {
		t.Fatal(err)
	}
	theirs := []string{"vid/notes.txt", "vid/holiday/DSC0001.mp4", "vid/r1/v0-90p/notes.txt"}
	for _, name := range theirs {
		m.Set(name, []byte("the user's own"))
	}
	m.Set("video2/master.m3u8", []byte("a neighbour's"))
	var deleted []string
	var keyGone bool
	m.Refuse = func(action, name string) error {
		if action == "delete" {
			deleted = append(deleted, name)
			_, err := os.Stat(keys.Path(dir, "vid", job.Keys[0].ID))
			keyGone = keyGone || err != nil
		}
		return nil
	}
	if err := finish.Unpublish(t.Context(), m, "vid", dir); err != nil {
		t.Fatal(err)
	}
	if deleted[0] != "vid/master.m3u8" || deleted[len(deleted)-1] != "vid/video.json" || keyGone {
		t.Errorf("deleted %v; the key was gone before: %t", deleted, keyGone)
	}
	want := append(theirs, "video2/master.m3u8")
	slices.Sort(want)
	if !slices.Equal(m.Names(), want) {
		t.Errorf("left: %v", m.Names())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("keys left: %v, %v", left, err)
	}
	if err := finish.Unpublish(t.Context(), m, "vid", dir); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if err := finish.Unpublish(t.Context(), m, "../vid", dir); err == nil {
		t.Error("a name with dots is taken")
	}
}

// Interrupted anywhere, it can be run again, and no master is left that leads
// to holes.
func TestUnpublishInterruptedAnywhere(t *testing.T) {
	whole, _ := published(t, verifytest.Options{NoVideo: true})
	for at := 1; ; at++ {
		m := whole.Clone()
		deletes := 0
		m.Refuse = func(action, _ string) error {
			if action == "delete" {
				deletes++
			}
			if deletes >= at {
				return errors.New("the plug is pulled")
			}
			return nil
		}
		err := finish.Unpublish(t.Context(), m, "vid", "")
		if err == nil {
			break
		}
		if at > 1 && m.Bytes("vid/master.m3u8") != nil {
			t.Fatal("the master is still there")
		}
		m.Refuse = nil
		if err := finish.Unpublish(t.Context(), m, "vid", ""); err != nil || len(m.Names()) > 0 {
			t.Fatalf("after %d deletions: %v, left %v", at, err, m.Names())
		}
	}
}

func TestAdopt(t *testing.T) {
	m, _ := published(t, verifytest.Options{Language: "eng"})
	v, err := finish.Adopt(t.Context(), m, "vid")
	if err != nil {
		t.Fatal(err)
	}
	if v.Status != spool.Ready || v.Published != "r1" || v.Revision != "r1" || v.Title != "A clip" ||
		v.Canonical != "https://example.com/a/clip.mp4" || v.Settings.Preset != "ultrafast" || !slices.Equal(v.Sizes, []string{"180p", "90p"}) {
		t.Errorf("adopted %+v", v)
	}
	for _, name := range m.Names() {
		damaged := m.Clone()
		damaged.Set(name, nil)
		_, err := finish.Adopt(t.Context(), damaged, "vid")
		switch {
		case name == "vid/master.m3u8":
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("without %s: %v", name, err)
			}
		case spool.AsError(err).Code != "incomplete-package":
			t.Errorf("without %s: %v", name, err)
		}
	}
	if _, err := finish.Adopt(t.Context(), verifytest.NewMemory(), "vid"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nothing there: %v", err)
	}
}

// A lost video.json does not make our own folder a stranger's.
func TestFolderWithoutCardIsStillOurs(t *testing.T) {
	m, job := published(t, verifytest.Options{NoVideo: true})
	m.Set("vid/video.json", nil)
	if _, err := run(t, stage(m), job); err != nil {
		t.Fatal(err)
	}
	if r := fast(t, m); len(r.Findings) > 0 {
		t.Errorf("findings %v", r.Findings)
	}
}

// dated is a store whose objects were put at some time.
type dated struct {
	*verifytest.Memory
	put time.Time
}

func (d dated) List(ctx context.Context, prefix string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for info, err := range d.Memory.List(ctx, prefix) {
			if info.Modified = d.put; !yield(info, err) {
				return
			}
		}
	}
}

// What another machine is publishing now is no leftover, though its revision
// is not whole; a day later it is. What is one's own always is.
func TestSweepLeavesOthersWork(t *testing.T) {
	for age, stays := range map[time.Duration]bool{time.Minute: true, 48 * time.Hour: false} {
		m := verifytest.NewMemory()
		job := verifytest.Job(t, m, verifytest.Options{NoVideo: true})
		job.GivenUp = []string{"r0"}
		for _, revision := range []string{"r0", "r9"} {
			m.Set("vid/"+revision+"/v0-90p/00000-0123abcd.m4s", []byte("begun"))
		}
		s := stage(m)
		s.Store = dated{m, time.Now().Add(-age)}
		if _, err := run(t, s, job); err != nil {
			t.Fatal(err)
		}
		if under(m, "vid/r0/") || under(m, "vid/r9/") != stays {
			t.Errorf("after %v: %v", age, m.Names())
		}
	}
}

// A plan that was given up leaves nothing behind, and a video that failed
// neither; whole revisions and strangers' files stay.
func TestSweepAbandoned(t *testing.T) {
	m := verifytest.NewMemory()
	job := verifytest.Job(t, m, verifytest.Options{})
	m.Set("vid/r0/v0-90p/00000-0123abcd.m4s", []byte("given up"))
	if _, err := run(t, stage(m), job); err != nil {
		t.Fatal(err)
	}
	if under(m, "vid/r0/") {
		t.Errorf("finish leaves an abandoned revision: %v", m.Names())
	}
	before := m.Names()
	m.Set("vid/r2/v0-90p/00000-0123abcd.m4s", []byte("failed"))
	if err := finish.SweepAbandoned(t.Context(), m, "vid", "r2", nil); err != nil || !under(m, "vid/r2/") {
		t.Errorf("the revision that is being made is gone: %v, %v", m.Names(), err)
	}
	if err := finish.SweepAbandoned(t.Context(), m, "vid", "", nil); err != nil || !slices.Equal(m.Names(), before) {
		t.Errorf("objects were %v, are %v; %v", before, m.Names(), err)
	}
	m.Set("new/r1/v0-90p/00000-0123abcd.m4s", []byte("failed"))
	m.Set("new/r1/notes.txt", []byte("somebody's"))
	if err := finish.SweepAbandoned(t.Context(), m, "new", "", nil); err != nil || under(m, "new/r1/v0") || !under(m, "new/r1/notes") {
		t.Errorf("%v, %v", m.Names(), err)
	}
	m.Set("foreign/master.m3u8", []byte("#EXTM3U\n"))
	m.Set("foreign/r1/v0-90p/00000-0123abcd.m4s", []byte("theirs"))
	if err := finish.SweepAbandoned(t.Context(), m, "foreign", "", nil); err != nil || !under(m, "foreign/r1/") {
		t.Errorf("%v, %v", m.Names(), err)
	}
}

func under(m *verifytest.Memory, prefix string) bool {
	return slices.ContainsFunc(m.Names(), func(name string) bool { return strings.HasPrefix(name, prefix) })
}
