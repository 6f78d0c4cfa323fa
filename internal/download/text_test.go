package download

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spool-video/spool"
)

// A small text comes with its headers, after a server that was busy, and never
// as a web page, without end, or from where nobody may ask.
func TestText(t *testing.T) {
	var asked atomic.Int64
	var srv *httptest.Server
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cues.vtt":
			_, _ = w.Write([]byte("WEBVTT\n" + r.Header.Get("Referer") + r.Header.Get("Cookie")))
		case "/busy":
			if asked.Add(1) < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			_, _ = w.Write([]byte("WEBVTT\n"))
		case "/page":
			_, _ = w.Write([]byte("<!DOCTYPE html><html><body>log in</body></html>"))
		case "/large":
			_, _ = w.Write(bytes.Repeat([]byte("x"), 1001))
		case "/hop":
			http.Redirect(w, r, strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)+"/cues.vtt", http.StatusFound)
		case "/out":
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
		case "/empty":
		default:
			http.NotFound(w, r)
		}
	}))
	defer srv.Close()
	c := Client{Guard: here, Wait: func(context.Context, time.Duration) error { return nil }}
	defer c.Close()
	header := http.Header{"Referer": {"page "}, "Cookie": {"secret"}}
	for path, want := range map[string]string{"/cues.vtt": "WEBVTT\npage secret", "/busy": "WEBVTT\n", "/hop": "WEBVTT\npage "} {
		got, err := c.Text(t.Context(), Link{URL: srv.URL + path, Header: header}, 1000)
		if err != nil || !strings.HasPrefix(string(got), "WEBVTT") || strings.Contains(string(got), "secret") != strings.Contains(want, "secret") {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	for path, want := range map[string]string{"/page": "not-text", "/large": "too-large", "/empty": "empty-file", "/none": "http-404", "/out": "address-refused"} {
		_, err := c.Text(t.Context(), Link{URL: srv.URL + path}, 1000)
		if e := spool.AsError(err); err == nil || e.Code != want && path != "/out" {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := c.Text(t.Context(), Link{URL: "file:///etc/passwd"}, 1000); err == nil {
		t.Error("a local file was read")
	}
}
