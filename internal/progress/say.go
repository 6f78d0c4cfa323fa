package progress

import (
	"fmt"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
)

// logWriter makes events of log lines.
type logWriter struct{ to *Progress }

func (w logWriter) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		w.to.Show(Event{Type: Logged, Text: strings.TrimRight(line, "\r\n")})
	}
	return len(b), nil
}

// say is what a change reads like, for the eyes of a person; "" for events
// that are no news. Lines after the first are indented. What Report says at
// the end (reasons, hints, paths) is not said here, too.
func say(ev Event) string {
	name := plaintext.Sanitize(ev.Video)
	switch ev.Type {
	case Accepted:
		return name + ": accepted" + in(" (", plaintext.Show(ev.Source), ")")
	case Known:
		if ev.Status.Ended() && ev.Text == "" {
			return name + ": " + string(ev.Status) + " already"
		}
		if ev.Text == "" {
			return name + ": goes on"
		}
		return name + ": " + plaintext.Show(ev.Text)
	case Bad:
		return where(ev.Line, ev.Source) + ": refused" + in(" (", code(ev.Failure), ")")
	case Paused:
		return name + ": paused: " + because(ev.Failure)
	case Resumed:
		return name + ": goes on"
	case Ready:
		return name + ": ready" + in(", ", strings.Join(sanitized(ev.Sizes), " "), "") + in(", ", took(ev), "")
	case Failed:
		return name + ": failed" + in(" (", code(ev.Failure), ")")
	case Removed:
		return name + ": removed"
	case Noted:
		return in("", name, ": ") + plaintext.Show(ev.Text)
	case Watchable:
		return name + ": " + plaintext.Show(ev.Text) + in(": ", plaintext.Sanitize(ev.Path), "")
	case Logged:
		return plaintext.Show(ev.Text)
	case Counted, Moved:
	}
	return ""
}

func took(ev Event) string {
	if ev.Took <= 0 {
		return ""
	}
	return "in " + Duration(ev.Took)
}

// in puts a text between two others, or gives "" when there is none.
func in(before, text, after string) string {
	if text == "" {
		return ""
	}
	return before + text + after
}

// where: "line 7", or the source when no list was there.
func where(line int, source string) string {
	if line > 0 {
		return fmt.Sprintf("line %d", line)
	}
	return plaintext.Cut(plaintext.Show(source), 80)
}

// code is a failure's kind in a word or two. Why it is so, and what to do
// about it, Report says once, at the end, when it can be seen what else failed
// in the same way.
func code(f *spool.Failure) string {
	if f == nil {
		return ""
	}
	return plaintext.Sanitize(f.Code)
}

// because is a failure's reason, and its hint on a line of its own.
func because(f *spool.Failure) string {
	if f == nil {
		return "no reason is known"
	}
	return plaintext.Show(f.Reason) + in("\n  hint: ", plaintext.Show(f.Hint), "")
}

func sanitized(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = plaintext.Sanitize(s)
	}
	return out
}
