package intake

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
)

func TestTextList(t *testing.T) {
	for text, want := range map[string]Line{
		"https://a.example/v.mp4":                                        {Source: "https://a.example/v.mp4"},
		"https://a.example/v.mp4 id=one":                                 {Source: "https://a.example/v.mp4", ID: "one"},
		"/films/my film.mp4\ttitle=\"My film: a b\" id=x ladder=classic": {Source: "/films/my film.mp4", ID: "x", Title: "My film: a b", Ladder: "classic"},
		`/films/a.mp4 title="id=\"b\" \\"`:                               {Source: "/films/a.mp4", Title: `id="b" \`},
		`/films/a.mp4 title="a id=b"`:                                    {Source: "/films/a.mp4", Title: "a id=b"},
		"/films/a size=big.mp4":                                          {Source: "/films/a size=big.mp4"},
		"  /films/#1.mp4  ":                                              {Source: "/films/#1.mp4"},
		"https://a.example/watch?v=1&id=7#t=3":                           {Source: "https://a.example/watch?v=1&id=7#t=3"},
	} {
		want.Number, want.List = 3, "l.txt"
		lines, err := ParseList("l.txt", strings.NewReader("\uFEFF# a comment\r\n\r\n"+text+"\r\n"))
		if err != nil || len(lines) != 1 {
			t.Fatalf("%q: %d lines, %v", text, len(lines), err)
		}
		if diff := cmp.Diff(want, lines[0]); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestTextListBadLines(t *testing.T) {
	for text, code := range map[string]string{
		"https://a.example/v.mp4 titel=x":           "unknown-key",
		"https://a.example/v.mp4 title=My holiday":  "space-in-url",
		"/v.mp4 id=../x":                            "bad-id",
		"/v.mp4 id=-x":                              "bad-id",
		"/v.mp4 id=" + strings.Repeat("x", 65):      "bad-id",
		"/v.mp4 id=a id=b":                          "key-twice",
		"/v.mp4 id=":                                "key-empty",
		"id=a":                                      "no-source",
		"/v.mp4\xff":                                "line-not-utf8",
		"/" + strings.Repeat("v", 8<<10):            "line-too-long",
		"/" + strings.Repeat("long line ", 100<<10): "line-too-long",
	} {
		lines, err := ParseList("l.txt", strings.NewReader("/first.mp4\n"+text+"\n/last.mp4"))
		if err != nil || len(lines) != 3 {
			t.Fatalf("%.40q: %d lines, %v", text, len(lines), err)
		}
		if lines[0].Err != nil || lines[2].Err != nil || lines[2].Number != 3 {
			t.Errorf("%.40q: its neighbours suffer: %+v", text, lines)
		}
		if lines[1].Err == nil || lines[1].Err.Code != code {
			t.Errorf("%.40q: error %v, want code %s", text, lines[1].Err, code)
		}
	}
}

func TestUnknownKeyNamesTheNearest(t *testing.T) {
	for _, name := range []string{"l.yaml", "l.json"} {
		lines, err := ParseList(name, strings.NewReader(`[{"source": "/a.mp4", "titel": "x"}]`))
		if err != nil || lines[0].Err == nil || lines[0].Err.Hint != "did you mean title?" {
			t.Errorf("%s: %+v, %v", name, lines, err)
		}
	}
}

func TestWholeListRefused(t *testing.T) {
	for _, c := range []struct{ name, text, code string }{
		{"l.txt", "", "list-empty"},
		{"l.txt", "# nothing\n\n", "list-empty"},
		{"l.yaml", "", "list-empty"},
		{"l.yaml", "# nothing\n", "list-empty"},
		{"l.json", "[]", "list-empty"},
		{"-", "", "list-empty"},
		{"l.txt", "\xff\xfeh\x00t\x00", "list-utf16"},
		{"l.json", "\xfe\xff\x00[", "list-utf16"},
		{"film.txt", "\x00\x00\x00\x20ftypisom", "list-binary"},
		{"l.txt", "/a.mp4\n/b\x00.mp4", "list-binary"},
		{"l.yaml", "a: [", "list-syntax"},
		{"l.yaml", "videos: [a]", "list-syntax"},
		{"l.json", `{"videos": []}`, "list-syntax"},
		{"l.json", `["a"`, "list-syntax"},
		{"l.json", `["a"] x`, "list-syntax"},
		{"l.json", `["a" "b"]`, "list-syntax"},
		{"l.txt", strings.Repeat("/a\n", maxLines+1), "list-too-long"},
	} {
		_, err := ParseList(c.name, strings.NewReader(c.text))
		var e *spool.Error
		if !errors.As(err, &e) || e.Code != c.code {
			t.Errorf("%s %.20q: %v, want code %s", c.name, c.text, err, c.code)
		}
	}
}

// What is wrong with a list as a whole is told with its place and what to do.
func TestRefusedListsSayWhatToDo(t *testing.T) {
	broken := iotest.ErrReader(errors.New("input/output error"))
	for _, c := range []struct {
		name         string
		from         io.Reader
		reason, hint string
	}{
		{"l.yaml", strings.NewReader("- /a.mp4\n- source: /b.mp4\n  title: one: two\n"), "is not valid YAML (near line 3: ", "in quotes"},
		{"l.yaml", strings.NewReader("- *somebody\n"), "is not valid YAML (unknown anchor … ", "in quotes"},
		{"l.yaml", io.LimitReader(ones{}, maxBytes+1), "larger than 64 MiB", "several lists"},
		{"l.txt", broken, "cannot be read: input/output error", "copy it elsewhere"},
		{"l.json", broken, "cannot be read: input/output error", "copy it elsewhere"},
		{"-", broken, "standard input cannot be read: input/output error", "into a file"},
	} {
		_, err := ParseList(c.name, c.from)
		var e *spool.Error
		if !errors.As(err, &e) || !strings.Contains(e.Reason, c.reason) || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%s: %+v, want %s … (%s)", c.name, err, c.reason, c.hint)
		}
	}
}

// ones is a text without an end.
type ones struct{}

func (ones) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '1'
	}
	return len(p), nil
}

func TestStructuredLists(t *testing.T) {
	want := []Line{
		{Number: 2, Source: "https://a.example/1.mp4"},
		{Number: 3, Source: "/films/2 \U0001F600.mp4", ID: "two", Title: "Second", Ladder: "classic"},
	}
	for name, text := range map[string]string{
		"l.yaml": "# films\n- https://a.example/1.mp4\n- {source: \"/films/2 \U0001F600.mp4\", id: two, title: Second, ladder: classic}\n",
		"l.json": "[\n\t\"https:\\/\\/a.example/1.mp4\",\n\t{\"source\": \"/films/2 \\ud83d\\ude00.mp4\", \"id\": \"two\", \"title\": \"Second\", \"ladder\": \"classic\"}\n]\n",
	} {
		for _, as := range []string{name, "-"} {
			if as == "-" && name == "l.yaml" {
				text = strings.TrimPrefix(text, "# films\n")
				text = "---\n" + text
			}
			lines, err := ParseList(as, strings.NewReader(text))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for i := range want {
				want[i].List = as
			}
			if diff := cmp.Diff(want, lines); diff != "" {
				t.Errorf("%s as %s (-want +got):\n%s", name, as, diff)
			}
		}
	}
}

func TestStructuredItemsJudgedAlone(t *testing.T) {
	for name, text := range map[string]string{
		"l.yaml": "- /a.mp4\n- [x]\n- {id: y}\n- {source: /b.mp4, title: [1]}\n- /c.mp4\n",
		"l.json": `["/a.mp4", ["x"], {"id": "y"}, {"source": "/b.mp4", "title": 1}, "/c.mp4"]`,
	} {
		lines, err := ParseList(name, strings.NewReader(text))
		if err != nil || len(lines) != 5 {
			t.Fatalf("%s: %d lines, %v", name, len(lines), err)
		}
		got := ""
		for _, l := range lines {
			if l.Err != nil {
				got += l.Err.Code
			}
			got += ";"
		}
		if want := ";not-text;no-source;not-text;;"; got != want {
			t.Errorf("%s: errors %s, want %s", name, got, want)
		}
	}
}

func TestYAMLAliasesDoNotGrow(t *testing.T) {
	text := "- &a /a.mp4\n- *a\n- &m {source: /m.mp4}\n- [*m, *m]\n"
	lines, err := ParseList("l.yaml", strings.NewReader(text))
	if err != nil || len(lines) != 4 || lines[1].Source != "/a.mp4" || lines[3].Err == nil {
		t.Errorf("%+v, %v", lines, err)
	}
}

func TestIsList(t *testing.T) {
	for arg, want := range map[string]bool{
		"a.txt": true, "b/c.YAML": true, "x.yml": true, "x.json": true,
		"a.mp4": false, "https://a.example/list.json": false, "txt": false, "-": false,
	} {
		if IsList(arg) != want {
			t.Errorf("IsList(%q) is %v", arg, !want)
		}
	}
}

func FuzzParseList(f *testing.F) {
	f.Add("l.txt", "# c\r\n/a b.mp4 title=\"x \\\" y\" id=z\n")
	f.Add("l.yaml", "- a\n- {source: b, id: c}\n- &x d\n- *x\n")
	f.Add("l.json", `["a", {"source": "b"}, 3]`)
	f.Add("-", "\uFEFF[\n\"a\"]")
	f.Fuzz(func(t *testing.T, name, text string) {
		lines, err := ParseList(name, strings.NewReader(text))
		if err != nil {
			var e *spool.Error
			if !errors.As(err, &e) || e.Code == "" || e.Reason == "" {
				t.Fatalf("an error without a sentence: %#v", err)
			}
			return
		}
		if len(lines) == 0 {
			t.Fatal("no lines and no error")
		}
		for _, l := range lines {
			if l.Err == nil && (l.Source == "" || !utf8.ValidString(l.Source) || l.ID != "" && !spool.ValidID(l.ID)) {
				t.Fatalf("accepted %+v", l)
			}
			if l.Err == nil && l.Number < 1 {
				t.Fatalf("a line without a number: %s", fmt.Sprint(l))
			}
		}
	})
}

func BenchmarkLongList(b *testing.B) {
	text := strings.Repeat("https://a.example/films/a-film-with-a-long-name.mp4 title=\"A film\" id=x\n", 10_000)
	for b.Loop() {
		if lines, err := ParseList("l.txt", strings.NewReader(text)); err != nil || len(lines) != 10_000 {
			b.Fatal(len(lines), err)
		}
	}
}
