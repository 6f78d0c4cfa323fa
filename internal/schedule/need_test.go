package schedule

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
)

// What is needed of a source are the windows of the parts that are not done,
// whatever else becomes of them.
func TestNeeds(t *testing.T) {
	rec := NewRecord(spool.Video{ID: "v"}, noon)
	tells(&rec, spool.Fetch, 0, spool.Arrived, &spool.Result{Fetched: &spool.Fetched{Path: "/s"}})
	p := windowed(3)
	p.Timeline.Rate = spool.Ratio{Num: 25, Den: 1}
	p.Rungs = []spool.Rung{{Action: spool.EncodeRung, MaxRate: 800}, {Action: spool.CopyRung}, {Action: spool.SkipRung, MaxRate: 1e6}}
	for i := range p.Chunks {
		p.Chunks[i].Frames = 50
	}
	tells(&rec, spool.Draft, 0, spool.Done, &spool.Result{Plan: p})
	span := func(from, to int64) spool.Span { return spool.Span{From: from, To: to} }
	const made = 4*800/8 + 10 // two seconds and two more, and a window
	is := func(when string, apart bool, want spool.Needs) {
		t.Helper()
		if diff := cmp.Diff(want, needs(&rec, p, apart)); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
	}
	is("at first", false, spool.Needs{Source: []spool.Span{span(0, 10), span(10, 20), span(20, 30), span(5, 15)}, Made: made})
	is("apart", true, spool.Needs{Source: []spool.Span{span(0, 10), span(10, 20), span(20, 30)}, Sound: []spool.Span{span(5, 15)}, Made: made})
	here := spool.Spans{span(0, 30)}
	bring(&rec, p, here, here)
	tells(&rec, spool.Encode, 1, spool.Started, nil)
	tells(&rec, spool.Encode, 0, spool.Done, &spool.Result{Made: &spool.Made{}})
	is("one done, one running", false, spool.Needs{Source: []spool.Span{span(10, 20), span(20, 30), span(5, 15)}, Made: made, Done: 1})
	Recover(&rec)
	is("after a crash", false, spool.Needs{Source: []spool.Span{span(10, 20), span(20, 30), span(5, 15)}, Made: made, Done: 1})
	p.Chunks[2].Bytes = spool.Span{}
	is("a part that needs everything", false, spool.Needs{Whole: true, Source: []spool.Span{span(10, 20), span(5, 15)}, Made: made, Done: 1})
}
