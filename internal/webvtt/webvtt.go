// Package webvtt reads WebVTT, cuts it into the segments of a playlist and
// writes these. What it reads may be anybody's: of a cue nothing is kept but
// plain text, the tags that WebVTT has and settings of its place.
package webvtt

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// What a file may hold. Whole films have a few thousand cues of some hundred
// bytes.
const (
	MaxCues  = 50_000
	maxText  = 4 << 10  // bytes of one cue
	maxBytes = 32 << 20 // of one file
)

// ErrTooMuch: a file holds more than subtitles of a video can.
var ErrTooMuch = errors.New("more than subtitles can be")

// Cue is a text and when it is shown.
type Cue struct {
	Start, End time.Duration
	Settings   string // "line:0 align:start", as they stand behind the times
	Text       string // with WebVTT's tags; lines are separated by \n
}

// Parse reads the cues of a file, sorted by their starts. What is not
// understood is passed over; cues that last no time are dropped. An error is
// ErrTooMuch, or that of r.
func Parse(r io.Reader) ([]Cue, error) {
	limited := &io.LimitedReader{R: r, N: maxBytes + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, 4096), maxBytes)
	var p parser
	for lines.Scan() {
		if err := p.line(strings.TrimSuffix(lines.Text(), "\r")); err != nil {
			return nil, err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) || limited.N <= 0 {
		return nil, fmt.Errorf("parse WebVTT: %d bytes: %w", maxBytes, ErrTooMuch)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("parse WebVTT: %w", err)
	}
	p.close()
	slices.SortStableFunc(p.cues, func(a, b Cue) int { return int(max(min(a.Start-b.Start, 1), -1)) })
	return p.cues, nil
}

// parser is a file that is being read.
type parser struct {
	cues []Cue
	cue  *Cue // whose text is being read; nil between cues
	text []string
	size int
}

func (p *parser) line(s string) error {
	start, end, settings, timed := timing(s)
	switch {
	case timed:
		p.close()
		p.cue = &Cue{Start: start, End: end, Settings: place(settings)}
	case p.cue == nil:
	case strings.TrimSpace(s) == "":
		p.close()
	default:
		if p.size += len(s) + 1; p.size > maxText {
			return fmt.Errorf("parse WebVTT: a cue of more than %d bytes: %w", maxText, ErrTooMuch)
		}
		p.text = append(p.text, s)
	}
	if len(p.cues) > MaxCues {
		return fmt.Errorf("parse WebVTT: more than %d cues: %w", MaxCues, ErrTooMuch)
	}
	return nil
}

// close ends the cue that is being read.
func (p *parser) close() {
	if p.cue != nil {
		p.cue.Text = clean(strings.Join(p.text, "\n"))
		if p.cue.End > p.cue.Start && strings.TrimSpace(p.cue.Text) != "" {
			p.cues = append(p.cues, *p.cue)
		}
	}
	p.cue, p.text, p.size = nil, nil, 0
}

// timing reads "00:01.000 --> 00:02.500 line:0".
func timing(s string) (start, end time.Duration, settings string, ok bool) {
	from, rest, found := strings.Cut(s, "-->")
	if !found {
		return 0, 0, "", false
	}
	to, settings, _ := strings.Cut(strings.TrimLeft(rest, " \t"), " ")
	start, ok = clock(strings.TrimSpace(from))
	if !ok {
		return 0, 0, "", false
	}
	end, ok = clock(strings.TrimSpace(to))
	return start, end, settings, ok
}

// clock reads "01:02:03.456" and "02:03.456"; with a sign, as ffmpeg writes
// what lies before 0. Hours may be many.
func clock(s string) (time.Duration, bool) {
	s, negative := strings.CutPrefix(s, "-")
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return 0, false
	}
	seconds, fraction, _ := strings.Cut(parts[len(parts)-1], ".")
	if len(fraction) != 3 {
		return 0, false
	}
	var total int64
	for _, part := range append(parts[:len(parts)-1:len(parts)-1], seconds) {
		n, err := strconv.ParseUint(strings.TrimPrefix(part, "-"), 10, 24)
		if err != nil {
			return 0, false
		}
		total = total*60 + int64(n)
	}
	milli, err := strconv.ParseUint(fraction, 10, 16)
	if err != nil {
		return 0, false
	}
	d := time.Duration(total)*time.Second + time.Duration(milli)*time.Millisecond
	if negative {
		d = -d
	}
	return d, true
}

// Segments divides cues among segments: a cue is in each segment during which
// it is shown. zero is taken off all times, and ends are when the segments
// end; the first begins at 0. Nothing is shown before that, nor after the last
// end.
func Segments(cues []Cue, zero time.Duration, ends []time.Duration) [][]Cue {
	segments := make([][]Cue, len(ends))
	if len(ends) == 0 {
		return nil
	}
	for _, c := range cues {
		c.Start, c.End = max((c.Start-zero).Round(time.Millisecond), 0), min((c.End-zero).Round(time.Millisecond), ends[len(ends)-1].Truncate(time.Millisecond))
		if c.End <= c.Start {
			continue
		}
		first, _ := slices.BinarySearch(ends, c.Start+1)
		for i := first; i < len(ends) && (i == 0 || ends[i-1] < c.End); i++ {
			segments[i] = append(segments[i], c)
		}
	}
	return segments
}

// Encode writes a segment. ticks are the presentation time, in ticks of 90
// kHz, that the media has at the time 0 of the cues.
func Encode(cues []Cue, ticks int64) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:%d,LOCAL:00:00:00.000\n", ticks)
	for _, c := range cues {
		fmt.Fprintf(&b, "\n%s --> %s", stamp(c.Start), stamp(c.End))
		if c.Settings != "" {
			b.WriteString(" " + c.Settings)
		}
		b.WriteString("\n" + c.Text + "\n")
	}
	return b.Bytes()
}

func stamp(d time.Duration) string {
	milli := d.Milliseconds()
	return fmt.Sprintf("%02d:%02d:%02d.%03d", milli/3_600_000, milli/60_000%60, milli/1000%60, milli%1000)
}

// place keeps the settings of a cue that WebVTT has, with values that cannot
// be anything else.
func place(settings string) string {
	var kept []string
	for _, s := range strings.Fields(settings) {
		name, value, _ := strings.Cut(s, ":")
		known := slices.Contains([]string{"vertical", "line", "position", "size", "align"}, name)
		if known && value != "" && len(value) < 32 && !strings.ContainsFunc(value, func(r rune) bool { return !strings.ContainsRune("0123456789.%,-abcdefghijklmnopqrstuvwxyz", r) }) {
			kept = append(kept, s)
		}
	}
	return strings.Join(kept, " ")
}

// valid drops what no text holds.
func valid(s string) string {
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r == 0xfeff {
			return -1
		}
		return r
	}, s)
}
