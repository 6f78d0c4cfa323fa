package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "not for the world"

// bucket is a destination with one small video, and things that must not be
// seen beside, in and below it.
func bucket(t *testing.T) string {
	t.Helper()
	outer := t.TempDir()
	dir := filepath.Join(outer, "bucket")
	for name, body := range map[string]string{
		"bucket/clip/master.m3u8":       "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360\nr1/v0/index.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2,RESOLUTION=720x1280\nr1/v1/index.m3u8\n",
		"bucket/clip/r1/v0/index.m3u8":  "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"https://keys.example.com/clip/77\",IV=0x1\n#EXTINF:6.006,\na.m4s\n#EXTINF:1.5,\nb.m4s\n",
		"bucket/clip/r1/v0/a.m4s":       "0123456789",
		"bucket/clip/r1/v0/init.mp4":    "init",
		"bucket/clip/poster.jpg":        "jpeg",
		"bucket/clip/video.json":        `{"title":"A clip"}`,
		"bucket/clip/page.html":         "<script>alert(1)</script>",
		"bucket/clip/.hidden":           secret,
		"bucket/.spool-store":           secret,
		"bucket/.dir/file.m4s":          secret,
		"bucket/loose.m4s":              secret,
		"bucket/not an id/master.m3u8":  "#EXTM3U\n",
		"bucket/unfinished/r1/x.m4s":    "x",
		"secret.m4s":                    secret,
		"bucket/clip/r1/v0/..%2fodd.ts": secret,
	} {
		path := filepath.Join(outer, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../../secret.m4s", filepath.Join(dir, "clip", "out.m4s")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "clip", "pipe.m4s"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// opened gives the preview's handler, as a request from this machine meets it.
func opened(t *testing.T, p Preview) http.Handler {
	t.Helper()
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return newHandler(folder{root}, p)
}

type ask struct {
	method, target, host, from string
	header                     map[string]string
}

func (a ask) of(t *testing.T, h http.Handler) *http.Response {
	t.Helper()
	if a.method == "" {
		a.method = http.MethodGet
	}
	if a.host == "" {
		a.host = "127.0.0.1:8000"
	}
	if a.from == "" {
		a.from = "127.0.0.1:40000"
	}
	r := httptest.NewRequestWithContext(t.Context(), a.method, "http://127.0.0.1:8000/", http.NoBody)
	u, err := url.ParseRequestURI(a.target) // as net/http reads it: nothing is cleaned
	if err != nil {
		t.Fatalf("%q: %v", a.target, err)
	}
	r.URL, r.Host, r.RemoteAddr = u, a.host, a.from
	for name, value := range a.header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestNothingOutsideIsFound(t *testing.T) {
	dir := bucket(t)
	keys := func(context.Context, KeyRequest) ([]byte, error) { return []byte(secret), nil }
	h := opened(t, Preview{Dir: dir, Keys: keys})
	for _, target := range []string{
		"/media/../secret.m4s", "/media/clip/../../secret.m4s", "/media/..%2fsecret.m4s", "/media/clip%2f..%2f..%2fsecret.m4s",
		"/media/%2e%2e/secret.m4s", "/media/clip/%2e%2e/%2e%2e/secret.m4s", "/media/%252e%252e%252fsecret.m4s",
		"/media/....//secret.m4s", "/media/..%5csecret.m4s", "/media/clip/..%5c..%5csecret.m4s", "/media/clip/a%00.m4s",
		"/media/clip/%2e%2e%00/secret.m4s", "/media//etc/passwd", "/media/%2fetc%2fpasswd", "//etc/passwd", "/media/clip//poster.jpg",
		"/media/", "/media", "/media/clip", "/media/clip/", "/media/clip/r1", "/media/clip/r1/", "/media/clip/r1/v0/",
		"/media/.spool-store", "/media/.dir/file.m4s", "/media/clip/.hidden", "/media/clip/./poster.jpg", "/media/loose.m4s",
		"/media/clip/out.m4s", "/media/clip/pipe.m4s", "/media/not%20an%20id/master.m3u8", "/media/clip/r1/v0/..%252fodd.ts",
		"/media/clip/missing.m4s", "/media/clip/poster.jpg/", "/media/clip/poster.jpg/x", "/media/" + strings.Repeat("a", 5000) + "/x.m4s",
		"/media/clip/" + strings.Repeat("a/", 3000) + "x.m4s", "/static", "/static/", "/static/vendor", "/static/vendor/", "/static/index.html",
		"/static/../web.go", "/static/..%2fweb.go", "/api", "/api/", "/api/videos/", "/index.html", "/keys", "/keys/", "/keys/clip",
		"/keys/clip/", "/keys/clip/r1", "/keys/../clip/r1.key", "/keys/clip/..%2fr1.key", "/keys/clip/%2e%2e.key", "/keys/clip/.key", "/keys/%00/r1.key", "/keys/clip/a/b.key",
	} {
		answer := ask{target: target}.of(t, h)
		if got := body(t, answer); answer.StatusCode != http.StatusNotFound || strings.Contains(got, secret) {
			t.Errorf("%.80s: %s %.60q", target, answer.Status, got)
		}
	}
}

func TestMedia(t *testing.T) {
	h := opened(t, Preview{Dir: bucket(t)})
	for name, kind := range map[string]string{
		"master.m3u8": "application/vnd.apple.mpegurl", "r1/v0/index.m3u8": "application/vnd.apple.mpegurl",
		"r1/v0/a.m4s": "video/iso.segment", "r1/v0/init.mp4": "video/mp4", "poster.jpg": "image/jpeg",
		"video.json": "application/json", "page.html": "application/octet-stream",
	} {
		answer := ask{target: "/media/clip/" + name}.of(t, h)
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != kind {
			t.Errorf("%s: %s as %s, want %s", name, answer.Status, answer.Header.Get("Content-Type"), kind)
		}
		tag := answer.Header.Get("ETag")
		again := ask{target: "/media/clip/" + name, header: map[string]string{"If-None-Match": tag}}.of(t, h)
		if tag == "" || again.StatusCode != http.StatusNotModified || answer.Header.Get("Last-Modified") == "" {
			t.Errorf("%s: tag %s, again %s", name, tag, again.Status)
		}
	}
	part := ask{target: "/media/clip/r1/v0/a.m4s", header: map[string]string{"Range": "bytes=3-5"}}.of(t, h)
	if got := body(t, part); part.StatusCode != http.StatusPartialContent || got != "345" {
		t.Errorf("range: %s %q", part.Status, got)
	}
	past := ask{target: "/media/clip/r1/v0/a.m4s", header: map[string]string{"Range": "bytes=30-"}}.of(t, h)
	if past.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("range past the end: %s", past.Status)
	}
}

func TestOnlyThisMachineOnlyReading(t *testing.T) {
	keys := func(context.Context, KeyRequest) ([]byte, error) { return testKey, nil }
	h := opened(t, Preview{Dir: bucket(t), Keys: keys})
	for _, c := range []struct {
		ask  ask
		want int
	}{
		{ask{host: "localhost:1"}, 200},
		{ask{host: "LOCALHOST"}, 200},
		{ask{host: "[::1]:9"}, 200},
		{ask{host: "127.0.0.1"}, 200},
		{ask{host: "evil.example"}, 403},
		{ask{host: "127.0.0.1.evil.example:8000"}, 403},
		{ask{host: "localhost.evil.example"}, 403},
		{ask{host: "127.0.0.2"}, 403},
		{ask{host: "0.0.0.0:8000"}, 403},
		{ask{method: http.MethodHead}, 200},
		{ask{method: http.MethodPost}, 405},
		{ask{method: http.MethodPut, target: "/media/clip/poster.jpg"}, 405},
		{ask{method: http.MethodDelete, target: "/media/clip/poster.jpg"}, 405},
		{ask{method: http.MethodOptions, target: "/api/videos"}, 405},
		{ask{target: "/keys/clip/r1.key"}, 200},
		{ask{target: "/keys/clip/r1.key", from: "[::1]:5"}, 200},
		{ask{target: "/keys/clip/r1.key", from: "192.168.1.9:5"}, 404},
		{ask{target: "/keys/clip/r1.key", host: "evil.example"}, 403},
	} {
		if c.ask.target == "" {
			c.ask.target = "/"
		}
		answer := c.ask.of(t, h)
		if answer.StatusCode != c.want {
			t.Errorf("%+v: %s, want %d", c.ask, answer.Status, c.want)
		}
		header := answer.Header
		if header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Content-Security-Policy") != web.Policy {
			t.Errorf("%+v: headers %v", c.ask, header)
		}
		if strings.HasPrefix(c.ask.target, "/keys") && c.want == 200 && header.Get("Cache-Control") != "no-store" {
			t.Errorf("a key may be stored: %v", header)
		}
		if header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%+v: another origin may read", c.ask)
		}
	}
}

func TestPlaylistsNameLocalKeys(t *testing.T) {
	const plain = "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:6,\na.m4s\n"
	for _, c := range [][3]string{
		{"clip/r1/v0/index.m3u8", plain, plain},
		{
			"clip/r1/v0/index.m3u8",
			"#EXT-X-KEY:METHOD=AES-128,URI=\"https://k.example/clip/7?a=1&b=2\",IV=0x01\r\na.m4s",
			"#EXT-X-KEY:METHOD=AES-128,URI=\"/keys/clip/r1.key?uri=https%3A%2F%2Fk.example%2Fclip%2F7%3Fa%3D1%26b%3D2\",IV=0x01\r\na.m4s",
		},
		{
			"clip/r1/v0/index.m3u8",
			"#EXT-X-KEY:KEYFORMAT=\"a,URI=b\",URI=\"x\",METHOD=AES-128\n",
			"#EXT-X-KEY:KEYFORMAT=\"a,URI=b\",URI=\"/keys/clip/r1.key?uri=x\",METHOD=AES-128\n",
		},
		{
			"clip/live-r1/v0-360p.m3u8",
			"#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n",
			"#EXT-X-KEY:METHOD=AES-128,URI=\"/keys/clip/r1.key?uri=k\"\n",
		},
		{"clip/r1/v0/index.m3u8", "#EXT-X-KEY:METHOD=NONE\na.m4s\n", "#EXT-X-KEY:METHOD=NONE\na.m4s\n"},
		{"clip/r1/v0/index.m3u8", "#EXT-X-KEY:METHOD=AES-128,URI=\"open\n", "#EXT-X-KEY:METHOD=AES-128,URI=\"open\n"},
		{"clip/master.m3u8", "#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"x\"\nr1/v0/index.m3u8\n", "#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"/keys/clip/r1.key?uri=x\"\nr1/v0/index.m3u8\n"},
		{"clip/early.m3u8", "#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"x\"\nlive-r1/v0/index.m3u8\n", "#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"/keys/clip/r1.key?uri=x\"\nlive-r1/v0/index.m3u8\n"},
		{"clip/master.m3u8", "#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"x\"\nv0.m3u8\n", "v0.m3u8\n"},
	} {
		if got := string(localKeys([]byte(c[1]), c[0])); got != c[2] {
			t.Errorf("%s %q:\n got %q\nwant %q", c[0], c[1], got, c[2])
		}
	}
}

// A video that is being made is listed by its early list, and by its master
// playlist from when that is there.
func TestListOfWhatIsBeingMade(t *testing.T) {
	dir := bucket(t)
	early := filepath.Join(dir, "unfinished", "early.m3u8")
	for path, text := range map[string]string{
		early: "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360\nlive-r1/v0-360p.m3u8\n",
		filepath.Join(dir, "unfinished", "live-r1", "v0-360p.m3u8"): "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:6,\n../r1/x.m4s\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h := opened(t, Preview{Dir: dir})
	find := func() Listing {
		t.Helper()
		list := listed(t, h, "?id=unfinished")
		if len(list.Videos) != 1 {
			t.Fatalf("%+v", list)
		}
		return list.Videos[0]
	}
	if v := find(); v.Master != "early.m3u8" || v.Missing || !v.Encrypted || fmt.Sprint(v.Sizes) != "[360p]" {
		t.Errorf("while it is made: %+v", v)
	}
	if err := os.Rename(early, filepath.Join(dir, "unfinished", "master.m3u8")); err != nil {
		t.Fatal(err)
	}
	if v := find(); v.Master != "master.m3u8" {
		t.Errorf("when it is ready: %+v", v)
	}
}

func FuzzLocalKeys(f *testing.F) {
	f.Add("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"a\",IV=0x1\n#EXTINF:1,\nb\n")
	f.Add("#EXT-X-KEY:=\",=\"\",URI=\"")
	f.Fuzz(func(t *testing.T, list string) {
		got := string(localKeys([]byte(list), "v/r/s/index.m3u8"))
		for line := range strings.Lines(got) {
			if start, end := keyURI(line); strings.HasPrefix(line, "#EXT-X-KEY:") && start >= 0 && !strings.HasPrefix(line[start:end], "/keys/v/r.key?uri=") {
				t.Errorf("%q keeps its URI", line)
			}
		}
		if !strings.Contains(list, "-KEY:") && got != list {
			t.Errorf("%q became %q", list, got)
		}
	})
}

func TestKeysAreAskedForByRevisionAndURI(t *testing.T) {
	var asked KeyRequest
	h := opened(t, Preview{Dir: bucket(t), Keys: func(_ context.Context, ask KeyRequest) ([]byte, error) {
		asked = ask
		return testKey, nil
	}})
	list := body(t, ask{target: "/media/clip/r1/v0/index.m3u8"}.of(t, h))
	_, rest, _ := strings.Cut(list, `URI="`)
	uri, _, _ := strings.Cut(rest, `"`)
	if got := body(t, ask{target: uri}.of(t, h)); got != string(testKey) {
		t.Errorf("key %q by %q", got, uri)
	}
	if want := (KeyRequest{Video: "clip", Name: "r1", URI: "https://keys.example.com/clip/77"}); asked != want {
		t.Errorf("asked %+v, want %+v", asked, want)
	}
}

func TestKeyFailures(t *testing.T) {
	locked := &spool.Error{Class: spool.Environment, Code: "no-master-key", Reason: "the master key is away", Hint: "bring it back"}
	for _, c := range []struct {
		keys func(context.Context, KeyRequest) ([]byte, error)
		want int
		word string
	}{
		{nil, 404, ""},
		{func(context.Context, KeyRequest) ([]byte, error) { return nil, fmt.Errorf("find: %w", ErrNoKey) }, 404, ""},
		{func(context.Context, KeyRequest) ([]byte, error) { return nil, locked }, 500, "the master key is away"},
		{KeysIn(filepath.Join(t.TempDir(), "never")), 404, ""},
		{FirstKey(KeysIn(t.TempDir()), func(context.Context, KeyRequest) ([]byte, error) { return testKey, nil }), 200, string(testKey)},
		{FirstKey(KeysIn(t.TempDir())), 404, ""},
	} {
		answer := ask{target: "/keys/clip/r1.key"}.of(t, opened(t, Preview{Dir: bucket(t), Keys: c.keys}))
		if got := body(t, answer); answer.StatusCode != c.want || !strings.Contains(got, c.word) {
			t.Errorf("%s %q, want %d %q", answer.Status, got, c.want, c.word)
		}
	}
}

func listed(t *testing.T, h http.Handler, query string) listAnswer {
	t.Helper()
	answer := ask{target: "/api/videos" + query}.of(t, h)
	var list listAnswer
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v", answer.Status, err)
	}
	return list
}

func TestList(t *testing.T) {
	dir := bucket(t)
	list := listed(t, opened(t, Preview{Dir: dir}), "")
	if list.Total != 1 || len(list.Videos) != 1 || list.Place != dir {
		t.Fatalf("%+v", list)
	}
	v := list.Videos[0]
	if v.ID != "clip" || v.Title != "A clip" || fmt.Sprint(v.Sizes) != "[360p 720p]" || !v.Encrypted || !v.Poster || v.Missing || v.Seconds < 7.5 || v.Seconds > 7.51 || v.Published.IsZero() {
		t.Errorf("%+v", v)
	}
	known := func(context.Context) ([]Listing, error) {
		videos := []Listing{{ID: "clip", Title: "From\x1b[2J the ledger"}, {ID: "gone", Title: "Gone", Published: time.Unix(1, 0)}, {ID: "../x"}}
		for i := range 300 {
			videos = append(videos, Listing{ID: fmt.Sprintf("many-%d", i)})
		}
		return videos, nil
	}
	h := opened(t, Preview{Dir: dir, Videos: known})
	if list := listed(t, h, ""); list.Total != 302 || len(list.Videos) != maxListed {
		t.Errorf("%d of %d", len(list.Videos), list.Total)
	}
	if list := listed(t, h, "?id=gone"); len(list.Videos) != 1 || !list.Videos[0].Missing {
		t.Errorf("%+v", list)
	}
	if list := listed(t, h, "?q=LEDGER"); len(list.Videos) != 1 || strings.ContainsRune(list.Videos[0].Title, 0x1b) {
		t.Errorf("%+v", list)
	}
	failing := opened(t, Preview{Dir: dir, Videos: func(context.Context) ([]Listing, error) { return nil, errors.New("ledger is locked") }})
	answer := ask{target: "/api/videos"}.of(t, failing)
	if got := body(t, answer); answer.StatusCode != 500 || !strings.Contains(got, "ledger is locked") {
		t.Errorf("%s %s", answer.Status, got)
	}
}
