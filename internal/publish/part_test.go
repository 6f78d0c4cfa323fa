package publish

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/spool-video/spool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var key = spool.JobKey{Video: "v", Revision: "r", Kind: spool.Encode, Number: 3}

func open(t *testing.T, dir string, mark any) *Part {
	t.Helper()
	p, err := OpenPart(dir, key, mark)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func write(t *testing.T, p *Part, number int) Plain {
	t.Helper()
	s, err := p.Write(Plain{Rendition: "v0-360p", Number: number, Units: 5}, []byte("media"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPartRemembers(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir, "mark")
	if _, ok := p.Record(); ok {
		t.Error("a new part has a record")
	}
	want := Record{Segments: []Plain{write(t, p, 0)}, Inits: []Init{{InitSection: spool.InitSection{Rendition: "v0-360p", Config: []byte{1}}, Bytes: []byte("init")}}}
	if err := p.Complete(want); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.Dir(), writing+"1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p = open(t, dir, "mark")
	got, ok := p.Record()
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Error(diff)
	}
	if left, _ := filepath.Glob(filepath.Join(p.Dir(), writing+"*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if config, ok := Config(dir, key, "v0-360p"); !ok || len(config) != 1 {
		t.Errorf("config %v, %v", config, ok)
	}
	// Made with other settings: thrown away.
	if _, ok := open(t, dir, "another").Record(); ok {
		t.Error("a record of other settings is believed")
	}
}

func TestRecordNeedsItsFiles(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"gone":    os.Remove,
		"cut":     func(path string) error { return os.Truncate(path, 2) },
		"changed": func(path string) error { return os.WriteFile(path, []byte("medio"), 0o600) },
	} {
		p := open(t, t.TempDir(), "mark")
		s := write(t, p, 0)
		if err := p.Complete(Record{Segments: []Plain{s}}); err != nil {
			t.Fatal(err)
		}
		if err := spoil(filepath.Join(p.Dir(), s.file())); err != nil {
			t.Fatal(err)
		}
		if _, ok := p.Record(); ok {
			t.Errorf("%s: the record is believed", name)
		}
	}
}

func TestCheckpointsAreConsecutive(t *testing.T) {
	p := open(t, t.TempDir(), "mark")
	for _, n := range []int{4, 5, 7} {
		if err := p.Checkpoint(n, Record{Segments: []Plain{write(t, p, n)}}); err != nil {
			t.Fatal(err)
		}
	}
	if r, n := p.Checkpoints(4); n != 2 || len(r.Segments) != 2 {
		t.Errorf("%d checkpoints: %+v", n, r)
	}
	if _, n := p.Checkpoints(0); n != 0 {
		t.Errorf("%d checkpoints from 0", n)
	}
}

func TestPublishedPartFreesItsFiles(t *testing.T) {
	p := open(t, t.TempDir(), "mark")
	s := write(t, p, 0)
	made := spool.Made{Segments: []spool.Segment{{Rendition: s.Rendition, Number: 0}}}
	if err := p.Published(made); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Read(s); err == nil {
		t.Error("the segment's file is still there")
	}
	got, ok := p.Made()
	if diff := cmp.Diff(made, got); !ok || diff != "" {
		t.Error(diff)
	}
}
