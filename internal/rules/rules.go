// Package rules holds an HLS package, as package survey read it, against the
// rules that can be checked without a player: those of RFC 8216 and its
// successor, of Apple's authoring specification, and a few of Spool's own.
// docs/rules.md lists them; each is one row of Table and one small function.
package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spool-video/spool/internal/survey"
	"github.com/spool-video/spool/internal/survey/m3u8"
	"github.com/spool-video/spool/internal/survey/stream"
)

// Level is how strictly a rule is meant, in the words of RFC 2119.
type Level string

// The levels.
const (
	Must   Level = "MUST"
	Should Level = "SHOULD"
)

// Rule is one row of the table. A number that is there twice has a strict and
// a lenient part.
type Rule struct {
	Number int
	Level  Level
	Says   string // one sentence
	Source string // section of rfc8216bis ("bis"), RFC 8216 ("8216"), Apple's authoring specification ("Apple"), or "Spool"
	checks []check
}

// check looks for breaches of one rule in a package.
type check func(judge)

// Finding is one breach of a rule.
type Finding struct {
	Rule     int    `json:"rule"`
	Level    Level  `json:"level"`
	Place    string `json:"place"` // file, relative to the playlist that was asked for
	Line     int    `json:"line,omitempty"`
	Segment  string `json:"segment,omitempty"` // URI that stands there
	Text     string `json:"text"`
	Declared string `json:"declared,omitempty"`
	Measured string `json:"measured,omitempty"`
}

func (f Finding) String() string {
	s := f.Place
	if f.Line > 0 {
		s += fmt.Sprintf(":%d", f.Line)
	}
	if f.Segment != "" {
		s += " " + f.Segment
	}
	s += fmt.Sprintf(": %s %d: %s", f.Level, f.Rule, f.Text)
	switch {
	case f.Declared != "" && f.Measured != "":
		s += fmt.Sprintf(" (declared %s, measured %s)", f.Declared, f.Measured)
	case f.Declared != "":
		s += fmt.Sprintf(" (declared %s)", f.Declared)
	case f.Measured != "":
		s += fmt.Sprintf(" (measured %s)", f.Measured)
	}
	return s
}

// Audience is a kind of player that some rules are about, and that has to be
// asked for: what is good for one is not for another.
type Audience string

// The audiences, by the names that people give them.
const (
	Cellular   Audience = "cellular"
	Television Audience = "television"
	Apple      Audience = "apple" // who reviews what is in Apple's store
)

// Audiences are all of them.
var Audiences = []Audience{Cellular, Television, Apple}

// Check holds a package against all rules, and those for some audiences.
// Findings come in the order of the playlists, and in it by line; the same
// package has the same findings.
func Check(p *survey.Package, audiences ...Audience) []Finding {
	found := []Finding{}
	for _, r := range Table {
		for _, c := range r.checks {
			c(judge{p, r, audiences, &found})
		}
	}
	order := map[string]int{}
	for i, l := range lists(p) {
		order[l.Name] = i + 1
	}
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(order[a.Place], order[b.Place]), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Text, b.Text))
	})
	return slices.Compact(found)
}

// judge is what a check has: the package, its own rule, who is asked for, and
// where to tell.
type judge struct {
	*survey.Package
	rule  Rule
	asked []Audience
	found *[]Finding
}

// spot is a place in a playlist. Findings about segments are told where their
// playlist names them.
type spot struct {
	name    string
	line    int
	segment string
}

func at(l *survey.List, line int) spot {
	i, found := slices.BinarySearchFunc(l.Segments, line, func(s m3u8.Segment, line int) int { return cmp.Compare(s.Line, line) })
	if !found {
		return spot{l.Name, line, ""}
	}
	return spot{l.Name, line, bare(l.Segments[i].URI)}
}

// bare is a URI as it may be shown: queries hold secrets.
func bare(uri string) string {
	shown, _, _ := strings.Cut(uri, "?")
	return shown
}

// says tells a breach.
func (j judge) says(s spot, format string, args ...any) {
	j.differs(s, fmt.Sprintf(format, args...), nil, nil)
}

// differs tells a breach with what was declared and what was measured; nil is
// left out.
func (j judge) differs(s spot, text string, declared, measured any) {
	f := Finding{Rule: j.rule.Number, Level: j.rule.Level, Place: s.name, Line: s.line, Segment: s.segment, Text: text}
	if declared != nil {
		f.Declared = fmt.Sprint(declared)
	}
	if measured != nil {
		f.Measured = fmt.Sprint(measured)
	}
	*j.found = append(*j.found, f)
}

// lists are all playlists, the root first.
func lists(p *survey.Package) []*survey.List {
	all := []*survey.List{p.Root}
	for _, l := range p.Lists {
		if l != p.Root {
			all = append(all, l)
		}
	}
	return all
}

// eachList checks every playlist that could be read.
func eachList(f func(judge, *survey.List)) check {
	return func(j judge) {
		for _, l := range lists(j.Package) {
			if l.Missing == "" {
				f(j, l)
			}
		}
	}
}

// eachMedia checks every media playlist that could be read.
func eachMedia(f func(judge, *survey.List)) check {
	return eachList(func(j judge, l *survey.List) {
		if !l.Multivariant() {
			f(j, l)
		}
	})
}

// eachStream checks the media playlists of pictures and sound, without those
// of I-frames.
func eachStream(f func(judge, *survey.List)) check {
	return eachMedia(func(j judge, l *survey.List) {
		if isStream(l) {
			f(j, l)
		}
	})
}

// isStream: the list has pictures or sound, all of it.
func isStream(l *survey.List) bool {
	return l.Missing == "" && !l.AsIFrames && !l.IFrames && !l.AsText && !l.Multivariant() && !textual(l)
}

func textual(l *survey.List) bool {
	return len(l.Parts) > 0 && l.Parts[0].Known && l.Parts[0].Media.Container == stream.VTT
}

// eachPart checks every segment that could be read.
func eachPart(f func(judge, *survey.List, *survey.Part)) check {
	return eachMedia(func(j judge, l *survey.List) {
		for i := range l.Parts {
			if l.Parts[i].Known {
				f(j, l, &l.Parts[i])
			}
		}
	})
}

// eachRun checks every track of every segment of streams.
func eachRun(f func(judge, spot, stream.Run)) check {
	return eachPart(func(j judge, l *survey.List, p *survey.Part) {
		for _, r := range p.Media.Runs {
			f(j, at(l, p.Line), r)
		}
	})
}

// eachTrack checks every track of every playlist, where it differs from that of
// the segment before.
func eachTrack(f func(judge, spot, stream.Track)) check {
	return eachMedia(func(j judge, l *survey.List) {
		last := map[int]stream.Track{}
		for i := range l.Parts {
			for _, r := range l.Parts[i].Media.Runs {
				if before, seen := last[r.Track.ID]; !seen || !sameTrack(before, r.Track) {
					f(j, at(l, l.Parts[i].Line), r.Track)
				}
				last[r.Track.ID] = r.Track
			}
		}
	})
}

func sameTrack(a, b stream.Track) bool {
	return a.Entry == b.Entry && a.Codec == b.Codec && a.Picture == b.Picture && a.Sound == b.Sound &&
		slices.Equal(a.Config, b.Config) && slices.Equal(a.Edits, b.Edits)
}

// eachVariant checks every EXT-X-STREAM-INF.
func eachVariant(f func(judge, spot, survey.Variant)) check { return variants(false, f) }

// eachIFrames checks every EXT-X-I-FRAME-STREAM-INF.
func eachIFrames(f func(judge, spot, survey.Variant)) check { return variants(true, f) }

func variants(iFrames bool, f func(judge, spot, survey.Variant)) check {
	return func(j judge) {
		for _, v := range j.Variants {
			if v.IFrames == iFrames {
				f(j, at(j.Root, v.Line), v)
			}
		}
	}
}

// eachRendition checks every EXT-X-MEDIA.
func eachRendition(f func(judge, spot, survey.Rendition)) check {
	return func(j judge) {
		for _, r := range j.Renditions {
			f(j, at(j.Root, r.Line), r)
		}
	}
}

// told passes on what was noticed while reading playlists, init sections and
// segments.
func told(rule int) check {
	return eachList(func(j judge, l *survey.List) {
		for _, p := range l.Problems {
			if p.Rule == rule {
				j.says(at(l, p.Line), "%s", p.Text)
			}
		}
		inits := map[string]bool{}
		for i := range l.Parts {
			p := &l.Parts[i]
			if p.Init != nil && !inits[p.InitName] {
				inits[p.InitName] = true
				j.pass(at(l, p.Map.Line), "init section: ", rule, p.Init.Problems)
			}
			j.pass(at(l, p.Line), "", rule, p.Media.Problems)
			j.pass(at(l, p.Line), "", rule, p.Problems)
		}
	})
}

func (j judge) pass(s spot, before string, rule int, problems []stream.Problem) {
	for _, p := range problems {
		if p.Rule == rule {
			var declared, measured any
			if p.Declared != "" || p.Measured != "" {
				declared, measured = p.Declared, p.Measured
			}
			j.differs(s, before+p.Text, declared, measured)
		}
	}
}

// leading is the run that a segment's times are told by: its pictures, else its
// sound.
func leading(p *survey.Part) *stream.Run {
	if r := p.Media.Find(stream.Video); r != nil {
		return r
	}
	return p.Media.Find(stream.Audio)
}

// frame is how long a picture of the package lasts, or a packet of sound where
// there are no pictures.
func frame(p *survey.Package) time.Duration {
	longest, sound := time.Duration(0), 25*time.Millisecond
	for _, l := range p.Lists {
		for i := range l.Parts {
			if r := l.Parts[i].Media.Find(stream.Video); r != nil && !l.IFrames {
				longest = max(longest, stream.Time(r.Frame, r.Track.Timescale))
				break
			}
		}
	}
	if longest == 0 {
		return sound
	}
	return longest
}

// begin is when a run is first presented, its edit list applied.
func begin(r *stream.Run) time.Duration {
	start := r.Start
	for _, e := range r.Track.Edits {
		if e.MediaTime >= 0 {
			start = max(start, e.MediaTime)
			break
		}
	}
	return stream.Time(start+r.Track.Shift(), r.Track.Timescale)
}

// since is b - a; times of MPEG-TS may have begun anew in between.
func since(a, b time.Duration, c stream.Container) time.Duration {
	d := b - a
	if wrap := stream.Time(stream.Wrap, 90000); c == stream.TS && d < -wrap/2 {
		d += wrap
	} else if c == stream.TS && d > wrap/2 {
		d -= wrap
	}
	return d
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.6g s", d.Seconds()) }
