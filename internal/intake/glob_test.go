package intake

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, file string
		want          bool
	}{
		{"*.mp4", "a.mp4", true},
		{"*.mp4", "deep/down/a.mp4", true},
		{"*.mp4", "a.mkv", false},
		{"clip?.mp4", "x/clip1.mp4", true},
		{"2026/*.mp4", "2026/a.mp4", true},
		{"2026/*.mp4", "2026/x/a.mp4", false},
		{"2026/**/*.mp4", "2026/a.mp4", true},
		{"2026/**/*.mp4", "2026/x/y/a.mp4", true},
		{"2026/**", "2026/x/y/a.mp4", true},
		{"2026/**", "2025/a.mp4", false},
		{"**/raw/**", "a/raw/b/c.mov", true},
		{"**/raw/**", "raw/c.mov", true},
		{"/a.mp4", "a.mp4", true},
		{"/a.mp4", "x/a.mp4", false},
		{"[", "[", false},
		{"a/b/c/d.mp4", "a/b", false},
		{"**/**/x", "a", false},
	} {
		if got := matches(c.pattern, c.file); got != c.want {
			t.Errorf("%s of %s: %v", c.pattern, c.file, got)
		}
	}
}

func TestFoldersAreSearchedForWhatIsChosen(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.mp4", "b.mkv", "raw/c.mp4", "keep/d.mp4"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := &bay{files: []string{"in/a.mp4", "in/b.mkv", "in/raw/c.mp4", "in/keep/d.mp4"}}
	in := &Intake{Ledger: shelf{}, Stores: s, Include: []string{"*.mp4"}, Exclude: []string{"raw/**"}}
	for root, want := range map[string][]string{
		dir:      {filepath.Join(dir, "a.mp4"), filepath.Join(dir, "keep/d.mp4")},
		"nas:in": {"nas:in/a.mp4", "nas:in/keep/d.mp4"},
	} {
		var got []string
		for r := range in.Run(t.Context(), Arguments([]string{root})) {
			if r.Verdict == Accept {
				got = append(got, r.Source)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", root, diff)
		}
	}
	in.Include = []string{"*.avi"}
	for r := range in.Run(t.Context(), Arguments([]string{dir})) {
		if r.Verdict != Bad || r.Err.Code != "folder-empty" {
			t.Errorf("%s, %v", r.Verdict, r.Err)
		}
	}
}
