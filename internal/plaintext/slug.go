package plaintext

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Slug spells s with lower-case ASCII letters, digits and single hyphens, at
// most limit bytes, for names of files and IDs. Accents go, a few letters
// that have no accentless form are spelt out, all else becomes a hyphen; "" when
// nothing is left.
func Slug(s string, limit int) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(norm.NFKD.String(s)) {
		if unicode.Is(unicode.Mn, r) {
			continue
		}
		text := letters[r]
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			text = string(r)
		}
		if text == "" {
			gap = true
			continue
		}
		if gap && b.Len() > 0 {
			b.WriteByte('-')
		}
		gap = false
		b.WriteString(text)
	}
	out := b.String()
	if len(out) > limit {
		out = out[:limit]
	}
	return strings.Trim(out, "-")
}

var letters = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ı': "i", 'ħ': "h", 'ŧ': "t",
}
