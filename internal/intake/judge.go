package intake

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/plaintext"
)

// judge decides what becomes of items, one after another in the lines' order,
// so that the same list always gives the same IDs.
type judge struct {
	in     *Intake
	seen   map[string]Line         // canonical, with the given ID before it if there is one → line that was first
	named  map[string]Line         // canonical → line that gives it an ID, wherever in the list
	asked  map[string]Line         // folded ID that is given → line that was first
	twice  map[string]*spool.Error // folded ID that is given twice → the error of all those lines
	holder map[string]held         // folded ID → who has it in this run
}

type held struct {
	id   string
	line Line
}

func newJudge(in *Intake, lines []Line) *judge {
	j := &judge{
		in: in, seen: map[string]Line{}, named: map[string]Line{}, asked: map[string]Line{},
		twice: map[string]*spool.Error{}, holder: map[string]held{},
	}
	for _, l := range lines {
		if l.Err != nil || l.ID == "" || !spool.ValidID(l.ID) {
			continue
		}
		if canonical, err := Canonical(l.Source); err == nil {
			if _, found := j.named[canonical]; !found {
				j.named[canonical] = l
			}
		}
		folded := spool.FoldID(l.ID)
		first, found := j.asked[folded]
		switch {
		case !found:
			j.asked[folded] = l
		case j.twice[folded] == nil:
			// Neither line is more right than the other: both are refused.
			j.twice[folded] = &spool.Error{
				Class: spool.Permanent, Code: "id-twice",
				Reason: fmt.Sprintf("%s and %s give the same id %s", first.Where(), l.Where(), plaintext.Sanitize(l.ID)),
				Hint:   "give each video an id of its own; upper and lower case are the same",
			}
		}
	}
	return j
}

func (j *judge) judge(ctx context.Context, e expansion) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		if bad := j.refuse(e); bad != nil {
			yield(Result{Verdict: Bad, Line: e.line, Source: e.line.Source, Err: bad})
			return
		}
		if e.many && !yield(Result{Verdict: Expanded, Line: e.line, Source: e.line.Source, Count: len(e.items)}) {
			return
		}
		for _, it := range e.items {
			r := j.one(ctx, e.line, it)
			r.Line = e.line
			if r.Source == "" {
				r.Source = it.source
			}
			if !yield(r) {
				return
			}
		}
	}
}

// refuse gives the error that a line as a whole has.
func (j *judge) refuse(e expansion) *spool.Error {
	if e.line.Err != nil {
		return e.line.Err
	}
	return j.twice[spool.FoldID(e.line.ID)]
}

func (j *judge) one(ctx context.Context, line Line, it item) Result {
	if it.err != nil {
		return Result{Verdict: Bad, Err: it.err}
	}
	if first, found := j.earlier(line, it.canonical); found {
		return Result{Verdict: Duplicate, Of: first}
	}
	known, err := j.known(ctx, line, it)
	switch {
	case err != nil:
		return Result{Verdict: Bad, Err: err}
	case known != nil:
		if h, found := j.holder[spool.FoldID(known.ID)]; found {
			return Result{Verdict: Duplicate, Of: h.line}
		}
		j.holder[spool.FoldID(known.ID)] = held{known.ID, line}
		before := known.Stamp
		before.Sum = "" // which was not asked for now
		changed := !it.gone && it.stamp != (spool.SourceStamp{}) && it.stamp != before
		return Result{Verdict: Known, Video: *known, Changed: changed, Gone: it.gone, Stamp: it.stamp}
	}
	if named, found := j.named[it.canonical]; found && line.ID == "" {
		return Result{Verdict: Duplicate, Of: named}
	}
	return j.accept(ctx, line, it)
}

// earlier gives the line that had this source before. A source under two given
// IDs is two videos; a line without an ID means whichever there is.
func (j *judge) earlier(line Line, canonical string) (first Line, found bool) {
	key := canonical
	if line.ID != "" {
		key = spool.FoldID(line.ID) + " " + canonical
	}
	if first, found = j.seen[key]; !found {
		j.seen[key] = line
	}
	return first, found
}

// known gives the ledger's video of this source, or nil.
func (j *judge) known(ctx context.Context, line Line, it item) (*spool.Video, *spool.Error) {
	if line.ID != "" {
		v, err := j.get(ctx, line.ID)
		if err != nil || v == nil {
			return nil, err
		}
		if v.Canonical != it.canonical {
			return nil, &spool.Error{
				Class: spool.Permanent, Code: "id-taken",
				Reason: fmt.Sprintf("the id %s belongs to another source, %s", v.ID, shown(v.Canonical)),
				Hint:   fmt.Sprintf("choose another id, or unpublish that video with spool rm %s", v.ID),
			}
		}
		return v, nil
	}
	if it.known != nil {
		return it.known, nil
	}
	v, err := j.in.Ledger.Find(ctx, it.canonical)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, lookupError(err)
	}
	return &v, nil
}

// get looks an ID up as it is written and folded: those two would clash.
func (j *judge) get(ctx context.Context, id string) (*spool.Video, *spool.Error) {
	for _, form := range []string{id, spool.FoldID(id)} {
		r, err := j.in.Ledger.Get(ctx, form)
		if err == nil {
			return &r.Video, nil
		}
		if !errors.Is(err, ledger.ErrNotFound) {
			return nil, lookupError(err)
		}
	}
	return nil, nil
}

// accept finds a free ID and makes the video.
func (j *judge) accept(ctx context.Context, line Line, it item) Result {
	ids, site := []string{line.ID}, ""
	if line.ID == "" {
		ids = hashIDs(it.canonical)
		if site = siteID(it.page.Extractor, it.page.ID); site != "" {
			ids = append([]string{site}, ids...)
		}
	}
	if h := j.holder[spool.FoldID(site)]; site != "" && h.id == site {
		return Result{Verdict: Duplicate, Of: h.line}
	}
	for _, id := range ids {
		if line.ID == "" && !j.free(id) {
			continue
		}
		v, err := j.get(ctx, id)
		switch {
		case err != nil:
			return Result{Verdict: Bad, Err: err}
		case v != nil && v.ID == site:
			// The site's own ID names the video, whatever URL it came by.
			j.holder[spool.FoldID(id)] = held{id, line}
			return Result{Verdict: Known, Video: *v}
		case v == nil:
			j.holder[spool.FoldID(id)] = held{id, line}
			return Result{Verdict: Accept, Video: j.video(line, it, id)}
		}
	}
	return Result{Verdict: Bad, Err: badSource("no-id", "no free id was found for "+shown(it.source), "give it one with id=")}
}

// free reports whether nothing else of this run has an ID or asks for it.
func (j *judge) free(id string) bool {
	_, held := j.holder[spool.FoldID(id)]
	_, asked := j.asked[spool.FoldID(id)]
	return !held && !asked
}

func (j *judge) video(line Line, it item, id string) spool.Video {
	v := spool.Video{
		ID: id, Source: it.source, Canonical: it.canonical, Title: line.Title,
		Settings: j.in.Settings, Status: spool.Waiting, Stamp: it.stamp,
	}
	if v.Title == "" {
		v.Title = it.page.Title
	}
	if line.Ladder != "" {
		v.Settings.Ladder = line.Ladder
	}
	return v
}
