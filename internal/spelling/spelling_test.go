package spelling

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"title", "id", "ladder", "scratch-limit", "sizes"}
	for word, want := range map[string]string{
		"titel":         "title",
		"tilte":         "title",
		"lader":         "ladder",
		"size":          "sizes",
		"scratch-limti": "scratch-limit",
		"di":            "id",
		"colour":        "",
		"x":             "",
		"":              "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%q is taken for %q, want %q", word, got, want)
		}
	}
	if got := Nearest("x", nil); got != "" {
		t.Errorf("%q out of nothing", got)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"ab", "ba", 1}, {"abcd", "acbd", 1}, {"same", "same", 0}} {
		if got := Distance(c.a, c.b); got != c.want {
			t.Errorf("%q to %q takes %d edits, want %d", c.a, c.b, got, c.want)
		}
	}
}
