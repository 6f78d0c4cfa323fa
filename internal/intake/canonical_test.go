package intake

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spool-video/spool"
)

func TestCanonicalURL(t *testing.T) {
	for source, want := range map[string]string{
		"HTTPS://User:pw@A.Example:443/V.mp4#t=3":              "https://a.example/V.mp4",
		"http://a.example:80":                                  "http://a.example/",
		"http://a.example:8080/x?b=2&a=1":                      "http://a.example:8080/x?b=2&a=1",
		"http://[::1]:8080/x":                                  "http://[::1]:8080/x",
		"https://a.example/a%20b.mp4?":                         "https://a.example/a%20b.mp4",
		"https://a.example/x?token=1&&k":                       "https://a.example/x?token=1&k",
		"https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PL1": "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
		"http://m.youtube.com/watch?list=PL1&v=dQw4w9WgXcQ":    "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
		"https://youtu.be/dQw4w9WgXcQ?t=3":                     "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
		"https://www.youtube.com/shorts/dQw4w9WgXcQ":           "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
		"https://www.youtube.com/embed/videoseries?list=PL1":   "https://www.youtube.com/embed/videoseries?list=PL1",
		"https://www.youtube.com/playlist?list=PL1":            "https://www.youtube.com/playlist?list=PL1",
		"https://notyoutube.com/watch?v=dQw4w9WgXcQ&x=1":       "https://notyoutube.com/watch?v=dQw4w9WgXcQ&x=1",
		// Signatures: the same file, whoever may read it until when.
		"https://b.s3.example/v.mp4?versionId=7&X-Amz-Algorithm=A&X-Amz-Credential=C&X-Amz-Date=D&X-Amz-Expires=60&X-Amz-Signature=S&x-amz-signedheaders=h": "https://b.s3.example/v.mp4?versionId=7",
		"https://storage.example/v.mp4?X-Goog-Signature=S&generation=1&X-Goog-Expires=60":                                                                   "https://storage.example/v.mp4?generation=1",
		"https://d.cloudfront.example/v.mp4?Expires=1&Signature=S&Key-Pair-Id=K":                                                                            "https://d.cloudfront.example/v.mp4",
		"https://d.cloudfront.example/v.mp4?a=1&Policy=P&Signature=S&Key-Pair-Id=K":                                                                         "https://d.cloudfront.example/v.mp4?a=1",
		"https://b.s3.example/v.mp4?AWSAccessKeyId=A&Expires=1&Signature=S":                                                                                 "https://b.s3.example/v.mp4",
		"https://x.blob.example/v.mp4?sv=2022&st=1&se=2&sr=b&sp=r&sig=S&snapshot=7":                                                                         "https://x.blob.example/v.mp4?snapshot=7",
		// The same names without a signature mean something else.
		"https://a.example/v?se=2&sp=3&st=4":      "https://a.example/v?se=2&sp=3&st=4",
		"https://a.example/v?Expires=1&Policy=2":  "https://a.example/v?Expires=1&Policy=2",
		"https://a.example/v?sig=1&sp=2":          "https://a.example/v?sig=1&sp=2",
		"https://a.example/v?expires=1&signature": "https://a.example/v?expires=1&signature",
	} {
		got, err := Canonical(source)
		if err != nil || got != want {
			t.Errorf("%s\n got %s, %v\nwant %s", source, got, err, want)
			continue
		}
		if again, err := Canonical(got); err != nil || again != got {
			t.Errorf("%s is not canonical itself: %s, %v", got, again, err)
		}
	}
}

func TestCanonicalPath(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("HOME", "/home/me")
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]string{
		"a.mp4":           filepath.Join(cwd, "a.mp4"),
		"./-x.mp4":        filepath.Join(cwd, "-x.mp4"),
		"./data:x":        filepath.Join(cwd, "data:x"),
		"link/../b//.mp4": filepath.Join(cwd, "b/.mp4"),
		"link/a.mp4":      filepath.Join(cwd, "link/a.mp4"),
		"/films/ä b.mp4":  "/films/ä b.mp4",
		"~/a.mp4":         "/home/me/a.mp4",
		"Film: part 1":    "Film: part 1", // in the store Film, if there is one
		"nas:films//a/":   "nas:films/a",
	} {
		got, err := Canonical(source)
		if err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", source, got, err, want)
		}
	}
}

func TestCanonicalRefuses(t *testing.T) {
	for source, code := range map[string]string{
		"":                          "no-source",
		"  ":                        "no-source",
		"ftp://a.example/v.mp4":     "source-scheme",
		"file:///etc/passwd":        "source-scheme",
		"gopher://x":                "source-scheme",
		":local:/etc/passwd":        "connection-string",
		`:sftp,ssh="touch pwned":x`: "connection-string",
		":webdav,url='http://127.0.0.1:9/',bearer_token_command='touch pwned':": "connection-string",
		"remote:../../x":                "bad-remote-path",
		"-vv":                           "source-dash",
		"remote:--config=/x":            "bad-remote-path",
		"--exec=touch x":                "source-dash",
		"-":                             "source-dash",
		"https://":                      "bad-url",
		"https:///v.mp4":                "bad-url",
		"https://:80/v.mp4":             "bad-url",
		"https://u:secret@/v.mp4":       "bad-url",
		"https://a.example:99999/":      "bad-url",
		"https://a.example:x/":          "bad-url",
		"https://a.example/a b.mp4":     "bad-url",
		"https://a.example\\@b.example": "bad-url",
		"https://a.example/%zz":         "bad-url",
		"/films/a\nb.mp4":               "source-control",
		"/films/a\x1b[2J.mp4":           "source-control",
		"/films/\xff.mp4":               "source-control",
		strings.Repeat("x", 9000):       "source-too-long",
	} {
		_, err := Canonical(source)
		e := spool.AsError(err)
		if e == nil || e.Code != code || e.Class != spool.Permanent {
			t.Errorf("%.40q: %v, want code %s", source, err, code)
			continue
		}
		if strings.ContainsAny(e.Reason+e.Hint, "\x1b\n") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%.40q: the error shows too much: %v", source, err)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	f.Add("https://u:p@A.example:443/x?X-Amz-Signature=1&b#c")
	f.Add("../a b.mp4")
	f.Add("https://youtu.be/dQw4w9WgXcQ")
	f.Add("https://x.example/?sv=1&sig=2;c=%zz")
	f.Fuzz(func(t *testing.T, source string) {
		got, err := Canonical(source)
		if err != nil {
			if e := spool.AsError(err); e.Code == "unexpected" || strings.ContainsAny(e.Reason, "\n\x1b") {
				t.Fatalf("an error without a sentence: %#v", err)
			}
			return
		}
		if again, err := Canonical(got); err != nil || again != got {
			t.Fatalf("%q becomes %q, and that %q, %v", source, got, again, err)
		}
		if id := MakeID(got, "", ""); !spool.ValidID(id) {
			t.Fatalf("%q gets the id %q", got, id)
		}
	})
}

func TestMakeID(t *testing.T) {
	for _, c := range []struct{ canonical, extractor, page, want string }{
		{"https://www.youtube.com/watch?v=dQw4w9WgXcQ", "youtube", "dQw4w9WgXcQ", "youtube-dQw4w9WgXcQ"},
		{"https://v.example/1", "twitch:vod", "123", "twitchvod-123"},
		{"https://v.example/1", "TwitchVod", "123", "twitchvod-123"},
		{"https://a.example/a/watch.html", "generic", "watch-1", "watch-######"},
		{"https://a.example/a/watch.html", "html5", "watch-1", "watch-######"},
		{"https://a.example/a/watch.html", "HTML5MediaEmbed", "watch-1", "watch-######"},
		{"https://a.example/1", "site", "../../etc", "1-######"},
		{"https://a.example/1", "site", strings.Repeat("x", 70), "1-######"},
		{"https://a.example/1", "site", "", "1-######"},
		{"https://a.example/", "", "", "a-example-######"},
		{"https://a.example/%C3%84pfel%20%26%20Stra%C3%9Fe.mp4?x=1", "", "", "apfel-strasse-######"},
		{"/films/視頻.mp4", "", "", "video-######"},
		{"/films/.hidden", "", "", "hidden-######"},
		{"/films/v1.2 final.MKV", "", "", "v1-2-final-######"},
		{"/" + strings.Repeat("long name ", 10) + ".mp4", "", "", "long-name-long-name-long-name-long-name-######"},
	} {
		got := MakeID(c.canonical, c.extractor, c.page)
		masked := got
		if stem, found := strings.CutSuffix(c.want, "######"); found && len(got) == len(c.want) && strings.HasPrefix(got, stem) {
			masked = c.want
		}
		if masked != c.want || !spool.ValidID(got) {
			t.Errorf("%s %s %s: %s, want %s", c.canonical, c.extractor, c.page, got, c.want)
		}
	}
	// Fixed for ever: IDs are names in buckets.
	if got := MakeID("https://a.example/beach.mp4", "", ""); got != "beach-2e7b1b" {
		t.Errorf("the rule has changed: %s", got)
	}
}
