package plaintext

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestSanitize(t *testing.T) {
	for s, want := range map[string]string{
		"":                       "",
		"Grüße, 視頻 👩\u200d👧":     "Grüße, 視頻 👩\u200d👧",
		"a\x1b[31mb":             `a\x1b[31mb`,
		"a\r\nb\tc\x00\x7f":      `a\r\nb\tc\x00\x7f`,
		"a\u009b31m\u0085":       `a\x9b31m\x85`,
		"a\u202etxt.exe\u2066":   `a\u202etxt.exe\u2066`,
		"a\u2028b\u2029":         `a\u2028b\u2029`,
		"soft\u00adhyphen\ufeff": `soft\xadhyphen\ufeff`,
		"tag\U000e0041":          `tag\U000e0041`,
		"\xff\xc3(":              `\xff\xc3(`,
		"a real \ufffd":          "a real \ufffd",
		"private \ue000":         `private \ue000`,
	} {
		if got := Sanitize(s); got != want {
			t.Errorf("%q becomes %q, want %q", s, got, want)
		}
	}
}

func FuzzSanitize(f *testing.F) {
	f.Add("a\x1b[2J\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := Sanitize(s)
		if !utf8.ValidString(got) || Sanitize(got) != got {
			t.Fatalf("%q becomes %q", s, got)
		}
		for _, r := range got {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
				t.Fatalf("%q keeps %U", s, r)
			}
		}
		if cut := Cut(got, 10); Width(cut) > 10 {
			t.Fatalf("%q is %d cells wide", cut, Width(cut))
		}
	})
}

func TestRedact(t *testing.T) {
	for s, want := range map[string]string{
		"no URL here":             "no URL here",
		"https://a.example/v.mp4": "https://a.example/v.mp4",
		"get https://u:p@a.example/v.mp4?X-Amz-Signature=S&x#t=1":  "get https://…@a.example/v.mp4?X-Amz-Signature=…&x#…",
		"https://a.example/watch?v=abc&list=PL&token=S":            "https://a.example/watch?v=abc&list=PL&token=…",
		"https://u:p@ss@a.example/":                                "https://…@a.example/",
		"amqp://user:pw@broker:5672/v":                             "amqp://…@broker:5672/v",
		"two https://a.example/?k=S, and 'https://b.example/?k=S'": "two https://a.example/?k=… and 'https://b.example/?k=…'",
		"Authorization: Bearer S":                                  "Authorization: …",
		"cookie=S; more":                                           "cookie=…",
		"https://a.example/?%zz=S":                                 "https://a.example/?%zz=…",
		"https://a.example#chapter":                                "https://a.example#chapter",
	} {
		if got := Redact(s); got != want {
			t.Errorf("%q becomes %q, want %q", s, got, want)
		}
	}
}

func TestSlug(t *testing.T) {
	for s, want := range map[string]string{
		"At the Beach!":     "at-the-beach",
		"Ægir & Straße, №1": "aegir-strasse-no1",
		"__a--b__":          "a-b",
		"Łódź":              "lodz",
		"視頻":                "",
		"ﬁlm ２":             "film-2",
	} {
		if got := Slug(s, 40); got != want {
			t.Errorf("%q becomes %q, want %q", s, got, want)
		}
	}
	if got := Slug(strings.Repeat("abc ", 20), 8); got != "abc-abc" {
		t.Errorf("cut to %q", got)
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		s     string
		width int
		want  string
	}{
		{"short", 10, "short"}, {"exactly ten", 11, "exactly ten"}, {"too long", 5, "too …"}, {"視頻視頻", 5, "視頻…"}, {"x", 0, ""}, {"xy", 1, "…"}, {"x", -1, ""},
	} {
		if got := Cut(c.s, c.width); got != c.want {
			t.Errorf("%q in %d cells: %q, want %q", c.s, c.width, got, c.want)
		}
	}
}
