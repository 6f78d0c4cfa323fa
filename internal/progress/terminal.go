package progress

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spool-video/spool/internal/plaintext"
)

// Terminal sequences; ECMA-48. No cursor is hidden and no mode is set, so
// that a killed spool leaves a terminal that works.
const (
	clearBelow = "\x1b[J"
	bold       = "\x1b[1m"
	red        = "\x1b[31m"
	yellow     = "\x1b[33m"
	plainAgain = "\x1b[0m"
)

// terminal keeps a block of lines at the bottom: one about the run, and one
// for each video that something happens to. News scrolls by above it.
type terminal struct {
	board  *board
	out    io.Writer
	size   func() (columns, rows int)
	colour bool

	news  []string // lines that wait to be written above the block
	drawn []int    // widths of the block's lines, as they stand on the screen
	last  time.Time
	dirty bool
}

// redraw is how often a block is drawn in which nothing happened: rates fall.
const redraw = time.Second

func (t *terminal) show(ev Event) {
	t.board.take(ev)
	t.dirty = true
	if ev.Type == Accepted || ev.Type == Known && ev.Text == "" {
		return // the total line counts them
	}
	if text := say(ev); text != "" {
		t.news = append(t.news, t.paint(colourOf(ev.Type), text))
	}
}

func colourOf(t Type) string {
	switch t {
	case Failed, Bad:
		return red
	case Paused:
		return yellow
	case Accepted, Known, Counted, Moved, Resumed, Ready, Removed, Noted, Watchable, Logged:
	}
	return ""
}

func (t *terminal) paint(colour, text string) string {
	if !t.colour || colour == "" {
		return text
	}
	return colour + text + plainAgain
}

func (t *terminal) tick(now time.Time) {
	if t.dirty || now.Sub(t.last) >= redraw {
		t.draw(t.lines(now), now)
	}
}

func (t *terminal) close(Summary) { t.draw(nil, t.last) }

// draw replaces the block. All of it is one Write, so that nothing is seen
// half-drawn.
func (t *terminal) draw(lines []string, now time.Time) {
	columns, _ := t.size()
	columns = max(columns, 1)
	var b strings.Builder
	// A terminal that has become narrower has wrapped the old lines.
	up := 0
	for _, width := range t.drawn {
		up += max(1, (width+columns-1)/columns)
	}
	if up > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r%s", up, clearBelow)
	}
	for _, text := range t.news {
		b.WriteString(strings.ReplaceAll(text, "\n", "\r\n") + "\r\n")
	}
	t.news, t.drawn = t.news[:0], t.drawn[:0]
	for i, line := range lines {
		t.drawn = append(t.drawn, plaintext.Width(line))
		if i == 0 {
			line = t.paint(bold, line)
		}
		b.WriteString(line + "\r\n")
	}
	t.last, t.dirty = now, false
	if b.Len() > 0 {
		_, _ = io.WriteString(t.out, b.String())
	}
}

// lines is the block: never wider than the terminal, and never as high, so
// that it can always be taken back.
func (t *terminal) lines(now time.Time) []string {
	columns, rows := t.size()
	if columns < 2 || rows < 2 {
		return nil
	}
	active := t.board.active()
	lines := []string{t.board.total(now)}
	room := max(0, rows-3)
	more := 0
	if len(active) > room {
		more = len(active) - max(0, room-1)
		active = active[:max(0, room-1)]
	}
	widest := 0
	for _, e := range active {
		widest = max(widest, plaintext.Width(e.name()))
	}
	widest = min(widest, columns/3)
	for _, e := range active {
		name := plaintext.Cut(e.name(), widest)
		pad := strings.Repeat(" ", max(0, widest-plaintext.Width(name)))
		lines = append(lines, name+pad+"  "+e.activity(now))
	}
	if more > 0 && room > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	for i := range lines {
		// The last column stays free: some terminals wrap when it is filled.
		lines[i] = plaintext.Cut(lines[i], columns-1)
	}
	return lines
}
