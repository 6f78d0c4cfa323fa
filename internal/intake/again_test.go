package intake

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/ledger/sqliteledger"
)

// TestTheSameListTwice takes a list in as the main job does, against the real
// ledger: the second time everything is known, under the same IDs, and no page
// is asked.
func TestTheSameListTwice(t *testing.T) {
	l, err := sqliteledger.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	pages := &sites{pages: map[string][]spool.Page{"https://yt.example/a": {{Extractor: "yt", ID: "a", Title: "A", URL: "https://yt.example/a"}}}}
	in := &Intake{Ledger: l, Pages: pages}
	clips := write(t, "one.mp4", "two.mkv")
	lines := list(t, clips+"\nhttps://yt.example/a\nhttps://a.example/x.mp4 id=Mine\nhttps://a.example/x.mp4")
	var first []string
	for r := range in.Run(t.Context(), lines) {
		if r.Verdict != Accept {
			continue
		}
		r.Video.Added, r.Video.Revision = time.Now(), "r1"
		if err := l.Accept(t.Context(), ledger.Record{Video: r.Video}); err != nil {
			t.Fatal(err)
		}
		first = append(first, r.Video.ID)
	}
	asked := pages.asked.Load()
	var second []string
	for r := range in.Run(t.Context(), lines) {
		switch {
		case r.Verdict == Known && !r.Changed && !r.Gone:
			second = append(second, r.Video.ID)
		case r.Verdict == Expanded, r.Verdict == Duplicate && r.Of.ID == "Mine":
		default:
			t.Errorf("%s: %s %+v", r.Line.Where(), r.Verdict, r.Err)
		}
	}
	if len(first) != 4 || strings.Join(first, " ") != strings.Join(second, " ") {
		t.Errorf("the first time %v, the second %v", first, second)
	}
	if again := pages.asked.Load(); again != asked {
		t.Errorf("%d pages were asked again", again-asked)
	}
	// The same letters in another case are the same name in some stores.
	clash := verdicts(t, in, list(t, "https://a.example/y.mp4 id=mINE"))
	expect(t, "1 bad id-taken", clash)
}
