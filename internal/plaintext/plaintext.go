// Package plaintext makes strings that we did not write (titles, URLs, what a
// server or a tool said) safe to show: on a terminal, in a log, on a page.
package plaintext

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// Sanitize makes every rune that could move a cursor, hide or reorder text
// visible: controls (C0, DEL, C1) as \n, \t or \x1b, format and bidirectional
// controls as \u202e, broken UTF-8 as \xff. The result is one line of valid
// UTF-8; printable text comes back as it was.
func Sanitize(s string) string {
	if clean(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case visible(r):
			b.WriteRune(r)
		default:
			b.WriteString(escape(r))
		}
		i += n
	}
	return b.String()
}

func clean(s string) bool {
	for i, r := range s {
		if !visible(r) || r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return false
		}
	}
	return true
}

// visible: what takes room on a line and nothing else. The zero-width joiner
// stays, for emoji and several scripts need it and it moves nothing.
func visible(r rune) bool {
	const zeroWidthJoiner = '\u200d'
	switch {
	case r == zeroWidthJoiner:
		return true
	case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r):
		return false
	case r == '\u2028', r == '\u2029':
		return false
	}
	return true
}

func escape(r rune) string {
	switch r {
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	}
	switch {
	case r < 0x100:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

// Width is how many terminal cells s takes.
func Width(s string) int { return cells.StringWidth(s) }

// Cut shortens s to at most width terminal cells, the last one "…" when
// something was cut.
func Cut(s string, width int) string {
	if width <= 0 {
		return ""
	}
	return cells.Truncate(s, width, "…")
}

// cells does not ask the locale: the same line is the same width for everyone.
var cells = &runewidth.Condition{StrictEmojiNeutral: true}
