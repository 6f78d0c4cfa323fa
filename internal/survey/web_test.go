package survey_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/survey"
	"github.com/spool-video/spool/internal/survey/m3u8"
)

const list = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\na.vtt\n#EXT-X-ENDLIST\n"

func at(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// site serves a handler, and a client that reads from it.
func site(t *testing.T, handler http.HandlerFunc) (string, survey.Web) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL, survey.NewWeb(server.Client().Transport)
}

func TestWebReads(t *testing.T) {
	t.Parallel()
	var busy atomic.Int32
	base, web := site(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/zipped":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			fmt.Fprint(z, list)
			z.Close()
		case "/moved":
			http.Redirect(w, r, "/plain", http.StatusFound)
		case "/whole": // ignores ranges
			fmt.Fprint(w, "0123456789")
		case "/ranged":
			http.ServeContent(w, r, "x", time.Time{}, strings.NewReader("0123456789"))
		case "/busy":
			if busy.Add(1) < 3 {
				http.Error(w, "busy", http.StatusServiceUnavailable)
				return
			}
			fmt.Fprint(w, "at last")
		default:
			fmt.Fprint(w, "plain")
		}
	})
	part := &m3u8.Range{Offset: 3, Length: 4}
	for _, test := range []struct {
		path, want string
		part       *m3u8.Range
		redirected bool
	}{
		{"/zipped", list, nil, false},
		{"/moved", "plain", nil, true},
		{"/whole", "3456", part, false},
		{"/ranged", "3456", part, false},
		{"/busy", "at last", nil, false},
	} {
		b, f, err := web.Read(t.Context(), at(t, base+test.path), test.part, 1000)
		if err != nil || string(b) != test.want || f.Redirected != test.redirected {
			t.Errorf("%s: %q, redirected %v, %v", test.path, b, f.Redirected, err)
		}
	}
}

// What a server of somebody else's may do ends in a sentence, and soon.
func TestWebRefuses(t *testing.T) {
	t.Parallel()
	base, web := site(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/endless":
			for r.Context().Err() == nil {
				fmt.Fprint(w, strings.Repeat("x", 1000))
			}
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			for range 100 {
				fmt.Fprint(z, strings.Repeat("\x00", 10_000))
			}
			z.Close()
		case "/silent":
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/short":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "short")
		default:
			http.NotFound(w, r)
		}
	})
	for path, want := range map[string]string{
		"/endless": "larger than", "/bomb": "larger than", "/silent": "sent nothing", "/file": "302", "/loop": "302",
		"/short": "breaks off", "/missing": "404",
	} {
		web := web
		if path == "/silent" {
			web.Stall = 50 * time.Millisecond
		}
		b, _, err := web.Read(t.Context(), at(t, base+path), nil, 10_000)
		if e := new(spool.Error); !errors.As(err, &e) || !strings.Contains(e.Reason, want) {
			t.Errorf("%s: %d bytes, %v; want a reason with %q", path, len(b), err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := web.Read(ctx, at(t, base+"/silent"), nil, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A playlist leads nowhere but into its folder, and to http and https.
func TestPlaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join(dir, "in")
	if err := errors.Join(os.Mkdir(inside, 0o700), os.WriteFile(filepath.Join(inside, "a"), []byte("inside"), 0o600),
		os.Symlink("../secret", filepath.Join(inside, "link"))); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(inside)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	places := survey.Places{Folder: root}
	if b, _, err := places.Read(t.Context(), at(t, "/a"), &m3u8.Range{Offset: 2, Length: 3}, 100); err != nil || string(b) != "sid" {
		t.Errorf("%q, %v", b, err)
	}
	for _, bad := range []string{"../secret", "/../secret", "link", "file://" + dir + "/secret", "//host/a", "data:,x", "nothing", "."} {
		if b, _, err := places.Read(t.Context(), at(t, bad), nil, 100); err == nil {
			t.Errorf("%s: read %q", bad, b)
		}
	}
}

// What is no HLS is told in one sentence with its place, without secrets.
func TestNoHLS(t *testing.T) {
	t.Parallel()
	base, web := site(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page.html" {
			fmt.Fprint(w, "<!doctype html><title>no</title>")
			return
		}
		http.NotFound(w, r)
	})
	secret := strings.Replace(base, "http://", "http://ada:hush@", 1)
	for path, want := range map[string]string{"/page.html": "is no HLS playlist", "/gone.m3u8": "404"} {
		_, err := survey.Read(t.Context(), survey.Places{Web: web}, secret+path, survey.Options{})
		e := new(spool.Error)
		if !errors.As(err, &e) || !strings.Contains(e.Reason, want) || !strings.Contains(e.Reason, path) {
			t.Errorf("%s: %v", path, err)
		}
		if strings.Contains(fmt.Sprint(err), "hush") {
			t.Errorf("the password is shown: %v", err)
		}
	}
}
