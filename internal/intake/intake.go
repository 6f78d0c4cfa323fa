package intake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/spelling"
)

// catalogue is what intake asks of the ledger.
type catalogue interface {
	Get(ctx context.Context, id string) (ledger.Record, error)
	Find(ctx context.Context, canonical string) (spool.Video, error)
}

// pager asks the page tool which videos a web page holds: one, or the items
// of a playlist in order, each with its own URL. Errors are *spool.Error; the
// code noPageTool says that the tool is not there.
type pager interface {
	Resolve(ctx context.Context, url string) (pages []spool.Page, playlist bool, err error)
}

// Verdict is what became of a source.
type Verdict string

// The verdicts.
const (
	Accept    Verdict = "accept"    // new: Video is to be put into the ledger
	Known     Verdict = "known"     // Video is as the ledger has it
	Duplicate Verdict = "duplicate" // the same as an earlier line's: Of says which
	Expanded  Verdict = "expanded"  // a folder or playlist; Count of its videos follow
	Bad       Verdict = "bad"       // Err says why
)

// Result is what became of one source of a line. A line gives one, or one for
// each video that its folder or playlist holds.
type Result struct {
	Verdict Verdict
	Line    Line
	Source  string       // as it is to be fetched now: of a known video it may be newer than the ledger's
	Video   spool.Video  // Accept: without Revision, with Status waiting; Known: from the ledger
	Err     *spool.Error // Bad
	Of      Line         // Duplicate: the line that has the video
	Count   int          // Expanded: how many videos
	Changed bool         // Known: the local file is not the one that was accepted; Stamp is the new one's
	Gone    bool         // Known: the local file is not there any more
	Stamp   spool.SourceStamp
}

// Intake judges lines. Ledger is needed; all else may be zero.
type Intake struct {
	Ledger   catalogue
	Pages    pager          // nil: no page tool is there
	Stores   stores         // nil: no sources in stores
	Client   *http.Client   // asks a URL of unknown kind what it is when there is no page tool
	Settings spool.Settings // of accepted videos; a line's ladder replaces Ladder
	Ladders  []string       // the names that a line's ladder may have; nil: any
	Skip     []string       // absolute folders that are never searched for sources: the destination, Spool's own
	Include  []string       // patterns of files below a folder, see docs/lists.md; nil: all media files
	Exclude  []string       // as Include, of files that are left out
	Contents *Contents      // what is known of files whose names say nothing; nil: those are left out
	MaxItems int            // videos that one playlist may hold; 0 = 100
	Parallel int            // how many pages are asked at a time; 0 = 4
	// Whole reports whether a file, here or in a store, that looks so is whole;
	// one that is not is passed over in silence. Nil: all are.
	Whole func(path string, stamp spool.SourceStamp) bool
	Rest  time.Duration // before a page that failed in passing is asked again, doubled each time; 0 = 1 s
}

// item is one possible video of a line, not judged yet.
type item struct {
	source, canonical string
	page              spool.Page
	stamp             spool.SourceStamp
	gone              bool
	err               *spool.Error
	known             *spool.Video
}

// expansion is what a line turned out to hold.
type expansion struct {
	line  Line
	items []item
	many  bool // a folder or a playlist
}

// Run judges all lines and yields their results in the lines' order, while up
// to Parallel of them are being looked up. It ends early when ctx does: the
// caller asks ctx. Nothing of it runs on when the loop is left.
func (in *Intake) Run(ctx context.Context, lines []Line) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		j := newJudge(in, lines)
		for e := range in.expandAll(ctx, lines) {
			for r := range j.judge(ctx, e) {
				if ctx.Err() != nil || !yield(r) {
					return
				}
			}
		}
	}
}

// expandAll expands lines, a few at a time, in order.
func (in *Intake) expandAll(ctx context.Context, lines []Line) iter.Seq[expansion] {
	return func(yield func(expansion) bool) {
		ctx, cancel := context.WithCancel(ctx)
		parallel := in.Parallel
		if parallel <= 0 {
			parallel = 4
		}
		// pending holds the answers to come, in order. A full pending is what
		// limits how many run: the sender waits.
		pending := make(chan chan expansion, parallel-1)
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		running.Go(func() {
			defer close(pending)
			for _, line := range lines {
				answer := make(chan expansion, 1)
				select {
				case pending <- answer:
				case <-ctx.Done():
					return
				}
				running.Go(func() { answer <- in.expand(ctx, line) })
			}
		})
		for answer := range pending {
			if !yield(<-answer) {
				return
			}
		}
	}
}

// expand finds what a line holds. It looks into the ledger first, so that a
// known URL costs no network.
func (in *Intake) expand(ctx context.Context, line Line) expansion {
	e := expansion{line: line}
	if line.check(); line.Err != nil {
		e.items = []item{{err: line.Err}}
		return e
	}
	if err := in.checkLadder(&line); err != nil {
		e.items = []item{{err: err}}
		return e
	}
	canonical, err := Canonical(line.Source)
	if err != nil {
		e.items = []item{{source: line.Source, err: spool.AsError(err)}}
		return e
	}
	one := item{source: line.Source, canonical: canonical}
	if v, err := in.Ledger.Find(ctx, canonical); err == nil {
		one.known = &v
	} else if !errors.Is(err, ledger.ErrNotFound) {
		one.err = lookupError(err)
	}
	switch {
	case one.err != nil:
		e.items = []item{one}
	case spool.IsRemotePath(canonical):
		e.items, e.many = in.expandStored(ctx, one)
	case !IsURL(line.Source):
		e.items, e.many = in.expandLocal(one)
	case one.known != nil || HasMediaName(canonical):
		e.items = []item{one}
	default:
		e.items, e.many = in.expandPage(ctx, one)
	}
	e.items = slices.DeleteFunc(e.items, in.growing)
	if e.many {
		e.line.oneVideo(len(e.items))
	}
	return e
}

// growing reports whether somebody may still be writing a file.
func (in *Intake) growing(it item) bool {
	return in.Whole != nil && it.err == nil && it.stamp != (spool.SourceStamp{}) && !in.Whole(it.canonical, it.stamp)
}

func lookupError(err error) *spool.Error {
	return &spool.Error{Class: spool.Environment, Code: "ledger", Reason: "the ledger could not be asked", Hint: "spool doctor looks into it", Err: err}
}

func (in *Intake) checkLadder(line *Line) *spool.Error {
	if line.Ladder == "" || in.Ladders == nil || slices.Contains(in.Ladders, line.Ladder) {
		return nil
	}
	hint := "known are " + strings.Join(in.Ladders, ", ")
	if near := spelling.Nearest(line.Ladder, in.Ladders); near != "" {
		hint = "did you mean " + near + "?"
	}
	line.fail("unknown-ladder", fmt.Sprintf("asks for the ladder %s, which is not known", plaintext.Cut(plaintext.Sanitize(line.Ladder), 80)), hint)
	return line.Err
}

func (in *Intake) expandLocal(one item) (items []item, many bool) {
	typed := one.source
	one.source = one.canonical
	info, bad := statLocal(one.canonical, typed)
	switch {
	case bad != nil && one.known != nil && errors.Is(bad.Err, fs.ErrNotExist):
		one.gone = true
		return []item{one}, false
	case bad != nil:
		one.err = bad
		return []item{one}, false
	case !info.IsDir():
		one.stamp = stamp(info)
		return []item{one}, false
	}
	files, errs := in.expandFolder(one.canonical, typed)
	for _, file := range files {
		found := item{source: file, canonical: file}
		if info, bad := statLocal(file, file); bad != nil {
			found.err = bad
		} else {
			found.stamp = stamp(info)
		}
		items = append(items, found)
	}
	for _, bad := range errs {
		items = append(items, item{source: one.source, err: bad})
	}
	return items, len(files) > 0
}
