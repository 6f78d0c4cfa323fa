package progress

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
)

// screen is as much of a terminal as the renderer uses: text that wraps, CR,
// LF, cursor up, clear below, and colours.
type screen struct {
	t             *testing.T
	columns, rows int
	lines         [][]rune // all that was ever written; the cursor may reach the last rows
	row, col      int
	wrapped       int // lines that did not fit
	colours       int
}

var sequence = regexp.MustCompile(`^\x1b\[(\d*)([A-Za-z])`)

func (s *screen) write(text string) {
	for text != "" {
		if m := sequence.FindStringSubmatch(text); m != nil {
			s.control(m[1], m[2])
			text = text[len(m[0]):]
			continue
		}
		r := []rune(text)[0]
		text = strings.TrimPrefix(text, string(r))
		s.put(r)
	}
}

func (s *screen) control(number, letter string) {
	n, _ := strconv.Atoi(number)
	switch letter {
	case "A":
		if top := len(s.lines) - s.rows; s.row-n < max(0, top) {
			s.t.Errorf("the cursor goes up %d rows, above the screen's top", n)
		}
		s.row = max(0, s.row-n)
	case "J":
		s.lines = s.lines[:s.row+1]
		s.lines[s.row] = s.lines[s.row][:min(s.col, len(s.lines[s.row]))]
	case "m":
		s.colours++
	default:
		s.t.Errorf("the sequence %s%s is not known here", number, letter)
	}
}

func (s *screen) put(r rune) {
	for len(s.lines) <= s.row {
		s.lines = append(s.lines, nil)
	}
	switch {
	case r == '\r':
		s.col = 0
		return
	case r == '\n':
		s.row++
		for len(s.lines) <= s.row {
			s.lines = append(s.lines, nil)
		}
		return
	case r < 0x20 || r >= 0x7f && r < 0xa0:
		s.t.Errorf("the control %U reaches the terminal", r)
		return
	}
	width := plaintext.Width(string(r))
	if s.col+width > s.columns {
		s.wrapped++
		s.put('\r')
		s.put('\n')
	}
	line := s.lines[s.row]
	for len(line) < s.col {
		line = append(line, ' ')
	}
	s.lines[s.row] = append(line[:s.col], r)
	for range width - 1 {
		s.lines[s.row] = append(s.lines[s.row], 0)
	}
	s.col += width
}

func (s *screen) text() string {
	var b strings.Builder
	for _, line := range s.lines {
		b.WriteString(strings.TrimRight(strings.ReplaceAll(string(line), "\x00", ""), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// watch runs do against a real terminal of a size and gives the bytes that
// arrive at its other end.
func watch(t *testing.T, columns, rows int, do func(tty *os.File)) string {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	if err := pty.Setsize(tty, &pty.Winsize{Cols: uint16(columns), Rows: uint16(rows)}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(&out, master) // ends with EIO when the last tty is closed
	}()
	do(tty)
	tty.Close()
	<-ended
	return out.String()
}

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for _, p := range pairs {
			if value, found := strings.CutPrefix(p, name+"="); found {
				return value
			}
		}
		return ""
	}
}

func TestTerminal(t *testing.T) {
	clock := start
	out := watch(t, 72, 12, func(tty *os.File) {
		p, err := New(Options{Out: tty, Getenv: env("TERM=xterm", "NO_COLOR=1"), Now: func() time.Time { return clock }})
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range story() {
			if ev.Type == Ready {
				break
			}
			clock = ev.Time
			p.Show(ev)
			p.renderer.tick(clock)
		}
		// No Close: what stands there while it runs.
	})
	s := &screen{t: t, columns: 72, rows: 12}
	s.write(out)
	if s.colours != 0 {
		t.Error("colours in spite of NO_COLOR")
	}
	want := []string{
		"publishing to /srv/cdn (change with --to)",
		"line 7: refused (source-scheme)",
		"youtube-xyz: paused: the disk of /scratch is full",
		"  hint: free 2 GB",
		"youtube-xyz: goes on",
		"0/2 ready · 1 failed · 1.2× realtime · ≈ 1 m 15 s left",
		"beach-1a2b3c  encoding 1.6× chunk 9/9 · publishing",
		"youtube-xyz   downloading 7.0 MB 0 B/s",
	}
	got := strings.Split(s.text(), "\n")
	for i := range max(len(want), len(got)) {
		a, b := "", ""
		if i < len(want) {
			a = want[i]
		}
		if i < len(got) {
			b = got[i]
		}
		// The rates are tested elsewhere: digits count as digits.
		digits := regexp.MustCompile(`[0-9.]+`)
		if digits.ReplaceAllString(a, "0") != digits.ReplaceAllString(b, "0") {
			t.Errorf("row %d is %q, want %q", i, b, a)
		}
	}
}

func TestTerminalIsLeftClean(t *testing.T) {
	out := watch(t, 60, 10, func(tty *os.File) {
		p, err := New(Options{Mode: "tty", Out: tty, Getenv: env("TERM=xterm")})
		if err != nil {
			t.Fatal(err)
		}
		p.Start()
		for _, ev := range story() {
			p.Show(ev)
		}
		_, _ = fmt.Fprintln(p.Log(), "a log line")
		p.Close(summary())
		p.Show(Event{Type: Noted, Text: "after the end"})
	})
	s := &screen{t: t, columns: 60, rows: 10}
	s.write(out)
	text := s.text()
	if s.colours == 0 {
		t.Error("no colours")
	}
	for _, wanted := range []string{"beach-1a2b3c: ready, 360p 720p, in 49 s", "youtube-xyz: failed", "a log line"} {
		if !strings.Contains(text, wanted) {
			t.Errorf("%q is not on the screen:\n%s", wanted, text)
		}
	}
	for _, gone := range []string{"realtime", "left", "/2 ready", "after the end"} {
		if strings.Contains(text, gone) {
			t.Errorf("%q is still on the screen:\n%s", gone, text)
		}
	}
}

func TestTerminalNeverOutgrowsItself(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {40, 8}, {20, 4}, {10, 3}, {5, 2}, {1, 1}} {
		columns, rows := size[0], size[1]
		var out bytes.Buffer
		now := start
		p, err := New(Options{
			Mode: "tty", Out: &out, Getenv: env("TERM=xterm"), Now: func() time.Time { return now },
			Size: func() (int, int) { return columns, rows },
		})
		if err != nil {
			t.Fatal(err)
		}
		s := &screen{t: t, columns: columns, rows: rows}
		for step := range 20 {
			now = now.Add(time.Second)
			for i := range 30 {
				p.Show(Event{Type: Moved, Video: fmt.Sprintf("視頻-%d%s", i, hostile), Snapshot: &Snapshot{
					Phases: []spool.Phase{spool.Downloading, spool.Encoding}, Download: Count{int64(step) * 1e6, 2e7},
					Encode: Count{int64(step) * 10, 1000}, Length: time.Minute, Chunks: 9, Note: "等 for " + hostile,
				}})
			}
			p.renderer.tick(now)
			s.write(out.String())
			out.Reset()
			if height := s.row; height > max(rows-1, 1) {
				t.Fatalf("%d×%d: the block has %d lines", columns, rows, height)
			}
		}
		if s.wrapped > 0 {
			t.Errorf("%d×%d: %d lines were too wide", columns, rows, s.wrapped)
		}
		p.Close(Summary{})
	}
}

func TestTerminalThatShrinks(t *testing.T) {
	var out bytes.Buffer
	columns, now := 80, start
	p, err := New(Options{
		Mode: "tty", Out: &out, Getenv: env("TERM=xterm", "NO_COLOR=1"), Now: func() time.Time { return now },
		Size: func() (int, int) { return columns, 24 },
	})
	if err != nil {
		t.Fatal(err)
	}
	moved := Event{Type: Moved, Video: "a-video-with-a-rather-long-name", Snapshot: &Snapshot{
		Phases: []spool.Phase{spool.Downloading}, Note: "waits for room in scratch, as there is none",
	}}
	p.Show(moved)
	p.renderer.tick(now)
	// The terminal rewraps what is there, as they do: 30 columns now.
	columns = 30
	s := &screen{t: t, columns: columns, rows: 24}
	s.write(out.String())
	out.Reset()
	now = now.Add(time.Second)
	p.Show(moved)
	p.renderer.tick(now)
	s.write(out.String())
	if got := strings.Count(s.text(), "ready"); got != 1 {
		t.Errorf("%d total lines on the screen:\n%s", got, s.text())
	}
}

func TestAutoMode(t *testing.T) {
	watch(t, 80, 24, func(tty *os.File) {
		for _, c := range []struct{ term, want string }{{"xterm", "tty"}, {"dumb", "plain"}, {"", "plain"}} {
			if got := (Options{Out: tty, Getenv: env("TERM=" + c.term)}).filled().mode(); got != c.want {
				t.Errorf("TERM=%s: %s, want %s", c.term, got, c.want)
			}
		}
	})
	if got := (Options{Out: &bytes.Buffer{}, Getenv: env("TERM=xterm")}).filled().mode(); got != "plain" {
		t.Errorf("a buffer is shown %s", got)
	}
	for _, c := range []struct {
		value string
		want  bool
	}{{"", true}, {"1", false}} {
		if got := (Options{Getenv: env("TERM=xterm", "NO_COLOR="+c.value)}).colour(); got != c.want {
			t.Errorf("NO_COLOR=%q: colour %v", c.value, got)
		}
	}
}
