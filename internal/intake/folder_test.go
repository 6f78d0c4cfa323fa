package intake

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spool-video/spool"
)

func TestFolder(t *testing.T) {
	dir := write(t, "clip 10.mp4", "clip 2.MP4", "notes.txt", ".hidden.mp4", ".git/x.mp4", "sub/b.mkv", "empty/readme.md",
		"cdn-bucket/v/1/v0-360p/init-1.mp4", "old/v/master.m3u8", "old/v/video.json", "old/v/init.mp4", "-dash.mp4")
	outside := write(t, "outside.mp4")
	for link, to := range map[string]string{"out": outside, "out.mp4": filepath.Join(outside, "outside.mp4"), "loop": dir} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	in := &Intake{Ledger: shelf{}, Skip: []string{filepath.Join(dir, "cdn-bucket")}}
	got := ""
	for r := range in.Run(t.Context(), Arguments([]string{dir})) {
		got += fmt.Sprintln(r.Verdict, r.Count, filepath.Base(r.Video.Source), r.Video.Stamp.Size)
	}
	expect(t, "expanded 4 . 0\naccept 0 -dash.mp4 9\naccept 0 clip 2.MP4 10\naccept 0 clip 10.mp4 11\naccept 0 b.mkv 9", got)

	// A link that the user names is meant; a folder without media is not.
	link := filepath.Join(outside, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	in.Skip = nil
	if got := verdicts(t, in, Arguments([]string{link, filepath.Join(dir, "empty"), filepath.Join(dir, "nothing"), filepath.Join(dir, "a.example/x")})); !strings.Contains(got, "1 expanded 5") ||
		!strings.HasSuffix(got, "2 bad folder-empty\n3 bad source-missing\n4 bad source-missing\n") {
		t.Error(got)
	}
	expect(t, "1 bad id-of-many", verdicts(t, in, list(t, dir+" id=one")))
}

// A name that JSON would change is not taken for another file.
func TestFolderWithANameThatIsNotUTF8(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "b\xff.mp4"), nil, 0o600); err != nil {
		t.Skipf("this file system has no such names: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.mp4"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got := verdicts(t, &Intake{Ledger: shelf{}}, Arguments([]string{dir}))
	if !strings.Contains(got, "accept a-") || !strings.Contains(got, "bad source-not-utf8") {
		t.Error(got)
	}
}

func TestFolderThatCannotBeRead(t *testing.T) {
	if os.Geteuid() == 0 {
		// Root reads everything; the same error comes from a folder that is
		// gone between two looks.
		f := folder{}
		f.walk("/proc/self/nothing")
		if len(f.bad) != 1 || f.bad[0].Code != "source-missing" {
			t.Errorf("%+v", f.bad)
		}
		return
	}
	dir := write(t, "a.mp4", "locked/b.mp4")
	locked := filepath.Join(dir, "locked")
	if err := os.Chmod(locked, 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(locked, 0o755)
	got := verdicts(t, &Intake{Ledger: shelf{}}, Arguments([]string{dir}))
	if !strings.Contains(got, "accept a-") || !strings.Contains(got, "bad source-forbidden") {
		t.Error(got)
	}
}

func TestLocalFileOfAKnownVideo(t *testing.T) {
	dir := write(t, "a.mp4", "b.mp4")
	a, b, c := filepath.Join(dir, "a.mp4"), filepath.Join(dir, "b.mp4"), filepath.Join(dir, "c.mp4")
	info, err := os.Stat(a)
	if err != nil {
		t.Fatal(err)
	}
	in := &Intake{Ledger: shelf{
		{ID: "a", Source: a, Canonical: a, Stamp: stamp(info)},
		{ID: "b", Source: b, Canonical: b, Stamp: spool.SourceStamp{Size: 1, Modified: 1}},
		{ID: "c", Source: c, Canonical: c},
	}}
	expect(t, "1 known a a.mp4\n2 known b b.mp4 changed\n3 known c c.mp4 gone", verdicts(t, in, Arguments([]string{a, b, c})))
}

func TestMissingFileHints(t *testing.T) {
	for source, want := range map[string]struct{ code, hint string }{
		"clip.mp4 titel=x":       {"unknown-key", "did you mean title=?"},
		"clip.mp4 bar=3":         {"unknown-key", "the options are id=, title= and ladder="},
		`clip.mp4 titel="a b"`:   {"unknown-key", "did you mean title=?"},
		"clip.mp4 id=x laddr=hd": {"unknown-key", "did you mean ladder=?"},
		"example.org/watch":      {"source-missing", "if it is a link, write https:// before it"},
		"films/nothing.mp4":      {"source-missing", ""},
		"nothing.mp4":            {"source-missing", ""},
		"my film size=big.mp4":   {"source-missing", ""},
	} {
		for r := range (&Intake{Ledger: shelf{}}).Run(t.Context(), Arguments([]string{source})) {
			if e := r.Err; e == nil || e.Code != want.code || e.Hint != want.hint || !strings.Contains(e.Reason, strings.Fields(source)[0]) {
				t.Errorf("%s: %+v", source, e)
			}
		}
	}
}

func TestNaturalOrder(t *testing.T) {
	order := []string{"a", "A1", "a2", "a02b", "a10", "b", "B 1", "b 1x", "b 01y"}
	for i := range order {
		for k := i + 1; k < len(order); k++ {
			if compareNatural(order[i], order[k]) >= 0 || compareNatural(order[k], order[i]) <= 0 {
				t.Errorf("%q does not come before %q", order[i], order[k])
			}
		}
	}
}

func FuzzNaturalOrder(f *testing.F) {
	f.Add("a01", "a1")
	f.Add("A", "a")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := compareNatural(a, b), compareNatural(b, a)
		if (x < 0) != (y > 0) || (x == 0) != (a == b) {
			t.Fatalf("%q, %q: %d and %d", a, b, x, y)
		}
	})
}
