package progress

import (
	"fmt"
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
)

// Summary is how a run ended.
type Summary struct {
	Videos []Ending // in the order in which they were given
	Took   time.Duration
	// Busy is what the stages would have taken one after another: the sum of
	// how long each was busy with anything at all; 0 when it is not known.
	Busy  time.Duration
	Notes []string // "not encrypted: no --key-uri"
	Watch string   // the command that shows what is published; "" when there is none
}

// Ending is how one video, or one refused line, ended.
type Ending struct {
	Video   string // ID; "" for a refused line
	Source  string
	Line    int
	Status  spool.Status // Ready, Failed, Cancelled (removed by somebody); anything else is unfinished
	Skipped bool         // it was ready before this run
	Sizes   []string
	Path    string
	LeftOut []string
	Notes   []string // what a person should know of how it was made
	Failure *spool.Failure
}

// Tally is how many videos ended how.
type Tally struct {
	Ready, Failed, Skipped, Removed, Unfinished int
}

// Tally counts the endings.
func (s *Summary) Tally() Tally {
	var t Tally
	for _, v := range s.Videos {
		switch {
		case v.Skipped:
			t.Skipped++
		case v.Status == spool.Ready:
			t.Ready++
		case v.Status == spool.Failed:
			t.Failed++
		case v.Status == spool.Cancelled:
			t.Removed++
		default:
			t.Unfinished++
		}
	}
	return t
}

// Saved is the share of time that overlapping the stages saved, 0 to 1; known
// is false when it was not measured.
func (s *Summary) Saved() (share float64, known bool) {
	if s.Busy <= 0 || s.Took <= 0 {
		return 0, false
	}
	return max(0, 1-s.Took.Seconds()/s.Busy.Seconds()), true
}

// Totals is the line that sums a run up:
// "3 ready · 1 failed · 0 skipped, 1 m 12 s, overlap saved 39 %".
func (s *Summary) Totals() string {
	t := s.Tally()
	text := fmt.Sprintf("%d ready · %d failed · %d skipped", t.Ready, t.Failed, t.Skipped)
	if t.Removed > 0 {
		text += fmt.Sprintf(" · %d removed", t.Removed)
	}
	if t.Unfinished > 0 {
		text += fmt.Sprintf(" · %d unfinished", t.Unfinished)
	}
	text += ", " + Duration(s.Took)
	if saved, known := s.Saved(); known && saved >= 0.01 {
		text += fmt.Sprintf(", overlap saved %.0f %%", saved*100)
	}
	return text
}

// Report is what a person reads at the end, line by line: a line a video,
// what was left out, what is to be known, the failures by reason, the totals, the notes, and how to
// watch. It ends with a newline.
func Report(s Summary) string {
	var b strings.Builder
	reportVideos(&b, s.Videos)
	for _, v := range s.Videos {
		if !v.Skipped && v.Status == spool.Ready && len(v.LeftOut) > 0 {
			fmt.Fprintf(&b, "left out of %s: %s\n", plaintext.Sanitize(v.Video), strings.Join(sanitized(v.LeftOut), ", "))
		}
	}
	reportNotes(&b, s.Videos)
	reportFailures(&b, s.Videos)
	b.WriteString(s.Totals() + "\n")
	for _, note := range s.Notes {
		b.WriteString(plaintext.Show(note) + "\n")
	}
	if t := s.Tally(); s.Watch != "" && t.Ready+t.Skipped > 0 {
		b.WriteString("watch: " + plaintext.Sanitize(s.Watch) + "\n")
	}
	return b.String()
}

// manySkipped is from how many on the videos that were ready before are only
// counted.
const manySkipped = 10

func reportVideos(b *strings.Builder, videos []Ending) {
	summary := Summary{Videos: videos}
	skipped := summary.Tally().Skipped
	widest := 0
	for _, v := range videos {
		widest = max(widest, len(v.Video))
	}
	for _, v := range videos {
		word := "ready"
		switch {
		case v.Status != spool.Ready || v.Skipped && skipped > manySkipped:
			continue
		case v.Skipped:
			word = "kept"
		}
		line := fmt.Sprintf("%-5s  %-*s  %s  %s", word, widest, plaintext.Sanitize(v.Video), strings.Join(sanitized(v.Sizes), " "), plaintext.Sanitize(v.Path))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if skipped > manySkipped {
		fmt.Fprintf(b, "kept   %s that were ready already\n", Number(skipped, "video"))
	}
}

// reportNotes groups what is to be said of several videos.
func reportNotes(b *strings.Builder, videos []Ending) {
	var notes []string
	names := map[string][]string{}
	for _, v := range videos {
		if v.Skipped || v.Status != spool.Ready {
			continue
		}
		for _, note := range v.Notes {
			if names[note] == nil {
				notes = append(notes, note)
			}
			names[note] = append(names[note], v.name())
		}
	}
	for _, note := range notes {
		fmt.Fprintf(b, "note on %s: %s\n", few(names[note]), plaintext.Show(note))
	}
}

// reportFailures says each failure once, together with those of its kind: a
// reason that several share, and a hint that all of a kind share, stand once.
func reportFailures(b *strings.Builder, videos []Ending) {
	for _, kind := range kindsOf(videos) {
		var text strings.Builder
		hint := kind[0].failure.Hint
		lead := "failed "
		if len(kind) > 1 {
			total := 0
			for _, g := range kind {
				total += len(g.names)
			}
			fmt.Fprintf(&text, "failed %s (%s)\n", Number(total, "video"), code(&kind[0].failure))
			lead = "  "
		}
		for _, g := range kind {
			name, names := g.names[0], ""
			if len(g.names) > 1 {
				name, names = Number(len(g.names), "video"), "  "+few(g.names)+"\n"
			}
			fmt.Fprintf(&text, "%s%s: %s\n%s", lead, name, plaintext.Show(g.failure.Reason), names)
		}
		b.WriteString(text.String() + in("  hint: ", plaintext.Show(hint), "\n"))
	}
}

// failed are the videos that failed for one reason.
type failed struct {
	failure spool.Failure
	names   []string
}

// kindsOf groups what failed by what there is to be done about it, and within
// that by reason, in the order in which they were given.
func kindsOf(videos []Ending) [][]*failed {
	var kinds [][]*failed
	place := map[[2]string]int{}
	byReason := map[[3]string]*failed{}
	for _, v := range videos {
		if v.Skipped || v.Status != spool.Failed {
			continue
		}
		f := spool.Failure{Reason: "no reason is known"}
		if v.Failure != nil {
			f = *v.Failure
		}
		g := byReason[[3]string{f.Code, f.Hint, f.Reason}]
		if g == nil {
			g = &failed{failure: f}
			byReason[[3]string{f.Code, f.Hint, f.Reason}] = g
			n, found := place[[2]string{f.Code, f.Hint}]
			if !found {
				n = len(kinds)
				place[[2]string{f.Code, f.Hint}] = n
				kinds = append(kinds, nil)
			}
			kinds[n] = append(kinds[n], g)
		}
		g.names = append(g.names, v.name())
	}
	return kinds
}

// name is what a person knows the video or the line by.
func (v Ending) name() string {
	if v.Video != "" {
		return plaintext.Sanitize(v.Video)
	}
	if v.Line > 0 {
		return fmt.Sprintf("line %d", v.Line)
	}
	return plaintext.Cut(plaintext.Show(v.Source), 80)
}

// few lists the first names, and how many there are besides.
func few(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
