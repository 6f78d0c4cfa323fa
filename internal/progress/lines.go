package progress

import (
	"encoding/json"
	"io"
	"math"
	"slices"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
)

// Version is the v of every JSON line. It grows when a field changes its
// meaning or goes; new fields and types may come without.
const Version = 1

// lines writes newline-delimited JSON; docs/progress-json.md says what is in
// it.
type lines struct {
	out  *json.Encoder
	now  func() time.Time
	said map[string]told
}

// told is what was last written of a video's progress.
type told struct {
	at     time.Time
	phases []spool.Phase
}

// linesInterval is how often a video's progress is written at most, while its
// phases stay the same.
const linesInterval = time.Second

func newLines(out io.Writer, now func() time.Time) *lines {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return &lines{out: enc, now: now, said: map[string]told{}}
}

// line is one event on the wire.
type line struct {
	V        int           `json:"v"`
	Type     Type          `json:"type"`
	Time     time.Time     `json:"time"`
	Video    string        `json:"video,omitempty"`
	Title    string        `json:"title,omitempty"`
	Line     int           `json:"line,omitempty"`
	Source   string        `json:"source,omitempty"`
	Status   spool.Status  `json:"status,omitempty"`
	Text     string        `json:"text,omitempty"`
	Failure  *failureLine  `json:"failure,omitempty"`
	Progress *snapshotLine `json:"progress,omitempty"`
	Sizes    []string      `json:"sizes,omitempty"`
	LeftOut  []string      `json:"leftOut,omitempty"`
	Path     string        `json:"path,omitempty"`
	Seconds  float64       `json:"seconds,omitempty"`
}

type failureLine struct {
	Class  spool.Class `json:"class"`
	Code   string      `json:"code"`
	Reason string      `json:"reason"`
	Hint   string      `json:"hint,omitempty"`
}

type snapshotLine struct {
	Phases   []spool.Phase `json:"phases"`
	Download *countLine    `json:"download,omitempty"`
	Encode   *countLine    `json:"encode,omitempty"`
	Length   float64       `json:"lengthSeconds,omitempty"`
	Chunks   *countLine    `json:"chunks,omitempty"`
	Share    float64       `json:"share"`
	Note     string        `json:"note,omitempty"`
}

type countLine struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total,omitempty"`
}

type summaryLine struct {
	V           int         `json:"v"`
	Type        string      `json:"type"`
	Time        time.Time   `json:"time"`
	Ready       int         `json:"ready"`
	Failed      int         `json:"failed"`
	Skipped     int         `json:"skipped"`
	Removed     int         `json:"removed,omitempty"`
	Unfinished  int         `json:"unfinished"`
	Seconds     float64     `json:"seconds"`
	BusySeconds float64     `json:"busySeconds,omitempty"`
	Saved       *float64    `json:"overlapSaved,omitempty"`
	Notes       []string    `json:"notes,omitempty"`
	Videos      []lineVideo `json:"videos"`
}

type lineVideo struct {
	Video   string       `json:"video,omitempty"`
	Line    int          `json:"line,omitempty"`
	Source  string       `json:"source,omitempty"`
	Status  spool.Status `json:"status"`
	Skipped bool         `json:"skipped,omitempty"`
	Sizes   []string     `json:"sizes,omitempty"`
	Path    string       `json:"path,omitempty"`
	LeftOut []string     `json:"leftOut,omitempty"`
	Notes   []string     `json:"notes,omitempty"`
	Failure *failureLine `json:"failure,omitempty"`
}

func (l *lines) show(ev Event) {
	if ev.Type == Moved && !l.news(ev) {
		return
	}
	// Nobody can do anything about a standard error that is gone.
	_ = l.out.Encode(line{
		V: Version, Type: ev.Type, Time: ev.Time.UTC(), Video: plaintext.Sanitize(ev.Video), Title: plaintext.Sanitize(ev.Title),
		Line: ev.Line, Source: plaintext.Show(ev.Source), Status: ev.Status, Text: plaintext.Show(ev.Text),
		Failure: failureOf(ev.Failure), Progress: snapshotOf(ev.Snapshot), Sizes: sanitizedOrNil(ev.Sizes),
		LeftOut: sanitizedOrNil(ev.LeftOut), Path: plaintext.Sanitize(ev.Path), Seconds: seconds(ev.Took),
	})
}

// news reports whether a progress event is to be written.
func (l *lines) news(ev Event) bool {
	if ev.Snapshot == nil {
		return false
	}
	last, spoke := l.said[ev.Video]
	if spoke && ev.Time.Sub(last.at) < linesInterval && slices.Equal(last.phases, ev.Snapshot.Phases) {
		return false
	}
	l.said[ev.Video] = told{ev.Time, slices.Clone(ev.Snapshot.Phases)}
	return true
}

func (l *lines) tick(time.Time) {}

func (l *lines) close(s Summary) {
	t := s.Tally()
	out := summaryLine{
		V: Version, Type: "summary", Time: l.now().UTC(), Ready: t.Ready, Failed: t.Failed, Skipped: t.Skipped, Removed: t.Removed, Unfinished: t.Unfinished,
		Seconds: seconds(s.Took), BusySeconds: seconds(s.Busy), Videos: make([]lineVideo, 0, len(s.Videos)),
	}
	if saved, known := s.Saved(); known {
		saved = math.Round(saved*1000) / 1000
		out.Saved = &saved
	}
	for _, note := range s.Notes {
		out.Notes = append(out.Notes, plaintext.Show(note))
	}
	for _, v := range s.Videos {
		out.Videos = append(out.Videos, lineVideo{
			Video: plaintext.Sanitize(v.Video), Line: v.Line, Source: plaintext.Show(v.Source), Status: v.Status, Skipped: v.Skipped,
			Sizes: sanitizedOrNil(v.Sizes), Path: plaintext.Sanitize(v.Path), LeftOut: sanitizedOrNil(v.LeftOut), Notes: sanitizedOrNil(v.Notes), Failure: failureOf(v.Failure),
		})
	}
	_ = l.out.Encode(out)
}

func failureOf(f *spool.Failure) *failureLine {
	if f == nil {
		return nil
	}
	return &failureLine{Class: f.Class, Code: f.Code, Reason: plaintext.Show(f.Reason), Hint: plaintext.Show(f.Hint)}
}

func snapshotOf(s *Snapshot) *snapshotLine {
	if s == nil {
		return nil
	}
	phases := s.Phases
	if phases == nil {
		phases = []spool.Phase{}
	}
	return &snapshotLine{
		Phases: phases, Download: countOf(s.Download), Encode: countOf(s.Encode), Length: seconds(s.Length),
		Chunks: countOf(Count{int64(s.ChunksDone), int64(s.Chunks)}), Share: math.Round(s.share()*1000) / 1000, Note: plaintext.Show(s.Note),
	}
}

func countOf(c Count) *countLine {
	if c == (Count{}) {
		return nil
	}
	return &countLine{c.Done, c.Total}
}

func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }

func sanitizedOrNil(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return sanitized(list)
}
