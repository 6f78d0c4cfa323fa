package webvtt

import (
	"regexp"
	"strings"
)

// tag is a tag that a cue may hold: bold, italics, underlining, ruby, whose
// voice it is, a language, a class, a time.
var tag = regexp.MustCompile(`^</?(b|i|u|c|ruby|rt)(\.[A-Za-z0-9_.-]{1,64})?>|^<(v|lang)(\.[A-Za-z0-9_.-]{1,64})? [^<>&\n]{1,100}>|^</(v|lang)>|^<(\d{2,}:)?\d{2}:\d{2}\.\d{3}>`)

// markup is any other tag: what a writer meant as markup is not shown.
var markup = regexp.MustCompile(`^</?[A-Za-z!][^<>]{0,500}>`)

// entity is a character reference.
var entity = regexp.MustCompile(`^&(amp|lt|gt|nbsp|lrm|rlm|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});`)

// clean makes a cue's text one that can only be text: tags that WebVTT does
// not have are dropped, and what stands alone of < > & is written as it has to
// be.
func clean(s string) string {
	s = valid(s)
	var b strings.Builder
	for s != "" {
		at := strings.IndexAny(s, "<>&")
		if at < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:at])
		s = s[at:]
		n, text := special(s)
		b.WriteString(text)
		s = s[n:]
	}
	return noEmptyLines(b.String())
}

// special reads what begins with <, > or &: how many bytes it has, and what is
// written for it.
func special(s string) (n int, text string) {
	switch s[0] {
	case '>':
		return 1, "&gt;"
	case '&':
		if found := entity.FindString(s); found != "" {
			return len(found), found
		}
		return 1, "&amp;"
	}
	if found := tag.FindString(s); found != "" && !strings.HasSuffix(found, "-->") {
		return len(found), found
	}
	if found := markup.FindString(s); found != "" {
		return len(found), ""
	}
	return 1, "&lt;"
}

// noEmptyLines drops the lines that would end the cue.
func noEmptyLines(s string) string {
	var kept []string
	for line := range strings.SplitSeq(s, "\n") {
		if strings.TrimSpace(line) != "" {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}
