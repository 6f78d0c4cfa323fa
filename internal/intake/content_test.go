package intake

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spool-video/spool"
)

// Files are media by what is in them, whatever they are called; what programs
// are still writing, and pictures that are packed as films are, are not.
func TestMediaByContent(t *testing.T) {
	pad := func(head string) string { return head + strings.Repeat("\x01", 8<<10) }
	stream := strings.Repeat("\x47"+strings.Repeat("\x11", 187), 60)
	dir := t.TempDir()
	for name, body := range map[string]string{
		"film.txt": pad("\x00\x00\x00\x20ftypisom"), "noname": pad("\x1a\x45\xdf\xa3"), "tape.bin": stream, "old.dat": pad("RIFF0000AVI LIST"),
		"letter.txt": strings.Repeat("Dear all, ", 2000), "photo.heic": pad("\x00\x00\x00\x20ftypheic"), "film.part": pad("\x00\x00\x00\x20ftypisom"),
		"short.txt": "\x00\x00\x00\x20ftypisom", "G": strings.Repeat("G", 9000)[:1] + strings.Repeat("x", 9000),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in := &Intake{Ledger: shelf{}, Contents: &Contents{}}
	for range 2 { // once from memory
		var got []string
		for r := range in.Run(t.Context(), Arguments([]string{dir})) {
			if r.Verdict == Accept {
				got = append(got, filepath.Base(r.Video.Source))
			}
		}
		expect(t, "film.txt noname old.dat tape.bin", strings.Join(got, " "))
	}
}

func TestMediaByContentInStores(t *testing.T) {
	s := &bay{files: []string{"films/film", "films/cut.part"}, size: HeadSize, head: append([]byte("\x00\x00\x00\x20ftypisom"), bytes.Repeat([]byte{1}, 100)...)}
	in := &Intake{Ledger: shelf{}, Stores: s, Contents: &Contents{}}
	count := 0
	for r := range in.Run(t.Context(), Arguments([]string{"nas:films/"})) {
		if r.Verdict == Accept {
			count++
			if r.Video.Stamp == (spool.SourceStamp{}) {
				t.Error("it has no stamp")
			}
		}
	}
	if count != 1 {
		t.Errorf("%d files are media", count)
	}
}
